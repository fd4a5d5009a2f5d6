"""Kernels of the dense correlation: x laid out in rows, its kernel packed in panels, and the blocks between them.

All arrays are flat and places in them are numbers: `numba_dense` says what they mean.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from refconv.primitives.numba_tile import LANES, ROWS, VECTORS, tile
from refconv.primitives.numba_turn import see, turn

_R0, _R1, _R2, _R3 = ROWS
_V0, _V1, _V2 = VECTORS
_TURNED = 16  # rows of a kernel packed at a time: read along the rows, and written in runs
_LARGEST = max(ROWS) * max(VECTORS) * 2 * LANES
_T00, _T01, _T02 = tile(_R0, _V0), tile(_R0, _V1), tile(_R0, _V2)
_T10, _T11, _T12 = tile(_R1, _V0), tile(_R1, _V1), tile(_R1, _V2)
_T20, _T21, _T22 = tile(_R2, _V0), tile(_R2, _V1), tile(_R2, _V2)
_T30, _T31, _T32 = tile(_R3, _V0), tile(_R3, _V1), tile(_R3, _V2)


@njit(cache=True, nogil=True, inline="never")
def block(rows, vectors, x, x0, offsets, k0, b, b0, n, c, c0, step, fresh, scale):  # type: ignore[no-untyped-def]
    """The compiled block of this size."""
    if vectors == _V0:
        if rows == _R0:
            _T00(x, x0, offsets, k0, b, b0, n, c, c0, step, fresh, scale)
        elif rows == _R1:
            _T10(x, x0, offsets, k0, b, b0, n, c, c0, step, fresh, scale)
        elif rows == _R2:
            _T20(x, x0, offsets, k0, b, b0, n, c, c0, step, fresh, scale)
        else:
            _T30(x, x0, offsets, k0, b, b0, n, c, c0, step, fresh, scale)
    elif vectors == _V1:
        if rows == _R0:
            _T01(x, x0, offsets, k0, b, b0, n, c, c0, step, fresh, scale)
        elif rows == _R1:
            _T11(x, x0, offsets, k0, b, b0, n, c, c0, step, fresh, scale)
        elif rows == _R2:
            _T21(x, x0, offsets, k0, b, b0, n, c, c0, step, fresh, scale)
        else:
            _T31(x, x0, offsets, k0, b, b0, n, c, c0, step, fresh, scale)
    elif rows == _R0:
        _T02(x, x0, offsets, k0, b, b0, n, c, c0, step, fresh, scale)
    elif rows == _R1:
        _T12(x, x0, offsets, k0, b, b0, n, c, c0, step, fresh, scale)
    elif rows == _R2:
        _T22(x, x0, offsets, k0, b, b0, n, c, c0, step, fresh, scale)
    else:
        _T32(x, x0, offsets, k0, b, b0, n, c, c0, step, fresh, scale)


@njit(cache=True, nogil=True)
def pack(kernel, panels, b, first, last, mode, scale):  # type: ignore[no-untyped-def]
    """Write panels first … last of a kernel (K, F): the row k of a panel's filters, zeros after the last of them."""
    width = 2 * LANES if b.itemsize == 4 else LANES
    for start in range(0, kernel.shape[0], _TURNED):
        for p in range(first, last):
            step, filter_, columns = panels[p, 1] * width, panels[p, 3], panels[p, 4]
            for k in range(start, min(start + _TURNED, kernel.shape[0])):
                at = panels[p, 0] + k * step
                see(kernel[k, filter_ : filter_ + columns], b[at : at + columns], mode, scale)
                for j in range(columns, step):
                    b[at + j] = 0


