"""A copy of a model file in which some stored weights have other values, and everything else is as it was."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from refconv.formats.hdf5 import Hdf5File, Stored
from refconv.formats.keras_zip import CHUNK, WEIGHTS
from refconv.formats.replacing import replacing

Make = Callable[[], np.ndarray]


def rewrite(source: Path, container: str, values: Mapping[str, Make], output: Path) -> None:
    """Write a copy of `source` that takes its name when it is whole.

    HDF5: the file is copied, and the bytes of contiguous datasets are overwritten; packed ones are written through
    HDF5. A .keras archive is written anew with the same members, of which only the weights differ, by the same rule.

    Args:
        container: of the source, "hdf5" or "keras".
        values: path of a dataset in the HDF5 file → what makes its values, of the same shape; called once each.

    Raises:
        BadInput: the system refuses.
        UnreadableModel: a dataset is not what it was when it was read.
    """
    with replacing(output) as temporary:
        if container == "hdf5":
            shutil.copyfile(source, temporary)
            _overwrite(temporary, values)
        else:
            _repack(source, values, temporary)


def _repack(source: Path, values: Mapping[str, Make], target: Path) -> None:
    """Every member with its own name, date and compression, in the same order."""
    weights = target.with_name(f"{target.name}.weights")
    try:
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
            new.comment = old.comment
            with old.open(WEIGHTS) as member, weights.open("xb") as file:
                shutil.copyfileobj(member, file, CHUNK)
            _overwrite(weights, values)
            for info in old.infolist():
                with _content(old, info, weights) as content, new.open(_as(info, weights), "w") as member:
                    shutil.copyfileobj(content, member, CHUNK)
    finally:
        weights.unlink(missing_ok=True)


@contextmanager
def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, weights: Path) -> Iterator:
    with weights.open("rb") if info.filename == WEIGHTS else archive.open(info) as stream:
        yield stream


def _as(info: zipfile.ZipInfo, weights: Path) -> zipfile.ZipInfo:
    found = zipfile.ZipInfo(info.filename, info.date_time)
    for name in ("compress_type", "comment", "external_attr", "internal_attr", "create_system"):
        setattr(found, name, getattr(info, name))
    found.file_size = weights.stat().st_size if info.filename == WEIGHTS else info.file_size  # ZIP64 where it must be
    return found


def _overwrite(path: Path, values: Mapping[str, Make]) -> None:
    packed: dict[str, Make] = {}
    with path.open("r+b") as file:
        for place, make in values.items():
            start = _start(path, place)
            if start is None:
                packed[place] = make
                continue
            file.seek(start)
            file.write(np.ascontiguousarray(make()).reshape(-1).view(np.uint8).data)
    if packed:
        with h5py.File(path, "r+") as opened:
            for place, make in packed.items():
                opened[place][...] = make()


def _start(path: Path, place: str) -> int | None:
    """Where a dataset's bytes lie bare in the file; None where they are packed."""
    file = Hdf5File(str(path))
    with file.open() as root:
        stored: Stored = root.stored(place)
    extent = stored.extent()
    return None if extent is None else extent.start
