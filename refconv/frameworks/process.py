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
from refconv.frameworks.inherited import inherited
from refconv.trace import read_frames

SHOWN_LINES = 20
NO_SWITCHES: Mapping[str, str] = {}


@contextlib.contextmanager
def writing(folder: Path | str) -> Iterator[None]:
    """A full disk, or a folder that takes no files, becomes one clear line."""
    try:
        yield
    except OSError as error:
        hint = "TMPDIR names another place"
        raise FrameworkError(f"cannot be written: {error.strerror or error}", where=str(folder), hint=hint) from None


Frame = tuple[dict[str, Any], "np.ndarray | None"]


class Child:
    """One worker process with a folder of its own, which is removed with it.

    Args:
        keras: major version of Keras that the worker imports.
        python: interpreter to run it with; None for this one.
        switches: variables of its environment, beside this process's.
        memory: bytes of memory that it may take; 0 for as many as there are.

    Raises:
        FrameworkError: the interpreter cannot be started, or nothing can be written to the temporary folder.
    """

    def __init__(
        self, keras: int, *, python: str | None = None, memory: int = 0, switches: Mapping[str, str] = NO_SWITCHES
    ) -> None:
        self._switches, self._memory, self._timed_out = switches, memory, False
        with writing("the temporary folder"):
            self._folder = tempfile.TemporaryDirectory(prefix="refconv-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self._log = self.folder / "stderr.txt"
        try:
            with writing(self.folder):
                bundle = write_bundle(self.folder / "worker.pyz")
            self._process = self._start(python or sys.executable, bundle, keras)
        except OSError as error:
            self._folder.cleanup()
            raise FrameworkError(f"cannot be started: {error.strerror}", where=python or sys.executable) from None
        except BaseException:
            self._folder.cleanup()
            raise
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

    def limited(self, what: str) -> str:
        """A hint for a failure that the limit on memory explains, else ""."""
        out = "MemoryError" in what or "bad_alloc" in what or "OOM" in what
        return f"it may take {self._memory} bytes of memory (--memory)" if self._memory and out else ""

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

    def _start(self, python: str, bundle: Path, keras: int) -> subprocess.Popen[bytes]:
        command = [python, str(bundle), str(keras), str(self._memory), str(self.folder)]
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
        own = {"TMPDIR": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        return {**quiet, **inherited(), **self._switches, **own}

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
            if self._memory and name != "SIGKILL":
                hint = f"it may take {self._memory} bytes of memory (--memory)"
            return FrameworkError(f"the worker was killed by {name}", hint=hint)
        return FrameworkError(f"the worker ended unexpectedly with status {status}")
