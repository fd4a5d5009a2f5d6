"""What becomes of memory that arrays leave."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # <malloc.h>
_MOST = (1 << 31) - 1


def keep_freed() -> None:
    """Let this process keep up to 2 GiB of what it frees, for its next arrays; nothing where the C library cannot.

    By default glibc returns large arrays to the system at once, and every page of the next ones is cleared again as it
    is first written to: that takes longer than a convolution of the few channels of an image. For a process that is
    the program's own, as the setting is everybody's in it.
    """
    with suppress(OSError, TypeError, AttributeError):  # no such library, or none that a name of None stands for
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_MAX, 0)
        library.mallopt(_TRIM_THRESHOLD, _MOST)
