"""A stretch of a file, read in place as a file of its own."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any


class Window(io.RawIOBase):
    """`size` bytes of `path` from `start` on: read-only, seekable, without a copy of the whole in memory.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: str | Path, start: int, size: int) -> None:
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by close()
        self._start, self._size, self._at = start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, origin + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """All bytes that fit and are left, since HDF5 asks once; 0 at the end."""
        room, done = memoryview(buffer).cast("B")[: max(0, self._size - self._at)], 0
        while done < len(room) and (count := os.preadv(self._file.fileno(), [room[done:]], self._start + self._at)):
            done += count
            self._at += count
        return done

    def close(self) -> None:
        self._file.close()
        super().close()
