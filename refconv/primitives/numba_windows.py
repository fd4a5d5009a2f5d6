"""Largest element and sum of every window: taps outside the input are left out, channels go side by side."""

from __future__ import annotations

from math import prod

import numpy as np
from numba import njit

from refconv.primitives.canonical import Canonical
from refconv.primitives.engine import Sums
from refconv.primitives.threads import Threads, worth


@njit(cache=True, nogil=True)
def _span(position, stride, dilation, before, size, length):  # type: ignore[no-untyped-def]
    """The taps (first, last) of the window at `position` that lie inside, and where tap 0 lies."""
    start = position * stride - before
    first = 0 if start >= 0 else (dilation - 1 - start) // dilation
    last = 0 if start >= length else min(size, (length - 1 - start) // dilation + 1)
    return first, last, start


@njit(cache=True, nogil=True)
def _max_row(x, out, n, d, h, size, strides, dilation, before):  # type: ignore[no-untyped-def]
    deep = _span(d, strides[0], dilation[0], before[0], size[0], x.shape[1])
    high = _span(h, strides[1], dilation[1], before[1], size[1], x.shape[2])
    for w in range(out.shape[3]):
        wide = _span(w, strides[2], dilation[2], before[2], size[2], x.shape[3])
        target = out[n, d, h, w]
        target[:] = -np.inf
        for i in range(deep[0], deep[1]):
            for j in range(high[0], high[1]):
                for k in range(wide[0], wide[1]):
                    at = deep[2] + i * dilation[0], high[2] + j * dilation[1], wide[2] + k * dilation[2]
                    source = x[n, at[0], at[1], at[2]]
                    for c in range(len(target)):
                        value = np.float64(source[c])
                        target[c] = value if value > target[c] or value != value else target[c]


@njit(cache=True, nogil=True)
def _max(x, out, size, strides, dilation, before, first, last):  # type: ignore[no-untyped-def]
    for row in range(first, last):
        n, d, h = row // (out.shape[1] * out.shape[2]), row // out.shape[2] % out.shape[1], row % out.shape[2]
        _max_row(x, out, n, d, h, size, strides, dilation, before)


@njit(cache=True, nogil=True)
def _sum_row(x, y, q, a, n, d, h, size, strides, dilation, before, all_sums):  # type: ignore[no-untyped-def]
    deep = _span(d, strides[0], dilation[0], before[0], size[0], x.shape[1])
    high = _span(h, strides[1], dilation[1], before[1], size[1], x.shape[2])
    for w in range(y.shape[3]):
        wide = _span(w, strides[2], dilation[2], before[2], size[2], x.shape[3])
        total, squares, magnitudes = y[n, d, h, w], q[n, d, h, w], a[n, d, h, w]
        for sums in (total, squares, magnitudes):
            sums[:] = 0
        for i in range(deep[0], deep[1]):
            for j in range(high[0], high[1]):
                for k in range(wide[0], wide[1]):
                    at = deep[2] + i * dilation[0], high[2] + j * dilation[1], wide[2] + k * dilation[2]
                    source = x[n, at[0], at[1], at[2]]
                    if all_sums:
                        for c in range(len(total)):
                            value = np.float64(source[c])
                            total[c] += value
                            squares[c] += value * value
                            magnitudes[c] += abs(value)
                    else:
                        for c in range(len(total)):
                            total[c] += source[c]


@njit(cache=True, nogil=True)
def _sum(x, y, q, a, size, strides, dilation, before, first, last, all_sums):  # type: ignore[no-untyped-def]
    for row in range(first, last):
        n, d, h = row // (y.shape[1] * y.shape[2]), row // y.shape[2] % y.shape[1], row % y.shape[2]
        _sum_row(x, y, q, a, n, d, h, size, strides, dilation, before, all_sums)


def largest(x: np.ndarray, window: Canonical, threads: Threads) -> np.ndarray:
    """Largest value of each window of x (N, D, H, W, C), −inf where it sees none; NaN wins."""
    out = np.empty((x.shape[0], *window.out, x.shape[-1]))
    w = window
    rows = out.shape[0] * out.shape[1] * out.shape[2]
    threads.over(rows, lambda a, b: _max(x, out, w.size, w.strides, w.dilation, w.before, a, b), least=_worth(x, w))
    return out


def totals(x: np.ndarray, window: Canonical, all_sums: bool, threads: Threads) -> Sums:
    """Sum of each window of x (N, D, H, W, C), and in the same pass those of squares and magnitudes."""
    shape = (x.shape[0], *window.out, x.shape[-1])
    results = [np.empty(shape) for _ in range(3 if all_sums else 1)]
    y, q, a = (*results, *results * 2)[:3]
    w = window
    rows = shape[0] * shape[1] * shape[2]
    threads.over(
        rows, lambda s, e: _sum(x, y, q, a, w.size, w.strides, w.dilation, w.before, s, e, all_sums), least=_worth(x, w)
    )
    return Sums(*results)


def _worth(x: np.ndarray, window: Canonical) -> int:
    """Rows of the result that are worth a thread."""
    return worth(window.out[2] * x.shape[-1] * prod(window.size))
