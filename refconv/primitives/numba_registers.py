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

from refconv.primitives.numba_tile import F32, F64, I64, LANES, accumulate, load, multiply_add

LINE = 2 * LANES  # channels: of float32 one register, of float64 two
LINES = 4 if LANES == 8 else 2  # at a time: three sums each fit in the registers
LARGEST = 0  # instead of the number of sums


def reduction(lines: int, sums: int) -> Any:
    """The first `sums` of y, q and a for so many lines of channels, or with LARGEST the largest elements, overwritten.

    block(x, x_from, step, places, first, n, w, w_from, y, q, a, at, apart, count): n > 0 taps from the `first` on of
    places, each a place in x and one in w; `count` positions lie step apart in x, and in the results, which begin at
    `at`, apart.
    """

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def data(array: int, *starts: int) -> Any:
            whole = context.make_array(signature.args[array])(context, builder, args[array]).data
            return builder.gep(whole, [args[start] for start in starts]) if starts else whole

        x, w, results = data(0, 1), data(6, 7), [data(array, 11) for array in (8, 9, 10)]
        places = builder.gep(data(3), [builder.mul(args[4], I64(2))])
        with cgutils.for_range(builder, args[13]) as position:
            source = builder.gep(x, [builder.mul(position.index, args[2])])
            if sums == LARGEST:
                found = [_largest(builder, lines, source, places, args[5])]
            else:
                found = _sums(builder, lines, sums, source, places, args[5], w)
            for result, values in zip(results, found, strict=False):
                _store(builder, builder.gep(result, [builder.mul(position.index, args[12])]), values)
        return context.get_dummy_value()

    @intrinsic
    def block(
        typing: Any, x: Any, x_from: Any, step: Any, places: Any, first: Any, n: Any, w: Any, w_from: Any, y: Any,
        q: Any, a: Any, at: Any, apart: Any, count: Any,
    ) -> Any:  # fmt: skip
        whole = types.int64
        return types.void(x, whole, whole, places, whole, whole, w, whole, y, q, a, whole, whole, whole), lower

    return block


def _sums(builder: Any, lines: int, sums: int, x: Any, places: Any, n: Any, w: Any) -> list[list[Any]]:
    """`sums` lists of the registers of all lines."""
    vector = ir.VectorType(F64, LANES)
    narrow = ir.VectorType(x.type.pointee, LANES)

    def add(k: Any, old: list[list[Any]]) -> list[list[Any]]:
        source, weights = (builder.gep(data, [_place(builder, places, k, i)]) for i, data in enumerate((x, w)))
        added: list[list[Any]] = [[] for _ in old]
        for i in range(2 * lines):
            value = load(builder, source, i * LANES, narrow)
            value = builder.fpext(value, vector) if narrow != vector else value
            weight = load(builder, weights, i * LANES, vector)
            for new, total in zip(added, _added(builder, value, weight, [s[i] for s in old]), strict=True):
                new.append(total)
        return added

    return accumulate(builder, vector, sums, 2 * lines, n, add)


def _added(builder: Any, value: Any, weight: Any, old: list[Any]) -> list[Any]:
    """[y], [y, q] or [y, q, a] and one term more."""
    if len(old) == 1:
        return [multiply_add(builder, value, weight, old[0])]
    term = builder.fmul(value, weight)
    new = [builder.fadd(old[0], term), multiply_add(builder, term, term, old[1])]
    return new if len(old) == 2 else [*new, builder.fadd(old[2], _magnitude(builder, term))]


def _magnitude(builder: Any, v: Any) -> Any:
    function = ir.FunctionType(v.type, [v.type])
    return builder.call(cgutils.get_or_insert_function(builder.module, function, f"llvm.fabs.v{LANES}f64"), [v])


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
