"""One layer call: the framework's own inputs through the reference, and its outputs judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from refconv.compare import slope, stage2
from refconv.compare.stage1 import deviate
from refconv.compare.tensor import Explain, Index, compare
from refconv.errors import UnreadableModel
from refconv.graph import Node
from refconv.numerics.enclosure import Enclosure, point
from refconv.numerics.formats import FLOAT32
from refconv.numerics.moments import Need
from refconv.ops.activations import LINEAR
from refconv.ops.base import Context, Terms
from refconv.ops.table import TABLE
from refconv.reference.forward import NodeWeights, forward, step_names, stepwise
from refconv.result import Comparison, Verdict

Arrays = Sequence[np.ndarray]
Weights = Mapping[str, np.ndarray]
Find = Callable[[Node, Weights, Arrays, Arrays, Context], tuple[tuple[Comparison, ...], str]]


@dataclass(frozen=True)
class Judgement:
    """Verdict of a layer, the comparison of each output and effective weight, and a reason where one is due."""

    verdict: Verdict
    outputs: tuple[Comparison, ...] = ()
    weights: Mapping[str, Comparison] = field(default_factory=dict)
    reason: str = ""


def undeclared(node: Node) -> str:
    """Why the node's arithmetic has no bound; "" where it has one, or where the layer rounds nothing."""
    if node.dtype == FLOAT32.name or TABLE[node.type].exact:
        return ""
    return f"it computes in {node.dtype}, and bounds exist for {FLOAT32.name} only"


def judge(
    node: Node,
    weights: NodeWeights,
    recorded: Weights,
    inputs: Arrays,
    got: Arrays,
    context: Context,
    steps: Weights | None = None,
) -> Judgement:
    """Judge one layer call by the framework's own inputs to it.

    Args:
        weights: the reference's.
        recorded: the effective weights that the framework used, where the layer is quantized: first they are judged,
            then the outputs with them.
        inputs, got: the framework's.
        steps: what the framework's own steps left, by name, for a layer made of steps.
    """
    names, steps = step_names(node), steps or {}
    if missing := [name for name in names if name not in steps]:
        return Judgement(Verdict.UNVERIFIED, reason=f"the framework's steps ({', '.join(missing)}) could not be seen")
    find = partial(_of_steps, steps={name: steps[name] for name in names}) if names else _outputs
    weighed = {name: compare(own, recorded[name]) for name, own in weights.effective.items() if name in recorded}
    applied = {**weights.applied, **{name: recorded[name] for name in weighed}}
    outputs, reason = find(node, applied, inputs, got, context)
    verdicts = [c.verdict for c in (*outputs, *weighed.values())]
    if not outputs:
        return Judgement(Verdict.MISMATCH, outputs, weighed, reason)
    verdict = max(verdicts, key=lambda v: v.severity)
    if verdict in (Verdict.EXACT, Verdict.WITHIN) and (hollow := _vacuous(applied, inputs, got)):
        return Judgement(Verdict.VACUOUS, outputs, weighed, hollow)
    stored_used = _stored_used(node, weights.stored, inputs, got, outputs, context, find)
    return Judgement(verdict, outputs, weighed, stored_used or reason)


def _outputs(
    node: Node, weights: Weights, inputs: Arrays, got: Arrays, context: Context
) -> tuple[tuple[Comparison, ...], str]:
    """The worst case is computed only where some element leaves the probable bound."""
    enclosures = forward(node, weights, inputs, replace(context, need=Need.PROBABLE))
    if len(got) != len(enclosures):
        return (), f"the framework gave {len(got)} outputs, the reference {len(enclosures)}"
    if any(_needs_worst(e, g) for e, g in zip(enclosures, got, strict=True)):
        enclosures = forward(node, weights, inputs, replace(context, need=Need.WORST))
    explain = _explain(node, weights, inputs, context)
    compared = tuple(compare(e, g, explain) for e, g in zip(enclosures, got, strict=True))
    if slope.applies(node, context):
        compared, trend = slope.judge(compared, enclosures, got)
        return compared, _reason(compared) or trend
    return compared, _reason(compared)


def _of_steps(
    node: Node, weights: Weights, inputs: Arrays, got: Arrays, context: Context, *, steps: Weights
) -> tuple[tuple[Comparison, ...], str]:
    """The outputs by what the steps left, then what every step left by what the step before left."""
    found = stepwise(node, weights, inputs, steps, replace(context, need=Need.PROBABLE))
    if len(got) != len(found.outputs):
        return (), f"the framework gave {len(got)} outputs, the reference {len(found.outputs)}"
    if any(_needs_worst(found.steps[name], value) for name, value in steps.items()):
        found = stepwise(node, weights, inputs, steps, replace(context, need=Need.WORST))
    outputs = tuple(compare(e, g) for e, g in zip(found.outputs, got, strict=True))
    inner = tuple(
        replace(compare(e, steps[name], _explain_step(node, weights, inputs, steps, name, context)), name=name)
        for name, e in found.steps.items()
    )
    return (*outputs, *inner), _reason(outputs)


def _explain_step(node: Node, weights: Weights, inputs: Arrays, steps: Weights, name: str, context: Context) -> Explain:
    row, given = TABLE[node.type].steps, tuple(point(x) for x in inputs)
    states = {key: point(value) for key, value in steps.items()}
    assert row is not None

    def close(terms: Terms) -> Enclosure:
        return stage2.enclose(terms, context.arithmetic)

    def explain(index: Index) -> Enclosure | None:
        with np.errstate(all="ignore"):
            return row.explain(node.attrs, weights, given, states, name, index, context, close)

    return explain


def _stored_used(
    node: Node,
    stored: Weights,
    inputs: Arrays,
    got: Arrays,
    outputs: Sequence[Comparison],
    context: Context,
    find: Find,
) -> str:
    """Says so where a quantized layer's output is wrong with its effective weights and right with its stored ones."""
    wrong = any(c.verdict is Verdict.MISMATCH for c in outputs)
    if not wrong or TABLE[node.type].slots is None:
        return ""
    try:
        raw, _ = find(node, stored, inputs, got, context)
    except UnreadableModel:  # folded weights have other shapes than the stored ones
        return ""
    if any(c.verdict.severity >= Verdict.SUSPECT.severity for c in raw):
        return ""
    return "the output is that of the stored weights, not of the effective (quantized) ones"


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
