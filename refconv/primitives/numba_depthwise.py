"""Correlation of every channel with filters of its own, and sums of products, squares and magnitudes in one pass.

Channels are cut into blocks of one register each, x[n, d, h, block, w, lane], so that a window's elements lie in a few
neighbouring cache lines whatever the number of channels. A block of positions keeps all its sums in registers.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from refconv.primitives.canonical import Canonical, aligned
from refconv.primitives.engine import Sums
from refconv.primitives.numba_tile import F64, I64, LANES, accumulate, load, multiply_add
from refconv.primitives.threads import Threads, worth

MANY = 7 if LANES == 8 else 4  # positions at a time: three sums each fit in the registers


def _positions(count: int, all_sums: bool) -> Any:
    """One register of channels at `count` positions: y, and with `all_sums` Σt² and Σ|t|, overwritten.

    block(x, x_from, x_step, offsets, w, w_from, n, y, q, a, from, step): positions lie x_step and step apart.
    """

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def data(array: int, start: int) -> Any:
            whole = context.make_array(signature.args[array])(context, builder, args[array]).data
            return builder.gep(whole, [args[start]]) if start else whole

        x, offsets, w = data(0, 1), data(3, 0), data(4, 5)
        sums = _taps(builder, count, all_sums, x, args[2], offsets, w, args[6])
        for array, values in zip((7, 8, 9), sums, strict=False):
            result = data(array, 10)
            for i, value in enumerate(values):
                address = builder.gep(result, [builder.mul(args[11], I64(i))])
                builder.store(value, builder.bitcast(address, value.type.as_pointer()), align=8)
        return context.get_dummy_value()

    @intrinsic
    def block(
        typing: Any, x: Any, x_from: Any, x_step: Any, offsets: Any, w: Any, w_from: Any, n: Any, y: Any, q: Any,
        a: Any, start: Any, step: Any,
    ) -> Any:  # fmt: skip
        whole = types.int64
        return types.void(x, whole, whole, offsets, w, whole, whole, y, q, a, whole, whole), lower

    return block


def _taps(builder: Any, count: int, all_sums: bool, x: Any, step: Any, offsets: Any, w: Any, n: Any) -> list[list[Any]]:
    """[Σt], or [Σt, Σt², Σ|t|], over n ≥ 1 taps, each a list of `count` registers."""
    vector = ir.VectorType(F64, LANES)

    def add(k: Any, sums: list[list[Any]]) -> list[list[Any]]:
        start = builder.gep(x, [builder.load(builder.gep(offsets, [k]))])
        weight = load(builder, builder.gep(w, [builder.mul(k, I64(LANES))]), 0, vector)
        added: list[list[Any]] = [[] for _ in sums]
        for i in range(count):
            value = load(builder, builder.gep(start, [builder.mul(step, I64(i))]), 0, vector)
            if not all_sums:
                added[0].append(multiply_add(builder, value, weight, sums[0][i]))
                continue
            term = builder.fmul(value, weight)
            added[0].append(builder.fadd(sums[0][i], term))
            added[1].append(multiply_add(builder, term, term, sums[1][i]))
            added[2].append(builder.fadd(sums[2][i], _magnitude(builder, term)))
        return added

    return accumulate(builder, vector, 3 if all_sums else 1, count, n, add)


def _magnitude(builder: Any, v: Any) -> Any:
    function = ir.FunctionType(v.type, [v.type])
    return builder.call(cgutils.get_or_insert_function(builder.module, function, f"llvm.fabs.v{LANES}f64"), [v])


_MANY, _ONE = _positions(MANY, False), _positions(1, False)
_MANY_SUMS, _ONE_SUMS = _positions(MANY, True), _positions(1, True)


@njit(cache=True, nogil=True)
def _rows(x, offsets, w, y, q, a, begins, group, step, length, channels, first, last, all_sums):  # type: ignore[no-untyped-def]
    """Rows first … last of the result, each `length` positions of `channels`; group: between x's blocks of channels."""
    taps = len(offsets)
    spare = np.empty((3, MANY * LANES))
    for row in range(first, last):
        for block in range((channels + LANES - 1) // LANES):
            kept = min(LANES, channels - block * LANES)
            p = 0
            while p < length:
                many = length >= MANY
                if many and p > length - MANY:
                    p = length - MANY  # the last block repeats some positions of the one before
                x0, w0 = begins[row] + block * group + p * step, block * taps * LANES
                at, apart = (row * length + p) * channels + block * LANES, channels
                if kept < LANES:
                    _run(many, all_sums, x, x0, step, offsets, w, w0, spare[0], spare[1], spare[2], 0, LANES)
                    for i in range(MANY if many else 1):
                        for c in range(kept):
                            y[at + i * apart + c] = spare[0, i * LANES + c]
                            if all_sums:
                                q[at + i * apart + c] = spare[1, i * LANES + c]
                                a[at + i * apart + c] = spare[2, i * LANES + c]
                else:
                    _run(many, all_sums, x, x0, step, offsets, w, w0, y, q, a, at, apart)
                p += MANY if many else 1


@njit(cache=True, nogil=True)
def _run(many, all_sums, x, x0, step, offsets, w, w0, y, q, a, at, apart):  # type: ignore[no-untyped-def]
    if many and all_sums:
        _MANY_SUMS(x, x0, step, offsets, w, w0, len(offsets), y, q, a, at, apart)
    elif many:
        _MANY(x, x0, step, offsets, w, w0, len(offsets), y, q, a, at, apart)
    elif all_sums:
        _ONE_SUMS(x, x0, step, offsets, w, w0, len(offsets), y, q, a, at, apart)
    else:
        _ONE(x, x0, step, offsets, w, w0, len(offsets), y, q, a, at, apart)


@njit(cache=True, nogil=True)
def _lay(x, place, pads, multiplier, first, last):  # type: ignore[no-untyped-def]
    """Write rows first … last of x (N, D, H, W, C), padded, as place (N, D', H', blocks, W', lanes)."""
    depth, height, width, channels = x.shape[1:]
    deep, high, blocks, wide = place.shape[1:5]
    for row in range(first, last):
        n, d, h = row // (deep * high), row // high % deep - pads[0], row % high - pads[1]
        target = place[n, d + pads[0], h + pads[1]]
        if d < 0 or d >= depth or h < 0 or h >= height:
            target[:] = 0
            continue
        target[:, : pads[2]] = 0
        target[:, pads[2] + width :] = 0
        for w in range(min(width, wide - pads[2])):
            source = x[n, d, h, w]
            for block in range(blocks):
                lanes = target[block, pads[2] + w]
                if multiplier == 1 and (block + 1) * LANES <= channels:
                    for c in range(LANES):
                        lanes[c] = source[block * LANES + c]
                else:
                    for c in range(LANES):
                        channel = (block * LANES + c) // multiplier
                        lanes[c] = source[channel] if channel < channels else 0.0


def depthwise(x: np.ndarray, kernel: np.ndarray, window: Canonical, all_sums: bool, threads: Threads) -> Sums:
    """Correlate x (N, D, H, W, C) with kernel (kd, kh, kw, 1, C·M): filter c·M + m reads channel c."""
    samples, filters = x.shape[0], kernel.shape[-1]
    shape = (samples, *window.out, filters)
    results = [aligned(prod(shape), np.float64) for _ in range(3 if all_sums else 1)]
    if prod(shape) and prod(window.size):
        _fill(x, kernel, window, results, threads)
    y, *others = (r.reshape(shape) for r in results)
    return Sums(y, *others)


def _fill(x: np.ndarray, kernel: np.ndarray, window: Canonical, results: list[np.ndarray], threads: Threads) -> None:
    (deep, high, wide), filters = window.seen, kernel.shape[-1]
    blocks = -(-filters // LANES)
    place = aligned(x.shape[0] * deep * high * blocks * wide * LANES, np.float64)
    place = place.reshape(x.shape[0], deep, high, blocks, wide, LANES)
    multiplier, row = filters // x.shape[-1], blocks * wide * LANES
    threads.over(
        x.shape[0] * deep * high, lambda a, b: _lay(x, place, window.before, multiplier, a, b), least=worth(row)
    )
    taps = [np.arange(n) * step for n, step in zip(window.size, window.dilation, strict=True)]
    offsets = ((taps[0] * high * row)[:, None, None] + (taps[1] * row)[:, None] + taps[2] * LANES).ravel()
    n, d, h = np.indices((x.shape[0], *window.out[:2])).reshape(3, -1)
    begins = ((n * deep + d * window.strides[0]) * high + h * window.strides[1]) * row
    y, q, a = (*results, *results * 2)[:3]
    step, length, all_sums, weights = window.strides[2] * LANES, window.out[2], len(results) > 1, _weights(kernel)
    flat = place.reshape(-1)

    def work(first: int, last: int) -> None:
        _rows(flat, offsets, weights, y, q, a, begins, wide * LANES, step, length, filters, first, last, all_sums)

    threads.over(len(begins), work, least=worth(length * filters * len(offsets) // 2))


def _weights(kernel: np.ndarray) -> np.ndarray:
    """A kernel (*taps, 1, F) as (blocks, taps, lanes), flat, zeros after the last filter."""
    flat = kernel.reshape(-1, kernel.shape[-1])
    padded = np.zeros((len(flat), -(-flat.shape[1] // LANES) * LANES))
    padded[:, : flat.shape[1]] = flat
    return np.ascontiguousarray(padded.reshape(len(flat), -1, LANES).swapaxes(0, 1)).reshape(-1)
