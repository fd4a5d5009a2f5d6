"""Which container is this? Told by the file's bytes, never by its name."""

from __future__ import annotations

from pathlib import Path

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


def identify(path: Path) -> str:
    """The container of `path`: "hdf5" or "keras" (a ZIP archive).

    Raises:
        UnreadableModel: it is neither; the message names what it is where that is known.
    """
    head = _head(path)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "keras"
    if _has_hdf5_signature(path):
        return "hdf5"
    raise UnreadableModel(f"this is {_describe(head)}", where=str(path), hint=WANTED)


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
