"""Whole files or none: reports are written beside their place and then renamed."""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from refconv.errors import BadInput
from refconv.formats.replacing import demand_apart, replacing


def check_writable(path: str, option: str, *read: str) -> None:
    """Refuse a place that a report cannot be written to, before the work for it begins.

    Args:
        read: files that the work reads.

    Raises:
        BadInput: it is a folder, one of the files `read`, or its folder does not exist or takes no files.
    """
    demand_apart(path, *read)
    target = Path(path)
    folder = target.parent
    if target.is_dir():
        raise BadInput(f"{path} is a folder, not a file", where=option)
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder} for {target.name}", where=option, hint="create it first")
    if not os.access(target if _is_special(target) else folder, os.W_OK):
        raise BadInput(f"{path} cannot be written", where=option, hint="its permissions forbid it")


def check_folder(path: str, option: str) -> None:
    """Refuse a folder that files cannot be written to; it may not exist yet, if its parent does.

    Raises:
        BadInput: it is a file, or neither it nor its parent is a folder that takes files.
    """
    target = Path(path)
    if target.exists() and not target.is_dir():
        raise BadInput(f"{path} is not a folder", where=option, hint="a folder, or FILE.html")
    folder = target if target.is_dir() else target.parent
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder} for {target.name}", where=option, hint="create it first")
    if not os.access(folder, os.W_OK):
        raise BadInput(f"{folder} cannot be written to", where=option, hint="its permissions forbid it")


def make_folder(path: str) -> None:
    """Make the folder, unless it is there.

    Raises:
        BadInput: the system refuses.
    """
    try:
        Path(path).mkdir(exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot be made: {error.strerror}", where=path) from None


def file_name(number: int, words: str, suffix: str) -> str:
    """ "003_conv1_maps.png": a name in any folder and of that folder alone, whatever the words are."""
    safe = re.sub(r"[^A-Za-z0-9_-]+", "_", words).strip("_")[:80]
    return f"{number:03d}_{safe}.{suffix}" if safe else f"{number:03d}.{suffix}"


def write_text(path: str, text: str) -> None:
    """Write `text` as UTF-8 under a temporary name and rename it; devices and pipes are written as they are.

    Raises:
        BadInput: the system refuses.
    """
    _write(path, text.encode())


def write_bytes(path: str, data: bytes) -> None:
    """Write `data` as `write_text` does."""
    _write(path, data)


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


def beneath(folder: str | Path, name: str, ending: str) -> Path:
    """A file in `folder` for something of that name, which may be any text: a layer `../../x` stays in the folder.

    A name that is no file's name everywhere is changed, and a part of its hash keeps it apart from others.
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name).strip(".")[:100]
    if plain != name:
        plain = f"{plain}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}".lstrip("-")
    return Path(folder) / f"{plain}{ending}"


def _write(path: str, data: bytes) -> None:
    target = Path(os.path.realpath(path))
    if not _is_special(target):
        with replacing(path) as temporary, temporary.open("xb") as file:
            file.write(data)
        return
    try:
        target.write_bytes(data)
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", where=path) from None


def _is_special(target: Path) -> bool:
    return target.exists() and not target.is_file()
