"""Numbers with the channels last turned into numbers with the positions last, as a pass sees them.

    y[c, i] = seen(x[i, c]),  seen(v) = v, |v| or (scale·v)²

Squares of LANES by LANES numbers are turned in registers: number by number takes four times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from refconv.primitives.numba_tile import F32, F64, I32, I64, LANES, broadcast, load, magnitude

VALUES, MAGNITUDES, SQUARES = 0, 1, 2  # what a pass sees of an operand
_STRIP = 64  # channels turned at a time: as many cache lines are written to in turn


def _square(mode: int) -> Any:
    """square(x, x_from, x_step, y, y_from, y_step, scale): LANES positions of LANES channels, flat arrays."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, y = (context.make_array(signature.args[i])(context, builder, args[i]).data for i in (0, 3))
        _, x_from, x_step, _, y_from, y_step, scale = args
        narrow = ir.VectorType(F32 if signature.args[0].dtype == types.float32 else F64, LANES)
        rows = []
        for i in range(LANES):
            at = builder.gep(x, [builder.add(x_from, builder.mul(x_step, I64(i)))])
            rows.append(_seen(builder, load(builder, at, 0, narrow), mode, scale))
        wanted = ir.VectorType(F32 if signature.args[3].dtype == types.float32 else F64, LANES)
        for c, row in enumerate(_transposed(builder, rows)):
            at = builder.gep(y, [builder.add(y_from, builder.mul(y_step, I64(c)))])
            value = row if row.type == wanted else builder.fptrunc(row, wanted)
            builder.store(value, builder.bitcast(at, wanted.as_pointer()), align=4 if wanted.element == F32 else 8)
        return context.get_dummy_value()

    @intrinsic
    def square(typing: Any, x: Any, x_from: Any, x_step: Any, y: Any, y_from: Any, y_step: Any, scale: Any) -> Any:
        whole = types.int64
        return types.void(x, whole, whole, y, whole, whole, types.float64), lower

    return square


def _seen(builder: Any, value: Any, mode: int, scale: Any) -> Any:
    """A register of float64 numbers."""
    vector = ir.VectorType(F64, LANES)
    wide = value if value.type == vector else builder.fpext(value, vector)
    if mode == SQUARES:
        scaled = builder.fmul(wide, broadcast(builder, scale, vector))
        return builder.fmul(scaled, scaled)
    if mode == MAGNITUDES:
        return magnitude(builder, wide)
    return wide


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Of LANES registers: in each round numbers `far` apart change places between registers `far` apart."""
    far = LANES // 2
    while far:
        first = [lane if not lane & far else lane - far + LANES for lane in range(LANES)]
        second = [lane + far if not lane & far else lane + LANES for lane in range(LANES)]
        turned = list(rows)
        for i in range(LANES):
            if not i & far:
                turned[i] = _shuffled(builder, rows[i], rows[i + far], first)
                turned[i + far] = _shuffled(builder, rows[i], rows[i + far], second)
        rows, far = turned, far // 2
    return rows


def _shuffled(builder: Any, a: Any, b: Any, lanes: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, LANES), lanes))


_values, _magnitudes, _squares = _square(VALUES), _square(MAGNITUDES), _square(SQUARES)


@njit(cache=True, nogil=True)
def seen(v, mode, scale):  # type: ignore[no-untyped-def]
    """A power of two for `scale` rounds nothing."""
    if mode == SQUARES:
        return (scale * v) * (scale * v)
    return abs(v) if mode == MAGNITUDES else v


@njit(cache=True, nogil=True)
def see(source, target, mode, scale):  # type: ignore[no-untyped-def]
    """target = the numbers `source` as a pass sees them: a loop each, or none would be of whole registers."""
    if mode == SQUARES:
        for i in range(len(source)):
            target[i] = seen(np.float64(source[i]), SQUARES, scale)
    elif mode == MAGNITUDES:
        for i in range(len(source)):
            target[i] = abs(source[i])
    else:
        for i in range(len(source)):
            target[i] = source[i]


@njit(cache=True, nogil=True)
def turn(x, x0, x_step, positions, channels, y, y0, y_step, mode, scale):  # type: ignore[no-untyped-def]
    """y[y0 + c·y_step + i] = seen(x[x0 + i·x_step + c]) for all positions i and channels c; flat arrays."""
    whole = positions - positions % LANES
    for left in range(0, channels, _STRIP):
        right = min(left + _STRIP, channels)
        full = right - (right - left) % LANES
        for i in range(0, whole, LANES):
            for c in range(left, full, LANES):
                x_from, y_from = x0 + i * x_step + c, y0 + c * y_step + i
                if mode == SQUARES:
                    _squares(x, x_from, x_step, y, y_from, y_step, scale)
                elif mode == MAGNITUDES:
                    _magnitudes(x, x_from, x_step, y, y_from, y_step, scale)
                else:
                    _values(x, x_from, x_step, y, y_from, y_step, scale)
            for j in range(i, i + LANES):
                for c in range(full, right):
                    y[y0 + c * y_step + j] = seen(np.float64(x[x0 + j * x_step + c]), mode, scale)
        for i in range(whole, positions):
            for c in range(left, right):
                y[y0 + c * y_step + i] = seen(np.float64(x[x0 + i * x_step + c]), mode, scale)
