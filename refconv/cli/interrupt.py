"""Ctrl-C that takes effect wherever it meets the program."""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

AGAIN = 0.05  # seconds; by then the callback that swallowed it has most likely returned


@contextmanager
def kept() -> Iterator[None]:
    """Within the context an interrupt that cannot be raised where it came is raised a moment later.

    Python writes off what is raised inside a callback of C or a finalizer. Compiled kernels are written to Numba's
    cache by such a callback, and a program whose Ctrl-C was lost there would go on waiting for the framework.
    """
    report = sys.unraisablehook

    def hook(found: sys.UnraisableHookArgs) -> None:
        if issubclass(found.exc_type, KeyboardInterrupt):
            threading.Timer(AGAIN, _thread.interrupt_main).start()
        else:
            report(found)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = report
