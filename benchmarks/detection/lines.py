"""Rows on disk, one line of JSON each, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def read(path: Path) -> list[Row]:
    """The rows of a file, without a last line that was cut off; none where there is no file."""
    if not path.exists():
        return []
    text = path.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def append(path: Path, *rows: Row) -> None:
    """Write rows at the end, after cutting off a line that an interruption left unfinished."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        _cut(file)
        file.write("".join(json.dumps(row) + "\n" for row in rows).encode())


def read_all(paths: Iterable[Path]) -> list[Row]:
    return [row for path in sorted(paths) for row in read(path)]


def _cut(file: Any) -> None:
    file.seek(0)
    content = file.read()
    file.truncate(content.rfind(b"\n") + 1)
    file.seek(0, 2)
