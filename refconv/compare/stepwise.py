"""A layer made of steps: each step on the framework's own result of the one before, the outputs on its own steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from refconv.compare import stage2
from refconv.compare.operands import Arrays
from refconv.compare.tensor import Compared, Explain, Index, compare, needs_worst, shape_reason
from refconv.graph import Node
from refconv.numerics.enclosure import Enclosure, point
from refconv.numerics.moments import Need
from refconv.ops.base import Context, Terms, Weights
from refconv.ops.table import TABLE
from refconv.reference.forward import stepwise


def compare_steps(
    node: Node, weights: Weights, inputs: Arrays, got: Arrays, context: Context, *, steps: Weights
) -> Compared:
    """The outputs by what the steps left, then what every step left by what the step before left."""
    found = stepwise(node, weights, inputs, steps, replace(context, need=Need.PROBABLE))
    if len(got) != len(found.outputs):
        return Compared(reason=f"the framework gave {len(got)} outputs, the reference {len(found.outputs)}")
    enclosed = [*zip(found.outputs, got, strict=True), *((found.steps[name], value) for name, value in steps.items())]
    if any(needs_worst(e, value) for e, value in enclosed):
        found = stepwise(node, weights, inputs, steps, replace(context, need=Need.WORST))
    outputs = tuple(compare(e, g) for e, g in zip(found.outputs, got, strict=True))
    inner = tuple(
        replace(compare(e, steps[name], _explain(node, weights, inputs, steps, name, context)), name=name)
        for name, e in found.steps.items()
    )
    return Compared((*outputs, *inner), shape_reason(outputs))


def _explain(node: Node, weights: Weights, inputs: Arrays, steps: Weights, name: str, context: Context) -> Explain:
    row, given = TABLE[node.type].steps, tuple(point(x) for x in inputs)
    states = {key: point(value) for key, value in steps.items()}
    assert row is not None

    def close(terms: Terms) -> Enclosure:
        return stage2.enclose(terms, context.arithmetic)

    def explain(index: Index) -> Enclosure | None:
        with np.errstate(all="ignore"):
            return row.explain(node.attrs, weights, given, states, name, index, context, close)

    return explain
