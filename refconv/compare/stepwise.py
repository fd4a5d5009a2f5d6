"""A layer made of steps: each step on the framework's own result of the one before, the outputs on its own steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from refconv.compare import stage2
from refconv.compare.operands import Arrays
from refconv.compare.spread import axes_of
from refconv.compare.tensor import Compared, Explain, Index, compare, settled, shape_reason
from refconv.graph import Node
from refconv.numerics.enclosure import Enclosure, point
from refconv.numerics.moments import Need
from refconv.ops.base import Context, Terms, Weights
from refconv.ops.table import TABLE
from refconv.reference.forward import forward, step_shapes, stepwise


def compare_steps(
    node: Node, weights: Weights, inputs: Arrays, got: Arrays, context: Context, *, steps: Weights
) -> Compared:
    """The outputs by what the steps left, then what every step left by what the step before left."""
    found = stepwise(node, weights, inputs, steps, replace(context, need=Need.PROBABLE))
    if len(got) != len(found.outputs):
        return Compared(reason=f"the framework gave {len(got)} outputs, the reference {len(found.outputs)}")
    enclosed = [*zip(found.outputs, got, strict=True), *((found.steps[name], value) for name, value in steps.items())]
    if not all(settled(e, value) for e, value in enclosed):
        found = stepwise(node, weights, inputs, steps, replace(context, need=Need.WORST))
    axes = [axes_of(node, g.ndim) if context.spread else None for g in got]
    outputs = tuple(compare(e, g, spread=a) for e, g, a in zip(found.outputs, got, axes, strict=True))
    inner = tuple(
        replace(compare(e, steps[name], _explain(node, weights, inputs, steps, name, context)), name=name)
        for name, e in found.steps.items()
    )
    return Compared((*outputs, *inner), shape_reason(outputs))


def unlike_outputs(node: Node, weights: Weights, inputs: Arrays, got: Arrays, context: Context) -> str:
    """Says so where the outputs have other shapes than the layer's, whatever its steps left."""
    own = [e.mid.shape for e in forward(node, weights, inputs, replace(context, need=Need.VALUES))]
    shapes = [g.shape for g in got]
    return "" if shapes == own else f"the framework's outputs have shapes {shapes}, the reference's {own}"


def unlike_steps(node: Node, inputs: Arrays, steps: Weights) -> str:
    """Says so where what was recorded of a step is no state of this layer: nothing can be computed from it."""
    for name, shape in step_shapes(node, inputs[0]).items():
        if steps[name].shape != shape:
            return f"the framework's steps ({name}) have shape {steps[name].shape}, and not {shape}"
    return ""


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
