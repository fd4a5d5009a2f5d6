"""A window slid over channels-last data, some channels at a time, with results channels-last again.

Taps outside the input are left out: position by position at the ends of a row, elsewhere for the whole row at once.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numba import njit

from refconv.primitives.canonical import Canonical, aligned
from refconv.primitives.numba_registers import LARGEST, LINE, LINES, PAIRED, pairs, pointer, reduction
from refconv.primitives.threads import Threads

_FEW, _SOME, _MOST = LINE, LINE * PAIRED, LINE * LINES  # channels of a block
_ONES = aligned(_SOME, np.float64)
_ONES[:] = 1  # a sum is a correlation with ones: a product with one rounds nothing
_W0, _W1, _W2, _W3 = (reduction(PAIRED if sums else LINES, sums) for sums in range(4))
_N0, _N1, _N2, _N3 = (reduction(1, sums) for sums in range(4))
_P1, _P2, _P3 = (pairs(PAIRED, sums) for sums in range(1, 4))


@njit(cache=True, nogil=True, inline="never")
def _block(wide, sums, x, step, places, n, w, y, q, a, apart, count):  # type: ignore[no-untyped-def]
    """The compiled block of this size."""
    if wide:
        if sums == 0:
            _W0(x, step, places, n, w, y, q, a, apart, count)
        elif sums == 1:
            _W1(x, step, places, n, w, y, q, a, apart, count)
        elif sums == 2:
            _W2(x, step, places, n, w, y, q, a, apart, count)
        else:
            _W3(x, step, places, n, w, y, q, a, apart, count)
    elif sums == 0:
        _N0(x, step, places, n, w, y, q, a, apart, count)
    elif sums == 1:
        _N1(x, step, places, n, w, y, q, a, apart, count)
    elif sums == 2:
        _N2(x, step, places, n, w, y, q, a, apart, count)
    else:
        _N3(x, step, places, n, w, y, q, a, apart, count)


@njit(cache=True, nogil=True, inline="never")
def _pairs(sums, x, step, runs, n, w, w_step, y, q, a, apart, count):  # type: ignore[no-untyped-def]
    """The compiled block for `count` pairs of positions."""
    if sums == 1:
        _P1(x, step, runs, n, w, w_step, y, q, a, apart, count)
    elif sums == 2:
        _P2(x, step, runs, n, w, w_step, y, q, a, apart, count)
    else:
        _P3(x, step, runs, n, w, w_step, y, q, a, apart, count)


@njit(cache=True, nogil=True)
def _span(position, stride, dilation, before, size, length):  # type: ignore[no-untyped-def]
    """The taps (first, last) of the window at `position` that lie inside, and where tap 0 lies."""
    start = position * stride - before
    first = 0 if start >= 0 else min(size, (dilation - 1 - start) // dilation)
    last = first if start >= length else max(first, min(size, (length - 1 - start) // dilation + 1))
    return first, last, start


@njit(cache=True, nogil=True)
def _look(places, deep, high, n, lengths, channels, size, dilation, apart):  # type: ignore[no-untyped-def]
    """The taps of a row: where each begins in x and w, those of one column together; how many a column has."""
    count = 0
    for k in range(size[2]):
        for i in range(deep[0], deep[1]):
            for j in range(high[0], high[1]):
                d, h = deep[2] + i * dilation[0], high[2] + j * dilation[1]
                places[2 * count] = (((n * lengths[0] + d) * lengths[1] + h) * lengths[2] + k * dilation[2]) * channels
                places[2 * count + 1] = ((i * size[1] + j) * size[2] + k) * apart
                count += 1
    return count // max(size[2], 1)


@njit(cache=True, nogil=True)
def _runs(places, runs, each, between, size):  # type: ignore[no-untyped-def]
    """Of these taps those that lie one position apart, `between` columns, together: (first in x, in w, how many)."""
    count = 0
    for k in range(min(between, size)):
        for i in range(k * each, (k + 1) * each):
            runs[3 * count], runs[3 * count + 1] = places[2 * i], places[2 * i + 1]
            runs[3 * count + 2] = (size - 1 - k) // between + 1
            count += 1
    return count


@njit(cache=True, nogil=True)
def _nothing(width, sums, y, q, a, at, apart, count):  # type: ignore[no-untyped-def]
    """Results of windows that see no element."""
    for i in range(at, at + count * apart, apart):
        y[i : i + width] = -np.inf if sums == LARGEST else 0.0
        if sums > 1:
            q[i : i + width] = 0.0
            a[i : i + width] = 0.0


@njit(cache=True, nogil=True)
def _rows(x, w, apart, y, q, a, lengths, channels, size, strides, dilation, before, out, sums, begin, end):  # type: ignore[no-untyped-def]
    """Rows begin … end of the results; the weights of two taps lie `apart` in w, or are the same."""
    taps = size[0] * size[1] * size[2]
    places, runs = np.empty(2 * taps, np.int64), np.empty(3 * taps, np.int64)
    most, runs_ = _MOST if sums == LARGEST else _SOME, pointer(runs, 0)
    between = strides[2] // dilation[2] if strides[2] % dilation[2] == 0 else size[2]  # taps that see one element
    paired = sums != LARGEST and 2 * between < size[2]  # where fewer see the same, it does not pay
    reach, step = (size[2] - 1) * dilation[2], strides[2] * channels
    left = min(out[2], (before[2] + strides[2] - 1) // strides[2])  # from here to `right` windows lie inside
    right = max(left, min(out[2], (lengths[2] - 1 - reach + before[2]) // strides[2] + 1))
    for row in range(begin, end):
        sample, d, h = row // (out[1] * out[0]), row // out[1] % out[0], row % out[1]
        deep = _span(d, strides[0], dilation[0], before[0], size[0], lengths[0])
        high = _span(h, strides[1], dilation[1], before[1], size[1], lengths[1])
        each = _look(places, deep, high, sample, lengths, channels, size, dilation, apart)
        some = _runs(places, runs, each, between, size[2])
        c = 0
        while c < channels:
            wide = channels - c >= most
            c = c if wide else min(c, channels - _FEW)  # the last block repeats some channels of the one before
            width, w_at = most if wide else _FEW, pointer(w, c if apart else 0)
            p = 0
            while p < out[2]:
                k0, k1, count = 0, size[2], right - p
                if not left <= p < right:
                    inside = _span(p, strides[2], dilation[2], before[2], size[2], lengths[2])
                    k0, k1, count = inside[0], inside[1], 1
                x_at, at = pointer(x, (p * strides[2] - before[2]) * channels + c), (row * out[2] + p) * channels + c
                y_at, q_at, a_at, n = pointer(y, at), pointer(q, at), pointer(a, at), (k1 - k0) * each
                if not n:
                    _nothing(width, sums, y, q, a, at, channels, count)
                elif paired and wide and count > 1:
                    both = count // 2
                    _pairs(sums, x_at, step, runs_, some, w_at, between * apart, y_at, q_at, a_at, channels, both)
                    count = 2 * both
                else:
                    first_tap = pointer(places, 2 * k0 * each)
                    _block(wide, sums, x_at, step, first_tap, n, w_at, y_at, q_at, a_at, channels, count)
                p += count
            c += width


def slide(x: np.ndarray, w: np.ndarray | None, window: Canonical, sums: int, threads: Threads) -> list[np.ndarray]:
    """y, and as many more of q and a as `sums` says, of every window of x (N, D, H, W, C), C ≥ LINE.

    w: the weights (taps, C), or none for sums of the elements themselves.
    """
    samples, *lengths, channels = x.shape
    results = [aligned(samples * prod(window.out) * channels, np.float64) for _ in range(max(sums, 1))]
    y, q, a = (results * 3)[:3]
    where = (window.size, window.strides, window.dilation, window.before, window.out)
    weights, apart = (_ONES, 0) if w is None else (w.reshape(-1), channels)
    flat, shape = x.reshape(-1), tuple(lengths)
    threads.over(
        samples * window.out[0] * window.out[1],
        lambda first, last: _rows(flat, weights, apart, y, q, a, shape, channels, *where, sums, first, last),
        window.out[2] * channels * prod(window.size) * max(sums, 1),
    )
    return [r.reshape(samples, *window.out, channels) for r in results]
