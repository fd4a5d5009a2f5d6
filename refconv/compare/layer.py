"""One layer call: the framework's own inputs through the reference, and its outputs judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from refconv.compare import stage2
from refconv.compare.stage1 import deviate
from refconv.compare.tensor import Explain, Index, compare
from refconv.graph import Node
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.moments import Need
from refconv.ops.activations import LINEAR
from refconv.ops.base import Context
from refconv.ops.table import TABLE
from refconv.reference.forward import forward
from refconv.result import Comparison, Verdict

Arrays = Sequence[np.ndarray]
Weights = Mapping[str, np.ndarray]


def judge(
    node: Node, weights: Weights, inputs: Arrays, got: Arrays, context: Context
) -> tuple[Verdict, tuple[Comparison, ...], str]:
    """Verdict of the layer, the comparison of each output, and a reason where one is due.

    The worst case is computed only where some element leaves the probable bound.
    """
    enclosures = forward(node, weights, inputs, replace(context, need=Need.PROBABLE))
    if len(got) != len(enclosures):
        reason = f"the framework gave {len(got)} outputs, the reference {len(enclosures)}"
        return Verdict.MISMATCH, (), reason
    if any(_needs_worst(e, g) for e, g in zip(enclosures, got, strict=True)):
        enclosures = forward(node, weights, inputs, replace(context, need=Need.WORST))
    compared = tuple(
        compare(e, g, _explain(node, weights, inputs, context)) for e, g in zip(enclosures, got, strict=True)
    )
    verdict = max((c.verdict for c in compared), key=lambda v: v.severity)
    if verdict in (Verdict.EXACT, Verdict.WITHIN) and (reason := _vacuous(weights, inputs, got)):
        return Verdict.VACUOUS, compared, reason
    return verdict, compared, _reason(compared)


def _needs_worst(enclosure: Enclosure, got: np.ndarray) -> bool:
    if got.shape != enclosure.mid.shape:
        return False
    return bool(deviate(enclosure, got).outside.any())


def _explain(node: Node, weights: Weights, inputs: Arrays, context: Context) -> Explain | None:
    find = TABLE[node.type].terms
    if find is None or not getattr(node.attrs, "activation", LINEAR).elementwise:
        return None  # after a softmax no element has a sum of its own

    def explain(index: Index) -> Enclosure:
        return stage2.enclose(find(node.attrs, weights, inputs, index, context), context.arithmetic)

    return explain


def _vacuous(weights: Weights, inputs: Arrays, got: Arrays) -> str:
    """Why agreement proves nothing: a layer with weights that was fed nothing, or that let nothing through."""
    if not any(g.size for g in got):
        return "the output is empty"
    if not weights:
        return ""
    if not any(np.any(x) for x in inputs):
        return "all inputs are zero, so no weight was exercised"
    if not any(np.any(g) for g in got) and all(np.any(w) for w in weights.values()):
        return "all outputs are zero, so a fault could hide behind them"
    return ""


def _reason(compared: tuple[Comparison, ...]) -> str:
    for c in compared:
        if c.worst is None and c.verdict is Verdict.MISMATCH:
            return f"the framework's output has shape {c.shape}, which is not the reference's"
    return ""
