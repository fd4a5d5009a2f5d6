"""Some channels of a window that slides along a row, reduced over its taps in registers.

    y[p, c] = Σ_k t,  q[p, c] = Σ_k t²,  a[p, c] = Σ_k |t|,  t = x[p, k, c]·w[k, c]      or  y[p, c] = max_k x[p, k, c]

x is read where it lies, float32 widened on the way, so that nothing is laid out before.
"""

from __future__ import annotations

from math import inf
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from refconv.primitives.numba_tile import F32, F64, I64, LANES, accumulate, load, magnitude, multiply_add, repeated

LINE = 2 * LANES  # channels: of float32 one register, of float64 two
LINES = 4 if LANES == 8 else 2  # at a time: three sums each fit in the registers
PAIRED = LINES // 2  # at a time of two positions
LARGEST = 0  # instead of the number of sums


@intrinsic
def pointer(typing: Any, array: Any, start: Any) -> Any:
    """Where a flat array's numbers begin from `start` on: one word to pass on, where an array is seven."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.gep(context.make_array(signature.args[0])(context, builder, args[0]).data, [args[1]])

    return types.CPointer(array.dtype)(array, types.int64), lower


def reduction(lines: int, sums: int) -> Any:
    """The first `sums` of y, q and a for so many lines of channels, or with LARGEST the largest elements, overwritten.

    block(x, step, places, n, w, y, q, a, apart, count), arrays given by pointers: n > 0 taps, each a place in x and one
    in w; `count` positions, which lie `step` apart in x and `apart` in the results.
    """

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, step, places, n, w, *results, apart, count = args
        with cgutils.for_range(builder, count) as position:
            source = builder.gep(x, [builder.mul(position.index, step)])
            if sums == LARGEST:
                found = [_largest(builder, lines, source, places, n)]
            else:
                found = _sums(builder, lines, sums, source, places, n, w)
            for result, values in zip(results, found, strict=False):
                _store(builder, builder.gep(result, [builder.mul(position.index, apart)]), values)
        return context.get_dummy_value()

    @intrinsic
    def block(
        typing: Any, x: Any, step: Any, places: Any, n: Any, w: Any, y: Any, q: Any, a: Any, apart: Any, count: Any
    ) -> Any:
        whole = types.int64
        return types.void(x, whole, places, whole, w, y, q, a, whole, whole), lower

    return block


def _sums(builder: Any, lines: int, sums: int, x: Any, places: Any, n: Any, w: Any) -> list[list[Any]]:
    """`sums` lists of the registers of all lines."""
    vector = ir.VectorType(F64, LANES)

    def add(k: Any, old: list[list[Any]]) -> list[list[Any]]:
        source, weights = (builder.gep(data, [_place(builder, places, k, i)]) for i, data in enumerate((x, w)))
        added: list[list[Any]] = [[] for _ in old]
        for i, value in enumerate(_widened(builder, source, 2 * lines)):
            weight = load(builder, weights, i * LANES, vector)
            for new, total in zip(added, _added(builder, value, weight, [s[i] for s in old]), strict=True):
                new.append(total)
        return added

    return accumulate(builder, vector, sums, 2 * lines, n, add)


def pairs(lines: int, sums: int) -> Any:
    """The first `sums` of y, q and a of pairs of neighbours, overwritten: what both see is read and widened once.

    block(x, step, runs, n, w, w_step, y, q, a, apart, count): n > 0 runs, each a place in x, one in w and how many
    taps: from a tap to the next x is `step` further, as from a position to the next, and w w_step. `count` pairs.
    """

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, step, runs, n, w, w_step, *results, apart, count = args
        with cgutils.for_range(builder, count) as pair:
            position = builder.shl(pair.index, I64(1))
            source = builder.gep(x, [builder.mul(position, step)])
            for i, values in enumerate(_both(builder, lines, sums, source, step, runs, n, w, w_step)):
                place = builder.mul(builder.add(position, I64(i // sums)), apart)
                _store(builder, builder.gep(results[i % sums], [place]), values)
        return context.get_dummy_value()

    @intrinsic
    def block(
        typing: Any, x: Any, step: Any, runs: Any, n: Any, w: Any, w_step: Any, y: Any, q: Any, a: Any, apart: Any,
        count: Any,
    ) -> Any:  # fmt: skip
        whole = types.int64
        return types.void(x, whole, runs, whole, w, whole, y, q, a, whole, whole), lower

    return block


def _both(
    builder: Any, lines: int, sums: int, x: Any, step: Any, runs: Any, n: Any, w: Any, w_step: Any
) -> list[list[Any]]:
    """The sums of one position, then of the next, each a list of the registers of all lines."""
    width, vector = 2 * lines, ir.VectorType(F64, LANES)

    def run(r: Any, totals: list[Any]) -> list[Any]:
        at, weight_at, taps = (
            builder.load(builder.gep(runs, [builder.add(builder.mul(r, I64(3)), I64(i))])) for i in range(3)
        )
        source, weights = builder.gep(x, [at]), builder.gep(w, [weight_at])

        def tap(k: Any, state: list[Any]) -> list[Any]:
            following = _widened(builder, builder.gep(source, [builder.add(k, step)]), width)
            *new, those = state
            for i in range(width):
                weight = load(builder, those, i * LANES, vector)
                for position, value in enumerate((state[i], following[i])):
                    places = [width * (1 + position * sums + s) + i for s in range(sums)]
                    added = _added(builder, value, weight, [state[place] for place in places])
                    for place, total in zip(places, added, strict=True):
                        new[place] = total
                new[i] = following[i]
            return [*new, builder.gep(those, [w_step])]

        start = [*_widened(builder, source, width), *totals, weights]
        return repeated(builder, builder.mul(taps, step), start, tap, by=step)[width:-1]

    nothing = [ir.Constant(vector, [0.0] * LANES)] * (2 * sums * width)
    flat = repeated(builder, n, nothing, run)
    return [flat[i : i + width] for i in range(0, len(flat), width)]


def _widened(builder: Any, x: Any, count: int) -> list[Any]:
    """So many float64 registers full of x."""
    vector, narrow = ir.VectorType(F64, LANES), ir.VectorType(x.type.pointee, LANES)
    values = [load(builder, x, i * LANES, narrow) for i in range(count)]
    return values if narrow == vector else [builder.fpext(value, vector) for value in values]


def _added(builder: Any, value: Any, weight: Any, old: list[Any]) -> list[Any]:
    """[y], [y, q] or [y, q, a] and one term more."""
    if len(old) == 1:
        return [multiply_add(builder, value, weight, old[0])]
    term = builder.fmul(value, weight)
    new = [builder.fadd(old[0], term), multiply_add(builder, term, term, old[1])]
    return new if len(old) == 2 else [*new, builder.fadd(old[2], magnitude(builder, term))]


def _largest(builder: Any, lines: int, x: Any, places: Any, n: Any) -> list[Any]:
    """The registers of all lines: the largest number, or the last NaN where there is one."""
    vector = ir.VectorType(F32, LINE) if x.type.pointee == F32 else ir.VectorType(F64, LANES)
    least = ir.Constant(vector, [-inf] * vector.count)

    def add(k: Any, old: list[list[Any]]) -> list[list[Any]]:
        source = builder.gep(x, [_place(builder, places, k, 0)])
        tops, odd = [], []
        for i, (top, strange) in enumerate(zip(*old, strict=True)):
            value = load(builder, source, i * vector.count, vector)
            tops.append(builder.select(builder.fcmp_ordered(">", value, top), value, top))  # not where it is NaN
            odd.append(builder.select(builder.fcmp_unordered("uno", value, value), value, strange))
        return [tops, odd]

    tops, odd = accumulate(builder, vector, 2, lines * LINE // vector.count, n, add, -inf)
    return [builder.select(builder.fcmp_unordered("uno", o, least), o, t) for t, o in zip(tops, odd, strict=True)]


def _place(builder: Any, places: Any, k: Any, which: int) -> Any:
    """Where tap k begins: in x (0) or w (1)."""
    return builder.load(builder.gep(places, [builder.add(builder.shl(k, I64(1)), I64(which))]))


def _store(builder: Any, result: Any, values: list[Any]) -> None:
    lanes = values[0].type.count
    vector = ir.VectorType(F64, lanes)
    for i, value in enumerate(values):
        wide = builder.fpext(value, vector) if value.type != vector else value
        address = builder.bitcast(builder.gep(result, [I64(i * lanes)]), vector.as_pointer())
        builder.store(wide, address, align=8)
