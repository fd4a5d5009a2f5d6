"""Arrays from .npy and .npz files; nothing in them is ever unpickled."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from refconv.errors import BadInput

BROKEN = (OSError, EOFError, ValueError, KeyError, MemoryError, zipfile.BadZipFile, zlib.error, NotImplementedError)


def read_array(path: Path, key: str | None) -> np.ndarray:
    """The array of an .npy file, or that called `key` in an .npz, or the only one there.

    Raises:
        BadInput: the file is broken, pickled, or has no such key.
    """
    try:
        # Opened here, because numpy.load leaves a broken .npz open.
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            return found if isinstance(found, np.ndarray) else found[_key(path, key, found.files)]
    except BROKEN as error:
        raise _refused(path, error) from None


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an .npz, by key.

    Raises:
        BadInput: the file is missing, broken or pickled, or no .npz.
    """
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                raise BadInput("holds one array without a name; an .npz is wanted", where=str(path))
            return {name: found[name] for name in found.files}
    except BROKEN as error:
        raise _refused(path, error) from None


def _key(path: Path, key: str | None, names: list[str]) -> str:
    listed = ", ".join(names) or "none"
    if key is None and len(names) != 1:
        raise BadInput(f"holds {len(names)} arrays", where=str(path), hint=f"say which, as FILE:key; they are {listed}")
    if key is not None and key not in names:
        raise BadInput(f"holds no array {key!r}", where=str(path), hint=f"it holds {listed}")
    return names[0] if key is None else key


def _refused(path: Path, error: Exception) -> BadInput:
    if "allow_pickle" in str(error):
        what = "is pickled or not a NumPy file, and refconv runs no pickles"
        return BadInput(what, where=str(path), hint="save a numeric array with numpy.save")
    reason = " ".join(str(error).split()) or type(error).__name__
    return BadInput(f"is not a readable NumPy file: {reason}", where=str(path))
