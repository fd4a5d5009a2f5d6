"""Products of a few vectors with a matrix: the matrix is read once, as it is stored, and nothing is copied."""

from __future__ import annotations

import numpy as np
from numba import njit

from refconv.primitives.engine import Sums
from refconv.primitives.threads import Threads

MOST = 16  # vectors: from here on packing the matrix costs less than it saves
_READ = 8  # products that are done while one element of the matrix is read
_STRIP = 512  # columns at a time, so that four rows of them stay in the nearest cache for every vector


@njit(cache=True, nogil=True, fastmath={"contract"})
def _values(x, kernel, y, left, right):  # type: ignore[no-untyped-def]
    terms = kernel.shape[0]
    y[:, left:right] = 0
    for c in range(0, terms - terms % 4, 4):
        for start in range(left, right, _STRIP):
            stop = min(start + _STRIP, right)
            k0, k1, k2, k3 = (kernel[c, start:stop], kernel[c + 1, start:stop], kernel[c + 2, start:stop],
                              kernel[c + 3, start:stop])  # fmt: skip
            for m in range(len(x)):
                a, b, d, e = x[m, c], x[m, c + 1], x[m, c + 2], x[m, c + 3]
                total = y[m, start:stop]
                for f in range(len(total)):
                    total[f] += a * k0[f] + b * k1[f] + d * k2[f] + e * k3[f]
    for c in range(terms - terms % 4, terms):
        for m in range(len(x)):
            for f in range(left, right):
                y[m, f] += x[m, c] * kernel[c, f]


@njit(cache=True, nogil=True, fastmath={"contract"})
def _sums(x, kernel, y, q, a, left, right):  # type: ignore[no-untyped-def]
    terms = kernel.shape[0]
    for sums in (y, q, a):
        sums[:, left:right] = 0
    for c in range(0, terms - terms % 2, 2):
        for start in range(left, right, _STRIP):
            stop = min(start + _STRIP, right)
            k0, k1 = kernel[c, start:stop], kernel[c + 1, start:stop]
            for m in range(len(x)):
                x0, x1 = x[m, c], x[m, c + 1]
                total, squares, magnitudes = y[m, start:stop], q[m, start:stop], a[m, start:stop]
                for f in range(len(total)):
                    s, t = x0 * k0[f], x1 * k1[f]
                    total[f] += s + t
                    squares[f] += s * s + t * t
                    magnitudes[f] += abs(s) + abs(t)
    for c in range(terms - terms % 2, terms):
        for m in range(len(x)):
            for f in range(left, right):
                t = x[m, c] * kernel[c, f]
                y[m, f] += t
                q[m, f] += t * t
                a[m, f] += abs(t)


def few(x: np.ndarray, kernel: np.ndarray, all_sums: bool, threads: Threads) -> Sums:
    """x (M, C) float64 by kernel (C, F), with Σt² and Σ|t| from the same pass where `all_sums`."""
    results = [np.empty((len(x), kernel.shape[1])) for _ in range(3 if all_sums else 1)]
    kernels = _sums if all_sums else _values
    each = max(len(x), _READ) * len(kernel)
    threads.over(kernel.shape[1], lambda a, b: kernels(x, kernel, *results, a, b), each)
    return Sums(*results)
