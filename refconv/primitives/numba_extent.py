"""Largest and smallest magnitude of a tensor, in one pass over its bits: magnitudes are ordered like integers."""

from __future__ import annotations

from functools import partial

import numpy as np
from numba import njit

from refconv.primitives.engine import Extent
from refconv.primitives.threads import Task, Threads, spans

_WORDS = {4: np.uint32, 8: np.uint64}
_STEP = 1 << 18  # elements of a piece
_READ = 4  # products that are done while one element is read


@njit(cache=True, nogil=True)
def _bits(words, mask, found, piece):  # type: ignore[no-untyped-def]
    """found[piece] = largest magnitude and smallest one but zero, less one: zero wraps round to the largest."""
    one = mask - mask + words.dtype.type(1)
    most, least = mask - mask, mask + mask + one
    for word in words:
        magnitude = word & mask
        most = max(most, magnitude)
        least = min(least, magnitude - one)
    found[piece, 0], found[piece, 1] = most, least


def extent(x: np.ndarray, threads: Threads) -> Extent:
    """Range of the magnitudes of x, float32 or float64 in C order; `most` is NaN where one is."""
    if not x.size:
        return Extent(0.0, np.inf)
    words = x.reshape(-1).view(_WORDS[x.itemsize])
    mask = words.dtype.type(np.iinfo(words.dtype).max >> 1)
    pieces = list(spans(words.size, _STEP))
    found = np.empty((len(pieces), 2), words.dtype)
    calls = [partial(_bits, words[start:stop], mask, found, i) for i, (start, stop) in enumerate(pieces)]
    threads.run(Task(calls, _READ * words.size))
    most, least = found[:, 0].max(), found[:, 1].min()
    limits = np.array([most, min(least, mask) + words.dtype.type(1)], words.dtype).view(x.dtype)
    return Extent(float(limits[0]), np.inf if not most else float(limits[1]))
