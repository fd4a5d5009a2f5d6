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
    """Let this process keep up to 2 GiB of what it frees, for its next arrays; nothing where the C library cannot.

    By default glibc returns large arrays to the system at once, and every page of the next ones is cleared again as it
    is first written to: that takes longer than a convolution of the few channels of an image. For a process that is
    the program's own, as the setting is everybody's in it.
    """
    if _set is not None:
        _set(_MMAP_MAX, 0)
        _set(_TRIM_THRESHOLD, _MOST)
