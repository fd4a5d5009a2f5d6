"""The innermost loop of a dense correlation, written in LLVM's own terms so that its sums never leave the registers.

    c[p, f] (+)= scale · Σ_k x[offset_k + p] · b[k, f]        p < rows, f < vectors · lanes

Numba alone keeps such a block in memory, which costs three quarters of the rate. Rows × vectors accumulators, one
row of b and one broadcast value fill the registers of the machine that compiles it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic

I32, I64, F32, F64 = ir.IntType(32), ir.IntType(64), ir.FloatType(), ir.DoubleType()


def _machine() -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Float64 lanes of one register; rows and vectors of the blocks that fit in all of them, largest first.

    Every machine has four sizes by three, some of them twice: the blocks are compiled by name.
    """
    features = (config.CPU_FEATURES or get_host_cpu_features()).split(",")
    if "+avx512f" in features:
        return 8, (7, 4, 2, 1), (4, 2, 1)
    if "+avx" in features:
        return 4, (6, 4, 2, 1), (2, 1, 1)
    return 2, (4, 2, 1, 1), (2, 1, 1)


LANES, ROWS, VECTORS = _machine()


def tile(rows: int, vectors: int) -> Any:
    """The block of `rows` × `vectors` registers; x and b are both float64 or both float32, c is float64 always.

    tile(x, x_from, offsets, offsets_from, b, b_from, n, c, c_from, c_step, fresh, scale): the flat arrays and where in
    them to start; n > 0 terms; c[p] begins at c_from + p·c_step; where `fresh`, c is overwritten instead of added to.
    """

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def pointer(array: int) -> Any:
            data = context.make_array(signature.args[array])(context, builder, args[array]).data
            return builder.gep(data, [args[array + 1]])

        x, offsets, b, c = (pointer(array) for array in (0, 2, 4, 7))
        n, step, fresh, scale = args[6], args[9], args[10], args[11]
        vector = register(signature.args[0].dtype)
        sums = _loop(builder, vector, rows, vectors, x, offsets, b, n)
        _store(builder, sums, c, step, fresh, scale)
        return context.get_dummy_value()

    @intrinsic
    def block(
        typing: Any, x: Any, x_from: Any, offsets: Any, offsets_from: Any, b: Any, b_from: Any, n: Any, c: Any,
        c_from: Any, c_step: Any, fresh: Any, scale: Any,
    ) -> Any:  # fmt: skip
        whole = types.int64
        given = (x, whole, offsets, whole, b, whole, whole, c, whole, whole, types.boolean, types.float64)
        return types.void(*given), lower

    return block


def register(dtype: Any) -> Any:
    """One register full of numbers."""
    return ir.VectorType(F32, 2 * LANES) if dtype == types.float32 else ir.VectorType(F64, LANES)


def _loop(builder: Any, vector: Any, rows: int, vectors: int, x: Any, offsets: Any, b: Any, n: Any) -> list[list[Any]]:
    """Σ_k over n ≥ 1 terms, every sum in a register of its own."""

    def add(k: Any, sums: list[list[Any]]) -> list[list[Any]]:
        start = builder.gep(x, [builder.load(builder.gep(offsets, [k]))])
        packed = builder.gep(b, [builder.mul(k, I64(vectors * vector.count))])
        weights = [load(builder, packed, j * vector.count, vector) for j in range(vectors)]
        added = []
        for row, old in enumerate(sums):
            value = broadcast(builder, builder.load(builder.gep(start, [I64(row)])), vector)
            added.append([multiply_add(builder, value, w, s) for w, s in zip(weights, old, strict=True)])
        return added

    return accumulate(builder, vector, rows, vectors, n, add)


def accumulate(
    builder: Any,
    vector: Any,
    rows: int,
    columns: int,
    n: Any,
    add: Callable[[Any, list[list[Any]]], list[list[Any]]],
    start: float = 0.0,
) -> list[list[Any]]:
    """rows × columns registers full of `start`, after k = 0 … n − 1 of sums = add(k, sums); n ≥ 1."""
    first = [ir.Constant(vector, [start] * vector.count)] * (rows * columns)
    last = repeated(builder, n, first, lambda k, flat: [s for row in add(k, _cut(flat, columns)) for s in row])
    return _cut(last, columns)


def repeated(
    builder: Any, n: Any, start: list[Any], step: Callable[[Any, list[Any]], list[Any]], by: Any = None
) -> list[Any]:
    """The values `start` after k = 0 … n − 1 of values = step(k, values), n ≥ 1; or k = 0, by … n − by, n divisible.

    `by` known only when it runs leaves the compiler no way to unroll: for loops of a few turns that is faster.
    """
    before, body, after = builder.block, builder.append_basic_block("terms"), builder.append_basic_block("summed")
    builder.branch(body)
    builder.position_at_end(body)
    k = builder.phi(I64)
    old = [builder.phi(value.type) for value in start]
    new = step(k, old)
    following = builder.add(k, by or I64(1))
    for phi, first, next_ in zip([k, *old], [I64(0), *start], [following, *new], strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(next_, builder.block)
    builder.cbranch(builder.icmp_signed("!=" if by else "<", following, n), body, after)
    builder.position_at_end(after)
    return new


def _cut(flat: list[Any], columns: int) -> list[list[Any]]:
    return [flat[i : i + columns] for i in range(0, len(flat), columns)]


def _store(builder: Any, sums: list[list[Any]], c: Any, step: Any, fresh: Any, scale: Any) -> None:
    lanes = sums[0][0].type.count
    vector = ir.VectorType(F64, lanes)
    factor = broadcast(builder, scale, vector)
    with builder.if_else(fresh) as branches:
        for overwrite, branch in zip((True, False), branches, strict=True):
            with branch:
                for p, row in enumerate(sums):
                    at = builder.gep(c, [builder.mul(step, I64(p))])
                    for j, narrow in enumerate(row):
                        total = builder.fpext(narrow, vector) if narrow.type != vector else narrow
                        address = builder.bitcast(builder.gep(at, [I64(j * lanes)]), vector.as_pointer())
                        if overwrite:
                            total = builder.fmul(total, factor)
                        else:
                            total = multiply_add(builder, total, factor, builder.load(address, align=8))
                        builder.store(total, address, align=8)


def load(builder: Any, base: Any, offset: int, vector: Any) -> Any:
    """A vector from an address that is aligned to one element only."""
    address = builder.bitcast(builder.gep(base, [I64(offset)]), vector.as_pointer())
    return builder.load(address, align=4 if vector.element == F32 else 8)


def broadcast(builder: Any, value: Any, vector: Any) -> Any:
    nothing, zeros = (
        ir.Constant(vector, ir.Undefined),
        ir.Constant(ir.VectorType(I32, vector.count), [0] * vector.count),
    )
    return builder.shuffle_vector(builder.insert_element(nothing, value, I32(0)), nothing, zeros)


def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a·b + c, rounded once where the machine can."""
    name = f"llvm.fmuladd.v{a.type.count}f{32 if a.type.element == F32 else 64}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(a.type, [a.type] * 3), name)
    return builder.call(function, [a, b, c])


def magnitude(builder: Any, v: Any) -> Any:
    """|v| of a register of float64 numbers."""
    function = ir.FunctionType(v.type, [v.type])
    return builder.call(cgutils.get_or_insert_function(builder.module, function, f"llvm.fabs.v{LANES}f64"), [v])
