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
        """Whether one is still to be raised. What called back may fail of it before that."""
        return self._again is not None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Within the context, and at its end, none is lost.

        Raises:
            KeyboardInterrupt: where there was no time to raise it earlier.
        """
        report = sys.unraisablehook

        def hook(found: sys.UnraisableHookArgs) -> None:
            if issubclass(found.exc_type, KeyboardInterrupt):
                self._postpone()
            else:
                report(found)

        sys.unraisablehook = hook
        try:
            yield
            if self._withdrawn():
                raise KeyboardInterrupt
        finally:
            sys.unraisablehook = report
            self._withdrawn()

    def _postpone(self) -> None:
        if self._again is None:
            self._again = threading.Timer(AGAIN, self._deliver)
            self._again.start()

    def _deliver(self) -> None:
        """Interrupt the main thread, out of a system call too where the platform can."""
        self._again = None
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        else:
            _thread.interrupt_main()

    def _withdrawn(self) -> bool:
        """Whether one was still to be raised; it no longer is."""
        again, self._again = self._again, None
        if again is not None:
            again.cancel()
            again.join()
        return again is not None


interrupts = Interrupts()
