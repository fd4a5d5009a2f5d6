"""HDF5 read with suspicion: hard links only, no foreign storage, known filters, bounded shapes, checked names.

HDF5 can point into other files (external links, external and virtual storage), load filter plug-ins and declare
arrays far larger than the file. Nothing that Keras writes does any of this, so all of it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

from refconv.errors import UnreadableModel
from refconv.formats.memory import at_most

# Registered numbers: deflate, shuffle, fletcher32, szip, nbit, scaleoffset, and h5py's lzf.
FILTERS = {1, 2, 3, 4, 5, 6, 32000}
MAX_ATTRIBUTE = 64 << 20
MAX_TEXTS = 256 << 20  # bytes that a list of texts of any length may stand for
# Trained weights do not compress 20:1; what is all zeros is small, or was made to be large.
MAX_EXPANSION, EXPANSION_FLOOR = 20, 64 << 20
MAX_DEPTH = 32
SLAB = 8 << 20  # bytes: of chunks that are unpacked together


@contextmanager
def boundary(where: str) -> Iterator[None]:
    """What h5py raises for a damaged file becomes one clear line."""
    try:
        yield
    except (OSError, LookupError, RuntimeError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise UnreadableModel(f"damaged HDF5: {_first_line(error)}", where=where) from error


def _first_line(error: Exception) -> str:
    text = str(error.args[0]) if error.args else type(error).__name__
    if "truncated file" in text:
        return f"the file is truncated ({text[text.index('truncated file') :].rstrip(')')})"
    return text.splitlines()[0] if text else type(error).__name__


@dataclass(frozen=True)
class Extent:
    """Bytes in one stretch of a file that are the values themselves, little-endian and in C order."""

    path: str
    start: int


@dataclass(frozen=True)
class Stored:
    """One dataset; `read` opens the file anew, so that no handle outlives the reading."""

    path: str
    shape: tuple[int, ...]
    dtype: str
    file: Hdf5File = field(repr=False)

    def read(self) -> np.ndarray:
        """Its values, in native byte order; bfloat16 comes as float32, which holds it exactly.

        Raises:
            UnreadableModel: the file is gone, damaged, or was changed since it was loaded.
        """
        with self.file.open() as root:
            array = root.array(self.path)
        self._expect(array.shape)
        return array

    def slabs(self) -> Iterator[np.ndarray]:
        """Its values as flat arrays, one after the other, each of several whole rows."""
        with self.file.open() as root:
            self._expect(tuple(root.dataset(self.path).shape))
            yield from root.slabs(self.path, ())

    def extent(self) -> Extent | None:
        """Where the values lie; None where they are packed, in chunks, in no file, or not stored as NumPy has them."""
        with self.file.open() as root:
            dataset = root.dataset(self.path)
            self._expect(tuple(dataset.shape))
            with boundary(f"{self.file.where}:/{self.path}"):
                start = None if dataset.chunks else dataset.id.get_offset()
                plain = dataset.dtype.kind in "fiub" and dataset.dtype.newbyteorder("<") == dataset.dtype
                # h5py calls a type by NumPy's nearest: 16 bits of a float32, or an int32 of which 8 are padding.
                plain &= dataset.id.get_type() == h5py.h5t.py_create(dataset.dtype, logical=True)
        if start is None or not plain or self.file.stretch is None:
            return None
        return Extent(self.file.stretch[0], self.file.stretch[1] + start)

    def _expect(self, shape: tuple[int, ...]) -> None:
        if shape != self.shape:
            raise UnreadableModel(f"{self.path} has changed since the model was loaded", where=self.file.where)


@dataclass(frozen=True)
class Hdf5File:
    """An HDF5 file on disk, or what `opened` gives each time (a stretch of another file, bytes in memory).

    `swmr`: another process may be writing it, or was killed when it did. `place`: the file that `opened` gives a
    stretch of, and where that begins; None for bytes in memory.
    """

    where: str
    opened: Callable[[], BinaryIO] | None = field(default=None, repr=False)
    swmr: bool = False
    place: tuple[str, int] | None = None

    @property
    def stretch(self) -> tuple[str, int] | None:
        """The file on disk that holds this one, and where it begins there."""
        return self.place if self.opened else (self.where, 0)

    def unchecked(self) -> Hdf5File:
        """The same, where `opened` waits for a checksum, without that."""
        return Hdf5File(self.where, getattr(self.opened, "unchecked", self.opened))

    @contextmanager
    def open(self) -> Iterator[Group]:
        """The root group, for as long as the context lasts."""
        with boundary(self.where):
            stream = self.opened() if self.opened else None
            raw = h5py.File(stream or Path(self.where), "r", swmr=self.swmr)
        try:
            yield Group(self, raw, "")
        finally:
            raw.close()
            if stream:
                stream.close()


class Group:
    """A group reached through hard links only."""

    def __init__(self, file: Hdf5File, raw: h5py.Group, path: str) -> None:
        self.file, self.raw, self.path = file, raw, path

    @property
    def where(self) -> str:
        return f"{self.file.where}:/{self.path}"

    def names(self) -> list[str]:
        """Names of the members, in the file's order (by name)."""
        with boundary(self.where):
            found = list(self.raw.keys())
        if not all(isinstance(name, str) for name in found):  # h5py gives bytes that are not UTF-8 as they are
            raise UnreadableModel("a member's name is not UTF-8", where=self.where)
        return found

    def __contains__(self, path: str) -> bool:
        try:
            self._member(path)
        except _Absent:
            return False
        return True

    def group(self, path: str) -> Group:
        member = self._member(path)
        if not isinstance(member, h5py.Group):
            raise UnreadableModel(f"{path!r} is no group", where=self.where)
        return Group(self.file, member, f"{self.path}/{path}".strip("/"))

    def is_group(self, path: str) -> bool:
        return isinstance(self._member(path), h5py.Group)

    def stored(self, path: str) -> Stored:
        dataset = self.dataset(path)
        full = f"{self.path}/{path}".strip("/")
        return Stored(full, tuple(dataset.shape), self._dtype(dataset, path), self.file)

    def array(self, path: str) -> np.ndarray:
        return self._values(path, ())

    def part(self, path: str, index: int) -> np.ndarray:
        """`array(path)[index]`, of which no more is read."""
        return self._values(path, index)

    def slabs(self, path: str, lead: tuple[int, ...]) -> Iterator[np.ndarray]:
        """`array(path)[lead]` in flat pieces of whole rows, as few as fit the chunks."""
        dataset = self.dataset(path)
        shape = tuple(dataset.shape)[len(lead) :]
        if not shape or not all(shape):
            yield self._values(path, lead).reshape(-1)
            return
        chunk = dataset.chunks[len(lead)] if dataset.chunks else 1
        row = max(1, int(np.prod(shape[1:])) * dataset.dtype.itemsize)
        step = chunk * max(1, SLAB // (row * chunk))
        for start in range(0, shape[0], step):
            yield self._values(path, (*lead, slice(start, start + step))).reshape(-1)

    def _values(self, path: str, index: int | tuple[int | slice, ...]) -> np.ndarray:
        dataset = self.dataset(path)
        dtype = self._dtype(dataset, path)
        with boundary(f"{self.where}{path}"):
            array = np.asarray(dataset[index])
        if dtype == "bfloat16":
            return _from_bfloat16(array)
        return np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)

    def sizes(self, seen: set[tuple[int, ...]] | None = None, depth: int = 0) -> Iterator[int]:
        """Bytes that each dataset below declares; every link is looked at, and how every value is stored.

        Raises:
            UnreadableModel: a link that is no hard link, a group of two names, groups nested without end, or storage
                that is refused.
        """
        seen = set() if seen is None else seen
        with boundary(self.where):
            place = h5py.h5o.get_info(self.raw.id)
        if (place.fileno, place.addr) in seen:
            raise UnreadableModel("one group has two names: walking it might never end", where=self.where)
        seen.add((place.fileno, place.addr))
        if depth > MAX_DEPTH:
            raise UnreadableModel(f"groups are nested more than {MAX_DEPTH} deep", where=self.where)
        for name in self.names():
            member = self._member(name)
            if isinstance(member, h5py.Group):
                yield from Group(self.file, member, f"{self.path}/{name}".strip("/")).sizes(seen, depth + 1)
            else:
                yield self._size(member, name)

    def _size(self, dataset: object, name: str) -> int:
        if not isinstance(dataset, h5py.Dataset):
            raise UnreadableModel(f"{name!r} is no dataset", where=self.where)
        with boundary(self.where):
            problem, declared = _refused_storage(dataset)
        if problem:
            raise UnreadableModel(f"{name!r} {problem}", where=self.where)
        return declared

    def attributes(self, seen: set[int] | None = None) -> Iterator[None]:
        """Read every attribute here and below, also those that nobody asks for, whatever is wrong with some."""
        seen = set() if seen is None else seen
        with suppress(UnreadableModel), boundary(self.where):
            address = h5py.h5o.get_info(self.raw.id).addr
            if address in seen:
                return
            seen.add(address)
        with suppress(UnreadableModel), boundary(self.where):
            for name in self.raw.attrs:
                with suppress(UnreadableModel):
                    self._attribute(name)
        yield None
        members: list[str] = []
        with suppress(UnreadableModel):
            members = self.names() if isinstance(self.raw, h5py.Group) else []
        for name in members:
            with suppress(UnreadableModel):
                yield from Group(self.file, self._member(name), f"{self.path}/{name}").attributes(seen)

    def datasets(self, prefix: str = "", depth: int = 0) -> Iterator[str]:
        """Paths of every dataset below, relative to this group."""
        if depth > MAX_DEPTH:
            raise UnreadableModel(f"groups are nested more than {MAX_DEPTH} deep", where=self.where)
        for name in self.names():
            if self.is_group(name):
                yield from self.group(name).datasets(f"{prefix}{name}/", depth + 1)
            else:
                yield prefix + name

    def text(self, name: str) -> str | None:
        """A text attribute, or None where there is none."""
        value = self._attribute(name)
        if value is None:
            return None
        if isinstance(value, (bytes, str)):
            return self._decode(value, name)
        raise UnreadableModel(f"attribute {name!r} is no text", where=self.where)

    def number(self, name: str) -> float | None:
        """A number as an attribute, or None where there is none."""
        value = self._attribute(name)
        return float(value) if isinstance(value, (bool, int, float, np.number)) else None

    def texts(self, name: str) -> list[str] | None:
        """A list of texts; Keras cuts one of more than 64 kB into name0, name1, …"""
        value = self._attribute(name)
        pieces = [value] if value is not None else list(self._pieces(name))
        if not pieces:
            return None
        return [self._decode(item, name) for piece in pieces for item in np.asarray(piece).ravel().tolist()]

    def _pieces(self, name: str) -> Iterator[object]:
        index = 0
        while (piece := self._attribute(f"{name}{index}")) is not None:
            yield piece
            index += 1

    def _attribute(self, name: str) -> object:
        with boundary(self.where):
            if name not in self.raw.attrs:
                return None
            declared = self.raw.attrs.get_id(name)
            if int(np.prod(declared.shape or (), dtype=np.float64)) * declared.dtype.itemsize > MAX_ATTRIBUTE:
                raise UnreadableModel(f"attribute {name!r} is larger than {MAX_ATTRIBUTE} bytes", where=self.where)
            value = self._read(name, prod(declared.shape or ()) if declared.dtype.kind == "O" else 0)
        return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value

    def _read(self, name: str, texts: int) -> object:
        """An attribute, of so many texts of no declared length: each is a reference, and all may be to one text."""
        if texts < 2 or texts * self.raw.file.id.get_filesize() <= MAX_TEXTS:
            return self.raw.attrs[name]
        with at_most(MAX_TEXTS):
            return self.raw.attrs[name]

    def _decode(self, value: object, name: str) -> str:
        if isinstance(value, bytes):
            try:
                return value.decode("utf-8")
            except UnicodeDecodeError:
                raise UnreadableModel(f"attribute {name!r} is not UTF-8", where=self.where) from None
        if isinstance(value, str):
            return value
        raise UnreadableModel(f"attribute {name!r} is no text", where=self.where)

    def _member(self, path: str) -> h5py.Group | h5py.Dataset:
        member: h5py.Group | h5py.Dataset = self.raw
        for name in path.split("/"):
            if name in ("", ".", "..") or "\0" in name:
                raise UnreadableModel(f"{path!r} is no name of a member", where=self.where)
            member = _hard_link(member, name, self.where)
        return member

    def dataset(self, path: str) -> h5py.Dataset:
        """The dataset itself, once nothing about its storage is refused."""
        dataset = self._member(path)
        if not isinstance(dataset, h5py.Dataset):
            raise UnreadableModel(f"{path!r} is no dataset", where=self.where)
        self._size(dataset, path)
        return dataset

    def _dtype(self, dataset: h5py.Dataset, path: str) -> str:
        with boundary(self.where):
            dtype, declared = dataset.dtype, dataset.attrs.get("dtype")
        if dtype.kind in "fiub":
            return dtype.name
        if dtype.kind == "V" and dtype.itemsize == 2 and declared == "bfloat16":
            return "bfloat16"
        raise UnreadableModel(f"{path!r} holds {dtype}, which is no number", where=self.where)


