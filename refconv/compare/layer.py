"""One layer call: the framework's own inputs through the reference, and its outputs judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from refconv.compare.declared import SINGLE, Declared
from refconv.compare.identify import identify
from refconv.compare.operands import Arrays, Weights, enclose
from refconv.compare.stage1 import deviate
from refconv.compare.tensor import compare
from refconv.errors import UnreadableModel
from refconv.graph import Node
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.formats import Format
from refconv.numerics.moments import Need
from refconv.ops.base import Context
from refconv.ops.table import TABLE
from refconv.reference.forward import NodeWeights
from refconv.result import Comparison, Verdict

UNDECLARED = Declared(SINGLE.name, (SINGLE,))
WRONG = (Verdict.MISMATCH, Verdict.SUSPECT)


@dataclass(frozen=True)
class Judgement:
    """Verdict of a layer, the comparison of each output and effective weight, and a reason where one is due."""

    verdict: Verdict
    outputs: tuple[Comparison, ...] = ()
    weights: Mapping[str, Comparison] = field(default_factory=dict)
    reason: str = ""


def judge(
    node: Node,
    weights: NodeWeights,
    recorded: Weights,
    inputs: Arrays,
    got: Arrays,
    context: Context,
    declared: Declared = UNDECLARED,
) -> Judgement:
    """Judge one layer call by the framework's own inputs to it.

    Args:
        weights: the reference's.
        recorded: the effective weights that the framework used, where the layer is quantized: first they are judged,
            then the outputs with them.
        inputs, got: the framework's.
        declared: the arithmetic; float32 unless another is.
    """
    weighed = {name: compare(own, recorded[name]) for name, own in weights.effective.items() if name in recorded}
    applied = {**weights.applied, **{name: recorded[name] for name in weighed}}
    outputs, reason = _best(node, applied, inputs, got, context, declared)
    if not outputs:
        return Judgement(Verdict.MISMATCH, outputs, weighed, reason)
    if any(c.verdict in WRONG for c in outputs) and (lower := identify(node, applied, inputs, got, context, declared)):
        outputs, reason = _degraded(outputs), lower
    verdict = max((c.verdict for c in (*outputs, *weighed.values())), key=lambda v: v.severity)
    if verdict in (Verdict.EXACT, Verdict.WITHIN) and (hollow := _vacuous(applied, inputs, got)):
        return Judgement(Verdict.VACUOUS, outputs, weighed, hollow)
    reason = _stored_used(node, weights.stored, inputs, got, outputs, context) or reason
    return Judgement(verdict, outputs, weighed, reason)


def _best(
    node: Node, weights: Weights, inputs: Arrays, got: Arrays, context: Context, declared: Declared
) -> tuple[tuple[Comparison, ...], str]:
    """By the first candidate that agrees, else by the one that comes closest: one kernel made the whole tensor."""
    found = []
    for arithmetic in declared.candidates:
        outputs, reason = compare_outputs(node, weights, inputs, got, replace(context, arithmetic=arithmetic))
        severity = max((c.verdict.severity for c in outputs), default=Verdict.MISMATCH.severity)
        if severity <= Verdict.WITHIN.severity:
            return outputs, reason
        found.append((severity, outputs, reason))
    return min(found, key=lambda one: one[0])[1:]


def compare_outputs(
    node: Node, weights: Weights, inputs: Arrays, got: Arrays, context: Context
) -> tuple[tuple[Comparison, ...], str]:
    """Under one arithmetic. The worst case is computed only where some element leaves the probable bound."""
    storage = context.arithmetic.format
    enclosures, explain = enclose(node, weights, inputs, replace(context, need=Need.PROBABLE))
    if len(got) != len(enclosures):
        return (), f"the framework gave {len(got)} outputs, the reference {len(enclosures)}"
    if any(_needs_worst(e, g, storage) for e, g in zip(enclosures, got, strict=True)):
        enclosures, explain = enclose(node, weights, inputs, replace(context, need=Need.WORST))
    compared = tuple(compare(e, g, explain, storage) for e, g in zip(enclosures, got, strict=True))
    return compared, _reason(compared)


def _degraded(outputs: tuple[Comparison, ...]) -> tuple[Comparison, ...]:
    """The outputs that failed, for a known reason."""
    return tuple(replace(c, verdict=Verdict.DEGRADED) if c.verdict in WRONG else c for c in outputs)


def _stored_used(
    node: Node, stored: Weights, inputs: Arrays, got: Arrays, outputs: Sequence[Comparison], context: Context
) -> str:
    """Says so where a quantized layer's output is wrong with its effective weights and right with its stored ones."""
    wrong = any(c.verdict is Verdict.MISMATCH for c in outputs)
    if not wrong or TABLE[node.type].slots is None:
        return ""
    try:
        raw, _ = compare_outputs(node, stored, inputs, got, context)
    except UnreadableModel:  # folded weights have other shapes than the stored ones
        return ""
    if any(c.verdict.severity >= Verdict.SUSPECT.severity for c in raw):
        return ""
    return "the output is that of the stored weights, not of the effective (quantized) ones"


def _needs_worst(enclosure: Enclosure, got: np.ndarray, storage: Format) -> bool:
    if got.shape != enclosure.mid.shape:
        return False
    return bool(deviate(enclosure, got, storage).outside.any())


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
