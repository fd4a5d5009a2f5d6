"""The .keras container: a ZIP archive of which three members are read, and nothing is ever written to disk."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from typing import BinaryIO, cast

from isal import isal_zlib  # its CRC-32 keeps pace with memory, zlib's does not

from refconv.errors import UnreadableModel
from refconv.formats import safe_json
from refconv.formats.container import BROKEN, WANTED, archive_at
from refconv.formats.hdf5 import Hdf5File
from refconv.formats.window import Window

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
LIMITS = {CONFIG: safe_json.MAX_BYTES, METADATA: 1 << 20, WEIGHTS: 64 << 30}
# Keras stores its members uncompressed; DEFLATE cannot exceed 1032:1, trained weights stay below 20:1.
MAX_RATIO, RATIO_FLOOR = 20, 16 << 20
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others expand without a limit in one call
CHUNK = 8 << 20
LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature … length of the name, and of what stands between it and the data


def read_archive(path: Path) -> tuple[bytes, bytes, Hdf5File]:
    """config.json, metadata.json, and model.weights.h5, which is left in its place where it is not compressed.

    Raises:
        UnreadableModel: no .keras archive, damaged, encrypted, a member twice, or larger than the limits.
    """
    with _opened(path) as archive:
        config, metadata = (_content(archive, _sound(archive, name, str(path))) for name in (CONFIG, METADATA))
        opened = _weights(archive, _sound(archive, WEIGHTS, str(path)), path)
        place = opened.place if isinstance(opened, Member) else None
        return config, metadata, Hdf5File(f"{path}:{WEIGHTS}", opened, place=place)


def read_config(path: Path) -> bytes:
    """config.json alone.

    Raises:
        UnreadableModel: as `read_archive` does.
    """
    with _opened(path) as archive:
        return _content(archive, _sound(archive, CONFIG, str(path)))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive; what the system says of a damaged one becomes one clear line."""
    try:
        with archive_at(path) as archive:
            _refuse_strange(archive, str(path))
            yield archive
    except BROKEN as error:
        raise UnreadableModel(f"the archive is truncated or damaged: {error}", where=str(path)) from None
    except (NotImplementedError, RuntimeError) as error:  # unknown compression; encryption
        raise UnreadableModel(f"the archive cannot be read: {error}", where=str(path)) from None


def _refuse_strange(archive: zipfile.ZipFile, where: str) -> None:
    names = archive.namelist()
    for info in archive.infolist():
        if problem := _strange(info):
            raise UnreadableModel(f"{info.filename!r} {problem}", where=where)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UnreadableModel(f"the archive holds {twice!r} twice", where=where)
    if CONFIG not in names:
        raise UnreadableModel(f"this is {_describe(names)}", where=where, hint=WANTED)
    if "model.weights.json" in names:
        raise UnreadableModel("sharded weights (model.weights.json) are not read yet", where=where)
    if "model.weights.npz" in names:
        raise UnreadableModel("weights in model.weights.npz are not read", where=where)
    for name in (METADATA, WEIGHTS):
        if name not in names:
            raise UnreadableModel(f"the .keras archive has no {name}", where=where)


def _strange(info: zipfile.ZipInfo) -> str:
    """Why a member is not to be extracted, as loaders do with some, or ""."""
    parts = info.filename.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or ":" in parts[0]:
        return "is a name that leads out of the archive"
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device, not a file"
    return ""


def _describe(names: list[str]) -> str:
    if names and all(name.endswith(".npy") for name in names):
        return "a NumPy .npz archive"
    if any(name.endswith("data.pkl") for name in names):
        return "a PyTorch archive, which holds a Python pickle"
    if any(name.endswith("saved_model.pb") for name in names):
        return "a zipped TensorFlow SavedModel"
    return "a ZIP archive without config.json"


def _sound(archive: zipfile.ZipFile, name: str, where: str) -> zipfile.ZipInfo:
    info = archive.getinfo(name)
    if info.flag_bits & 1:
        raise UnreadableModel(f"{name} is encrypted", where=where)
    if info.compress_type not in METHODS:
        raise UnreadableModel(f"{name} is compressed by the method {info.compress_type}, not DEFLATE", where=where)
    if info.file_size > LIMITS[name]:
        raise UnreadableModel(f"{name} declares {info.file_size} bytes, more than {LIMITS[name]}", where=where)
    if info.file_size > max(RATIO_FLOOR, MAX_RATIO * info.compress_size):
        raise UnreadableModel(f"{name} would expand from {info.compress_size} to {info.file_size} bytes", where=where)
    return info


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """As many bytes as are declared: `archive.read` would first expand all that there are."""
    with archive.open(info) as stream:
        return stream.read(info.file_size)


def _weights(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Callable[[], BinaryIO]:
    """How to open the member."""
    if info.compress_type != zipfile.ZIP_STORED:
        return partial(io.BytesIO, _content(archive, info))
    archive.open(info).close()  # compares its local header with the directory
    return Member(path, info)


class Member:
    """An uncompressed member, opened in its place. A thread computes its checksum, for which the first opening waits.

    Raises:
        UnreadableModel: when it is opened, if the checksum is another one.
    """

    def __init__(self, path: Path, info: zipfile.ZipInfo) -> None:
        self._path, self._info, self._problem = path, info, ""
        self._start = _start(path, info)
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def __call__(self) -> BinaryIO:
        self._thread.join()
        if self._problem:
            raise UnreadableModel(f"the archive is truncated or damaged: {self._problem}", where=str(self._path))
        return self.unchecked()

    def unchecked(self) -> BinaryIO:
        return cast(BinaryIO, Window(self._path, self._start, self._info.file_size))

    @property
    def place(self) -> tuple[str, int]:
        """The archive, and where the member's bytes begin in it."""
        return str(self._path), self._start

    def _read(self) -> None:
        try:
            if _checksum(self.unchecked()) != self._info.CRC:
                self._problem = f"bad CRC-32 for file {self._info.filename!r}"
        except Exception as error:  # whatever it is, the file is not to be trusted
            self._problem = str(error) or type(error).__name__


def _checksum(stream: BinaryIO) -> int:
    """CRC-32, a few calls long: each would wait for whoever holds the interpreter's lock."""
    found, buffer = 0, memoryview(bytearray(CHUNK))
    with stream:
        while count := cast(io.RawIOBase, stream).readinto(buffer):
            found = isal_zlib.crc32(buffer[:count], found)
    return found


def _start(path: Path, info: zipfile.ZipInfo) -> int:
    """Where the member's bytes begin: behind its local header, whose length the directory does not tell."""
    with path.open("rb") as stream:
        stream.seek(info.header_offset)
        _, name, extra = LOCAL_HEADER.unpack(stream.read(LOCAL_HEADER.size))
    return info.header_offset + LOCAL_HEADER.size + int(name) + int(extra)
