"""Which container is this? Told by the file's bytes, never by its name."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from refconv.errors import UnreadableModel

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
WANTED = "a Keras .h5, .hdf5 or .keras file is wanted"

# (offset, bytes, what such a file is): only for messages about files that are no Keras model.
FOREIGN = (
    (4, b"TFL3", "a TensorFlow Lite (.tflite) file"),
    (0, b"version https://git-lfs", "a Git LFS pointer, not the file that it stands for"),
    (0, b"\x93NUMPY", "a NumPy .npy array"),
    (0, b"\x1f\x8b", "a gzip-compressed file"),
    (0, b"\x80\x02", "a Python pickle, which refconv never opens"),
    (0, b"\x80\x04", "a Python pickle, which refconv never opens"),
    (0, b"\x80\x05", "a Python pickle, which refconv never opens"),
    (0, b"{", "a JSON text: an architecture without weights at most, which belongs to --architecture"),
    (0, b"<", "an HTML or XML page"),
    (0, b"\x89PNG", "a PNG image"),
    (0, b"%PDF", "a PDF document"),
)


MAX_DIRECTORY = 4 << 20  # bytes of an archive's directory: some 40,000 members, and Keras writes three
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, struct.error, OverflowError)


class Directory(io.FileIO):
    """A file of which no more than `most` bytes are read at once: zipfile makes objects of a directory of any size."""

    most: int | None = MAX_DIRECTORY

    def read(self, size: int | None = -1, /) -> bytes:
        if self.most is not None and size is not None and size > self.most:
            raise zipfile.BadZipFile(f"its directory has more than {self.most} bytes")
        return super().read(-1 if size is None else size) or b""


@contextmanager
def archive_at(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive, its directory read. What may be raised for a damaged one is BROKEN."""
    with Directory(path) as stream, zipfile.ZipFile(cast(IO[bytes], stream)) as archive:
        stream.most = None
        yield archive


def identify(path: Path) -> str:
    """The container of `path`: "hdf5" or "keras" (a ZIP archive).

    Raises:
        UnreadableModel: it is neither; the message names what it is where that is known.
    """
    head = _head(path)
    archive, hdf5 = head.startswith((b"PK\x03\x04", b"PK\x05\x06")), _has_hdf5_signature(path)
    named = path.suffix.lower() == ".keras"  # by which Keras goes: whether another container begins further on
    if archive and hdf5 and not named or hdf5 and not archive and named and _is_archive(path):
        raise UnreadableModel("this is an HDF5 file and a ZIP archive at once", where=str(path), hint=WANTED)
    if archive or hdf5:
        return "keras" if archive else "hdf5"
    raise UnreadableModel(f"this is {_describe(head)}", where=str(path), hint=WANTED)


def _is_archive(path: Path) -> bool:
    """Whether a ZIP archive of Keras's ends where this file does."""
    try:
        with archive_at(path) as archive:
            return "config.json" in archive.namelist()
    except (*BROKEN, NotImplementedError):
        return False


def _head(path: Path) -> bytes:
    if not path.exists():
        raise UnreadableModel("no such file", where=str(path))
    if path.is_dir():
        raise UnreadableModel(f"this is {_describe_directory(path)}", where=str(path), hint=WANTED)
    if not path.is_file():
        raise UnreadableModel("this is not a regular file", where=str(path), hint=WANTED)
    try:
        with path.open("rb") as stream:
            head = stream.read(64)
    except OSError as error:
        raise UnreadableModel(f"cannot be read: {error.strerror}", where=str(path)) from None
    if not head:
        raise UnreadableModel("the file is empty", where=str(path), hint=WANTED)
    return head


def _describe_directory(path: Path) -> str:
    if (path / "saved_model.pb").exists():
        return "a TensorFlow SavedModel directory"
    if (path / "config.json").exists() and (path / "metadata.json").exists():
        return "an unpacked .keras archive"
    return "a directory"


def _describe(head: bytes) -> str:
    for offset, magic, name in FOREIGN:
        if head[offset:].startswith(magic):
            return name
    return "no HDF5 and no ZIP file"


def _has_hdf5_signature(path: Path) -> bool:
    """HDF5 allows a user block first: the signature is at 0, or at 512 times a power of two."""
    offset, size = 0, path.stat().st_size
    with path.open("rb") as stream:
        while offset + len(HDF5_SIGNATURE) <= size:
            stream.seek(offset)
            if stream.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE:
                return True
            offset = max(512, 2 * offset)
    return False
