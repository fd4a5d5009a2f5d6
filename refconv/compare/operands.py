"""The reference under one arithmetic: inputs and weights rounded as it rounds them, then enclosed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from refconv.compare import stage2
from refconv.compare.tensor import Explain, Index
from refconv.graph import Node
from refconv.numerics.arithmetic import DIRECT, Arithmetic, Rounding
from refconv.numerics.enclosure import Enclosure, bounded
from refconv.numerics.formats import FLOAT32, Format, float64, is_float
from refconv.ops.activations import LINEAR
from refconv.ops.base import Context, Weights
from refconv.ops.table import TABLE
from refconv.reference.forward import forward

Arrays = Sequence[np.ndarray]


def enclose(
    node: Node, weights: Weights, inputs: Arrays, context: Context
) -> tuple[tuple[Enclosure, ...], Explain | None]:
    """The outputs' enclosures under `context.arithmetic`, and stage 2 for their elements where the layer has terms."""
    weights, inputs = prepare(node, weights, inputs, context.arithmetic)
    if context.arithmetic.fused and not TABLE[node.type].exact:
        return forward(node, weights, [_blurred(x, context.arithmetic.u) for x in inputs], context), None
    return forward(node, weights, inputs, context), _explain(node, weights, inputs, context)


def prepare(node: Node, weights: Weights, inputs: Arrays, arithmetic: Arithmetic) -> tuple[Weights, Arrays]:
    """Weights and inputs as the products get them.

    A 16-bit policy casts every input and every weight, biases too, but for layers that compute in float32 inside.
    Hardware that rounds operands rounds what it multiplies, and no bias.
    """
    row, rounding = TABLE[node.type].core(node.attrs)[0], arithmetic.operand
    policy = arithmetic.u > FLOAT32.u
    if rounding is None or not (policy or row.operands):
        return weights, inputs
    names = () if policy and row.wide else weights if policy else row.operands
    rounded = {name: rounding(w) if name in names else w for name, w in weights.items()}
    return rounded, [rounding(x) for x in inputs]


def distinct(node: Node, weights: Weights, inputs: Arrays, candidates: Sequence[Arithmetic]) -> tuple[Arithmetic, ...]:
    """The candidates that differ on these operands: where TF32 holds all of them, rounding to it changes nothing.

    Only of layers with one product: in others, what lies between two products is an operand too.
    """
    row, formats = TABLE[node.type].core(node.attrs)[0], {fmt for a in candidates if (fmt := _of(a))}
    if len(row.operands) != 1 or not formats:
        return tuple(candidates)
    operands = [*inputs, *(weights[name] for name in row.operands)]

    def kept(rounding: Rounding) -> bool:
        return all(np.array_equal(rounding(x), x, equal_nan=is_float(x.dtype)) for x in operands)

    exact = {fmt for fmt in formats if kept(Rounding(fmt))}  # a number of the format stays by every rule
    plain = (replace(a, operand=None, name=FLOAT32.name) if _of(a) in exact else a for a in candidates)
    return tuple(dict.fromkeys(plain))


def _of(arithmetic: Arithmetic) -> Format | None:
    """The format to which hardware rounds the operands."""
    return arithmetic.operand.format if arithmetic.operand and arithmetic.u <= FLOAT32.u else None


def _blurred(x: np.ndarray, u: float) -> np.ndarray | Enclosure:
    """What a tensor may have been before it was rounded."""
    if not is_float(x.dtype):
        return x
    values = float64(x)
    return bounded(values, np.where(np.isfinite(values), u * np.abs(values), 0.0))


def _explain(node: Node, weights: Weights, inputs: Arrays, context: Context) -> Explain | None:
    row = TABLE[node.type]
    find = row.explained(node.attrs)
    if (
        find is None
        or context.arithmetic.algorithm != DIRECT
        or not getattr(row.core(node.attrs)[1], "activation", LINEAR).elementwise
    ):
        return None  # Winograd and FFT add up no products; after a softmax no element has a sum of its own

    def explain(index: Index) -> Enclosure:
        return stage2.enclose(find(node.attrs, weights, inputs, index, context), context.arithmetic)

    return explain