@njit(cache=True, nogil=True)
def _blocks(x, offsets, b, c, filters, tiles, panels, first, last, k, terms, before, spare, scale):  # type: ignore[no-untyped-def]
    """Terms k … k + terms of tiles first … last and all panels; `before` terms of each panel stand in b before them."""
    width = 2 * LANES if x.itemsize == 4 else LANES
    for t in range(first, last):
        at, position, rows, kept = tiles[t, 0], tiles[t, 1], tiles[t, 2], tiles[t, 3]
        for p in range(len(panels)):
            vectors, filter_, columns = panels[p, 1], panels[p, 3], panels[p, 4]
            step = vectors * width
            x0, b0, c0 = at + panels[p, 2], panels[p, 0] + before * step, position * filters + filter_
            if rows == kept and columns == step:
                block(rows, vectors, x, x0, offsets, k, b, b0, terms, c, c0, filters, k == 0, scale)
                continue
            block(rows, vectors, x, x0, offsets, k, b, b0, terms, spare, 0, step, True, scale)
            for i in range(kept):
                for j in range(columns):
                    old = 0.0 if k == 0 else c[c0 + i * filters + j]
                    c[c0 + i * filters + j] = old + spare[i * step + j]


@njit(cache=True, nogil=True)
def multiply(x, offsets, b, c, filters, tiles, panels, first, last, depth, scale):  # type: ignore[no-untyped-def]
    """Tiles first … last of all filters; `depth` terms at a time, so that a tile's stay in the nearest cache.

    tiles (T, 4): where x begins, the result's first position, how many rows are computed and how many of them kept.
    panels (P, 5): where b begins, the vectors of a row, the group's place in x, the first filter and how many are kept.
    """
    spare, n = np.empty(_LARGEST), len(offsets)
    for k in range(0, n, depth):
        _blocks(x, offsets, b, c, filters, tiles, panels, first, last, k, min(depth, n - k), k, spare, scale)


@njit(cache=True, nogil=True)
def multiply_wide(x, offsets, kernel, b, c, tiles, panels, depth, mode, w_scale, scale):  # type: ignore[no-untyped-def]
    """All tiles of the panels' filters, as `multiply`; the panels are packed here, `depth` terms at a time in b."""
    spare, n = np.empty(_LARGEST), len(offsets)
    zero = np.int64(0)  # a literal one would be a type of its own, and everything compiled once more for it
    for k in range(0, n, depth):
        terms = min(depth, n - k)
        pack(kernel[k : k + terms], panels, b, zero, len(panels), mode, w_scale)
        _blocks(x, offsets, b, c, kernel.shape[1], tiles, panels, zero, len(tiles), k, terms, zero, spare, scale)


@njit(cache=True, nogil=True)
def lay_rows(x, place, stride, pads, first, last, mode, scale):  # type: ignore[no-untyped-def]
    """Write rows first … last of x (N, D, H, W, C), padded, as place[n, d, h, c, w mod stride, w div stride].

    place (N, D', H', C, stride, Q); `pads` before each axis.
    """
    depth, height, width, channels = x.shape[1:]
    deep, high, columns = place.shape[1], place.shape[2], place.shape[5]
    numbers, laid = x.reshape(-1), place.reshape(-1)
    for row in range(first, last):
        n, d, h = row // (deep * high), row // high % deep - pads[0], row % high - pads[1]
        target = place[n, d + pads[0], h + pads[1]]
        outside = d < 0 or d >= depth or h < 0 or h >= height
        if outside or stride > 1:
            target[:] = 0
        else:
            target[:, 0, : pads[2]] = 0
            target[:, 0, pads[2] + width :] = 0
        if outside:
            continue
        source, start = ((n * depth + d) * height + h) * width, row * target.size
        end = min(width, columns * stride - pads[2])
        for w in range(min(stride, end)):
            phase, q, count = (w + pads[2]) % stride, (w + pads[2]) // stride, (end - 1 - w) // stride + 1
            at, step = start + phase * columns + q, stride * columns
            turn(numbers, (source + w) * channels, stride * channels, count, channels, laid, at, step, mode, scale)


@njit(cache=True, nogil=True)
def lay_points(x, place, first, last, mode, scale):  # type: ignore[no-untyped-def]
    """Write rows first … last of place (R, C, Q), whose columns are the points of x (P, C) one after another."""
    columns, channels = place.shape[2], x.shape[1]
    numbers, laid = x.reshape(-1), place.reshape(-1)
    for row in range(first, last):
        start = row * columns
        count, at = min(columns, x.shape[0] - start), row * channels * columns
        turn(numbers, start * channels, channels, count, channels, laid, at, columns, mode, scale)
