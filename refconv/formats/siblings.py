"""Which file beside a weights file may be its architecture: told by names alone, no other file is opened."""

from __future__ import annotations

import os
from pathlib import Path

SHOWN = 3


def suggestion(path: Path) -> str:
    """What to do about a missing architecture, for an error message."""
    wanted = "its architecture is wanted too: --architecture MODEL.json"
    found = candidates(path)
    return f"{wanted}; beside it lies {' or '.join(found)}" if found else wanted


def candidates(path: Path) -> list[str]:
    """Names of .json files in the same folder, those first whose name begins most like that of `path`."""
    try:
        names = [entry.name for entry in os.scandir(path.parent) if entry.name.lower().endswith(".json")]
    except OSError:
        return []
    return sorted(names, key=lambda name: (-len(os.path.commonprefix([name.lower(), path.name.lower()])), name))[:SHOWN]
