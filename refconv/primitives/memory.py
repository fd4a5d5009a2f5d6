"""What becomes of memory that arrays leave."""

from __future__ import annotations

import ctypes
from typing import Any

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # <malloc.h>
_MOST = (1 << 31) - 1


def _mallopt() -> Any:
    try:
        return ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # not glibc, or a system where None names no library
        return None


_set = _mallopt()  # before a model is read: from then on the program loads nothing that it does not have to


def keep_freed() -> None:
    """Let this process keep what it frees, for its next arrays; nothing where the C library cannot.

    Only what lies free at the end of its heap goes back to the system, where that is more than 2 GiB.

    By default glibc returns large arrays to the system at once, and every page of the next ones is cleared again as it
    is first written to: that takes longer than a convolution of the few channels of an image. The setting is
    everybody's in the process: a command may ask for it, a library may not.
    """
    if _set is not None:
        _set(_MMAP_MAX, 0)
        _set(_TRIM_THRESHOLD, _MOST)
