"""Ctrl-C that takes effect wherever it meets the program."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

AGAIN = 0.05  # seconds; by then the callback that swallowed it has most likely returned


class Interrupts:
    """Interrupts that could not be raised where they came, and are raised a moment later.

    Python writes off what is raised inside a callback of C or a finalizer. Compiled kernels are written to Numba's
    cache by such a callback, and a program whose Ctrl-C was lost there would go on waiting for the framework.
    """

    def __init__(self) -> None:
        self._again: threading.Timer | None = None

    @property
    def came(self) -> bool:
        """Whether one was lost. What called back may fail of that, before the interrupt is raised again."""
        return self._again is not None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Within the context none is lost."""
        before, sys.unraisablehook = sys.unraisablehook, self._hook
        self._report = before
        try:
            yield
        finally:
            sys.unraisablehook = before
            if self._again:
                self._again.cancel()
                self._again = None

    def _hook(self, found: sys.UnraisableHookArgs) -> None:
        if issubclass(found.exc_type, KeyboardInterrupt):
            self._again = threading.Timer(AGAIN, _interrupt)
            self._again.start()
        else:
            self._report(found)


def _interrupt() -> None:
    """Interrupt the main thread, out of a system call too where the platform can."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()


interrupts = Interrupts()
