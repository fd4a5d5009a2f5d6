"""Whole files or none: reports are written beside their place and then renamed."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from refconv.errors import BadInput


def check_writable(path: str, option: str) -> None:
    """Refuse a place that a report cannot be written to, before the work for it begins.

    Raises:
        BadInput: it is a folder, or its folder does not exist or takes no files.
    """
    target = Path(path)
    folder = target.parent
    if target.is_dir():
        raise BadInput(f"{path} is a folder, not a file", where=option)
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder} for {target.name}", where=option, hint="create it first")
    if not os.access(target if _is_special(target) else folder, os.W_OK):
        raise BadInput(f"{path} cannot be written", where=option, hint="its permissions forbid it")


def write_text(path: str, text: str) -> None:
    """Write `text` as UTF-8 under a temporary name and rename it; devices and pipes are written as they are.

    Raises:
        BadInput: the system refuses.
    """
    _write(path, text.encode())


def write_arrays(path: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an .npz under a temporary name and rename it.

    Raises:
        BadInput: the system refuses.
    """
    buffer = io.BytesIO()
    # Not savez: a name such as "file" would be taken for its own argument, and "../x" must stay a name.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(values), allow_pickle=False)
    _write(path, buffer.getvalue())


def _write(path: str, data: bytes) -> None:
    target = Path(os.path.realpath(path))
    try:
        if _is_special(target):
            target.write_bytes(data)
        else:
            _replace(target, data)
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", where=path) from None


def _is_special(target: Path) -> bool:
    return target.exists() and not target.is_file()


def _replace(target: Path, data: bytes) -> None:
    temporary = target.with_name(f".{target.name[:200]}.{os.getpid()}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
