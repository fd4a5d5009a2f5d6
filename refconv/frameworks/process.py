"""A child process that answers with frames: started, watched, ended, and its chatter kept off the screen."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from refconv.errors import FrameworkError
from refconv.frameworks.bundle import write_bundle
from refconv.trace import read_frames

SHOWN_LINES = 20
NO_SWITCHES: Mapping[str, str] = {}

Frame = tuple[dict[str, Any], "np.ndarray | None"]


class Child:
    """One worker process with a folder of its own, which is removed with it.

    Args:
        keras: major version of Keras that the worker imports.
        python: interpreter to run it with; None for this one.
        switches: variables of its environment, beside this process's.

    Raises:
        FrameworkError: the interpreter cannot be started.
    """

    def __init__(self, keras: int, *, python: str | None = None, switches: Mapping[str, str] = NO_SWITCHES) -> None:
        self._switches = switches
        self._folder = tempfile.TemporaryDirectory(prefix="refconv-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self._log = self.folder / "stderr.txt"
        self._timed_out = False
        try:
            self._process = self._start(python or sys.executable, keras)
        except OSError as error:
            self._folder.cleanup()
            raise FrameworkError(f"cannot be started: {error.strerror}", where=python or sys.executable) from None
        self._stdin = cast(BinaryIO, self._process.stdin)
        self._stdout = cast(BinaryIO, self._process.stdout)

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, line: str) -> None:
        """Send one line; a child that has died is noticed when its frames are read."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.write(line.encode() + b"\n")
            self._stdin.flush()

    def frames(self, timeout: float) -> Iterator[Frame]:
        """The child's frames, up to `done` or `error`.

        Raises:
            FrameworkError: the child died, or was waited for `timeout` seconds before its last frame.
        """
        frames, left = read_frames(self._stdout), timeout
        while True:
            started = time.monotonic()
            frame = self._next(frames, left)
            left -= time.monotonic() - started
            if frame is None:
                raise self.noted(self._death(timeout))
            yield frame
            if frame[0]["kind"] in ("done", "error"):
                return

    def _next(self, frames: Iterator[Frame], left: float) -> Frame | None:
        """The next frame, None where there is none and will be none."""
        watchdog = threading.Timer(max(left, 0.0), self._expire)
        watchdog.start()
        try:
            return next(frames, None)
        except EOFError:  # killed inside a frame
            return None
        finally:
            watchdog.cancel()

    def noted(self, error: FrameworkError) -> FrameworkError:
        """The error with the framework's last lines as a note (`error.__notes__`)."""
        lines = self._log.read_text(errors="replace").splitlines()[-SHOWN_LINES:]
        if lines:
            error.add_note("\n".join(lines))
        return error

    def close(self) -> None:
        """End the child and all that it started, and remove its folder. Safe to call twice."""
        self._kill()
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        self._process.wait()
        self._folder.cleanup()

    def _start(self, python: str, keras: int) -> subprocess.Popen[bytes]:
        command = [python, str(write_bundle(self.folder / "worker.pyz")), str(keras)]
        # A session of its own: Ctrl-C reaches the parent alone, which then ends the whole group.
        with self._log.open("wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment(),
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONIOENCODING": "utf-8"}
        return {**quiet, **os.environ, **self._switches, "TMPDIR": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}

    def _expire(self) -> None:
        self._timed_out = True
        self._kill()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def _death(self, timeout: float) -> FrameworkError:
        if self._timed_out:
            return FrameworkError(
                f"the worker did not finish within {timeout:g} s", hint="raise the limit with --timeout"
            )
        status = self._process.wait()
        if status < 0:
            name = signal.Signals(-status).name
            hint = "out of memory? fewer --samples need less" if name == "SIGKILL" else ""
            return FrameworkError(f"the worker was killed by {name}", hint=hint)
        return FrameworkError(f"the worker ended unexpectedly with status {status}")
