"""A trace as a file: the frames that a worker sends, in their order, in HDF5.

    attributes  format, version; sha256, of `frames`, written last: without it the file is not complete
    frames      uint8: one line of JSON per frame; the first says what was captured, the last is `done` or `error`
    arrays/N    the array of the frame in line N, counted from 0; its header holds dtype, shape and CRC-32

Every array lies in one stretch, uncompressed: so a reader knows that no size is declared that the file does not have.
"""

import hashlib
import io
import json
import os
import zlib
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Dict, Iterator, List, Optional, Type

import h5py
import numpy as np

from refconv.trace import ARRAYS, FORMAT, FRAMES, VERSION, dtype_name, storage


class CannotWrite(Exception):
    """The system refuses, in one line."""


class Surviving(io.FileIO):
    """A new file for libhdf5, which dies of a write that fails: here none does. The first failure is kept."""

    def __init__(self, path: str) -> None:
        self.failure: Optional[OSError] = None
        super().__init__(path, "x+")

    def demand(self) -> None:
        """Raise what a write met, if it met something."""
        if self.failure is not None:
            raise self.failure

    def write(self, data: Any) -> int:
        view, done = memoryview(data).cast("B"), 0
        try:
            while done < len(view) and self.failure is None:
                done += super().write(view[done:]) or 0
        except OSError as error:
            self.failure = error
        return len(view)

    def truncate(self, size: Optional[int] = None) -> int:
        try:
            return super().truncate(size) if self.failure is None else size or 0
        except OSError as error:
            self.failure = error
            return size or 0


class Writer:
    """Writes frames under a temporary name; the file takes its own when the context ends well.

    However the process ends, an older file of that name is whole, or the new one is.

    Args:
        path: of the file.
        about: what was captured: the first line of the frames.

    Raises:
        CannotWrite: the system refuses, at any time.
    """

    def __init__(self, path: str, about: Dict[str, Any]) -> None:
        self.path, self._said = os.path.realpath(path), path
        folder, name = os.path.split(self.path)
        self._temporary = os.path.join(folder, f".{name[:200]}.{os.getpid()}.tmp")
        self._lines: List[bytes] = []
        with self._told():
            if os.path.lexists(self._temporary):  # of a process of this number that was killed
                os.unlink(self._temporary)
            self._raw = Surviving(self._temporary)
        self._file = h5py.File(self._raw, "w")
        self._arrays = self._file.create_group(ARRAYS)
        self.take(dict(about, kind="trace"))

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if error is None:
            self.finish()
        else:
            self.discard()

    def take(self, header: Dict[str, Any], array: Optional[np.ndarray] = None) -> None:
        """Keep one frame; what tells of progress alone is left out."""
        if header["kind"] == "progress":
            return
        if array is not None:
            array = np.asarray(array, order="C")
            dtype, shape = storage(array.dtype, array.shape)
            raw = array.tobytes()  # not a view: ml_dtypes' arrays give no buffer, and a scalar has no axis to split
            data = np.frombuffer(raw, dtype).reshape(shape)
            header = dict(header, dtype=dtype_name(array.dtype), shape=list(array.shape), crc32=zlib.crc32(raw))
            self._arrays.create_dataset(str(len(self._lines)), data=data)
        self._lines.append(json.dumps(header).encode() + b"\n")
        with self._told():
            self._raw.demand()

    def finish(self) -> None:
        """Write the lines, then the mark that nothing is missing, and give the file its name."""
        text = b"".join(self._lines)
        self._file.create_dataset(FRAMES, data=np.frombuffer(text, np.uint8))
        self._file.attrs["format"] = np.bytes_(FORMAT.encode())
        self._file.attrs["version"] = VERSION
        self._file.flush()
        self._file.attrs["sha256"] = np.bytes_(hashlib.sha256(text).hexdigest().encode())
        self._file.close()
        with self._told():
            self._raw.demand()
            self._raw.close()
            os.replace(self._temporary, self.path)

    def discard(self) -> None:
        """Leave nothing."""
        self._file.close()
        self._raw.close()
        if os.path.exists(self._temporary):
            os.unlink(self._temporary)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the system refuses becomes one line, and leaves nothing."""
        try:
            yield
        except OSError as error:
            if hasattr(self, "_file"):
                self.discard()
            raise CannotWrite(f"{self._said}: cannot be written: {error.strerror or error}") from None
