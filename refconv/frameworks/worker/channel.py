"""The worker's side of the two pipes: the job comes in by stdin, frames go out by what was stdout."""

import os
import sys
import threading
from typing import Any, BinaryIO, Optional

import numpy as np

from refconv.trace import write_frame


class Channel:
    """Frames to the parent."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def send(self, kind: str, array: Optional[np.ndarray] = None, **fields: Any) -> None:
        write_frame(self._stream, dict(fields, kind=kind), array)

    def progress(self, done: int, total: int, what: str) -> None:
        self.send("progress", done=done, total=total, what=what)


def claim_stdout() -> Channel:
    """Keep the real stdout for frames; whatever the framework prints from now on goes to stderr."""
    sys.stdout.flush()
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return Channel(stream)


def read_line() -> str:
    """The job: the first line of stdin, waited for; empty if the parent has gone."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)  # no further: what follows is for follow_parent
        if not byte:
            break
        line += byte
    return line.decode("utf-8")


def follow_parent() -> None:
    """End with the parent, however it ends: the system closes its end of stdin, even when it was killed."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os._exit(1)

    threading.Thread(target=watch, name="follow-parent", daemon=True).start()
