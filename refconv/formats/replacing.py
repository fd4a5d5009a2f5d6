"""Whole files or none: what is written takes its name when it is complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from refconv.errors import BadInput


def demand_apart(target: str | Path, *read: str | Path) -> None:
    """Refuse to write where something lies that is read for it.

    Raises:
        BadInput: `target` is one of the files `read`, under whatever name.
    """
    for source in read:
        if os.path.exists(target) and os.path.exists(source) and os.path.samefile(source, target):
            raise BadInput("a source is not overwritten", where=str(target), hint="name another file")


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to; it becomes `path` when the context ends well, and else is removed.

    Whatever ends the program, the old file is whole or the new one is.

    Raises:
        BadInput: the system refuses.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name[:200]}.{os.getpid()}.tmp")
    try:
        try:
            yield temporary
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        said = error.strerror or str(error).splitlines()[0]
        raise BadInput(f"cannot be written: {said}", where=str(path)) from None
