"""The worker's side of the two pipes: the job comes in by stdin, frames go out by what was stdout."""

import os
import queue
import shutil
import signal
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


def _leave(folder: str) -> None:
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def listen(folder: str = "") -> "queue.Queue[str]":
    """The lines that the parent writes to stdin, as they come; and the end of this process with the parent's.

    However the parent ends, even killed, the system closes its end of the pipe: then `folder`, which a parent that
    lived would remove, and whatever else this process started, go with it.
    """
    lines: queue.Queue = queue.Queue()

    def read() -> None:
        with os.fdopen(0, "rb", closefd=False) as stdin:
            for line in stdin:
                lines.put(line.decode("utf-8"))
        _leave(folder)

    threading.Thread(target=read, name="parent", daemon=True).start()
    return lines