class _Absent(UnreadableModel):
    """There is no member of that name."""


def _hard_link(parent: object, name: str, where: str) -> h5py.Group | h5py.Dataset:
    if not isinstance(parent, h5py.Group):
        raise _Absent(f"there is no {name!r}", where=where)
    with boundary(where):
        link = parent.get(name, getlink=True)
    if link is None:
        raise _Absent(f"there is no {name!r}", where=where)
    if not isinstance(link, h5py.HardLink):
        raise UnreadableModel(f"{name!r} is a {type(link).__name__}; only hard links are followed", where=where)
    with boundary(where):
        return parent[name]


def _refused_storage(dataset: h5py.Dataset) -> tuple[str, int]:
    """Why this dataset is not read, or ""; and the bytes that it declares."""
    identifier, shape = dataset.id, dataset.id.shape
    if identifier.get_space().get_simple_extent_type() == h5py.h5s.NULL:
        return "has no values", 0
    creation = identifier.get_create_plist()
    if creation.get_layout() == h5py.h5d.VIRTUAL or creation.get_external_count():
        return "keeps its values in another file", 0
    used = [creation.get_filter(index)[0] for index in range(creation.get_nfilters())]
    if unknown := sorted(set(used) - FILTERS):
        return f"needs the unknown filter {unknown[0]}", 0
    size, stored = prod(shape) * identifier.get_type().get_size(), identifier.get_storage_size()
    if size > max(EXPANSION_FLOOR, MAX_EXPANSION * stored):
        return f"declares {size} bytes but stores {stored}", size
    return "", size


def _from_bfloat16(array: np.ndarray) -> np.ndarray:
    bits = np.ascontiguousarray(array).view(np.uint16).astype(np.uint32) << 16
    return bits.view(np.float32).reshape(array.shape)
