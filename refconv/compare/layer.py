"""One layer call: the framework's own inputs through the reference, and its outputs judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from refconv.compare import slope
from refconv.compare.declared import SINGLE, Candidates, Declared
from refconv.compare.direction import direction
from refconv.compare.identify import identify
from refconv.compare.operands import Arrays, distinct, enclose
from refconv.compare.spread import axes_of
from refconv.compare.stepwise import compare_steps, unlike_outputs, unlike_steps
from refconv.compare.tensor import Compared, compare, settled, shape_reason
from refconv.graph import Node
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.formats import Field
from refconv.numerics.moments import Need
from refconv.ops.base import Context, Weights
from refconv.reference.forward import NodeWeights, step_names
from refconv.result import Comparison, Verdict

Find = Callable[[Node, Weights, Arrays, Arrays, Context], Compared]

UNDECLARED = Declared(SINGLE.name, (SINGLE,))
WRONG = (Verdict.MISMATCH, Verdict.SUSPECT)


@dataclass(frozen=True)
class Judgement:
    """Verdict of a layer, the comparison of each output and effective weight, and a reason where one is due."""

    verdict: Verdict
    outputs: tuple[Comparison, ...] = ()
    weights: Mapping[str, Comparison] = field(default_factory=dict)
    reason: str = ""
    sigma: tuple[Field, ...] = ()  # of each output
    candidates: Candidates = (SINGLE,)  # what it might have computed in; first the one by which it was judged


def judge(
    node: Node,
    weights: NodeWeights,
    recorded: Weights,
    inputs: Arrays,
    got: Arrays,
    context: Context,
    declared: Declared = UNDECLARED,
    steps: Weights | None = None,
) -> Judgement:
    """Judge one layer call by the framework's own inputs to it.

    Args:
        weights: the reference's.
        recorded: the effective weights that the framework used, where the layer is quantized: first they are judged,
            then the outputs with them.
        inputs, got: the framework's.
        declared: the arithmetic; float32 unless another is.
        steps: what the framework's own steps left, by name, for a layer made of steps.
    """
    names, steps = step_names(node), steps or {}
    if missing := [name for name in names if name not in steps]:
        return Judgement(Verdict.UNVERIFIED, reason=f"the framework's steps ({', '.join(missing)}) could not be seen")
    find = partial(compare_steps, steps={name: steps[name] for name in names}) if names else compare_outputs
    weighed = {name: compare(own, recorded[name]) for name, own in weights.effective.items() if name in recorded}
    if unlike := _unlike_weights(weights, recorded):
        return Judgement(Verdict.MISMATCH, (), weighed, unlike)
    applied = {**weights.applied, **{name: recorded[name] for name in weighed}}
    if names and (unlike := unlike_steps(node, inputs, steps)):
        wrong = unlike_outputs(node, applied, inputs, got, context)
        return Judgement(Verdict.MISMATCH if wrong else Verdict.UNVERIFIED, (), weighed, wrong or unlike)
    found, candidates = _best(
        node, applied, inputs, got, context, distinct(node, applied, inputs, declared.candidates), find
    )
    if not found.tensors:
        return Judgement(Verdict.MISMATCH, (), weighed, found.reason, (), candidates)
    failing = any(c.failing for c in found.tensors)  # a trend alone is none of a lower arithmetic
    if failing and not names and (lower := identify(node, applied, inputs, got, context, declared)):
        found = Compared(_degraded(found.tensors), lower, found.sigma)
    verdict = max((found.verdict, *(c.verdict for c in weighed.values())), key=lambda v: v.severity)
    if verdict in (Verdict.EXACT, Verdict.WITHIN) and (hollow := _vacuous(applied, inputs, got)):
        return Judgement(Verdict.VACUOUS, found.tensors, weighed, hollow, found.sigma, candidates)
    return Judgement(verdict, found.tensors, weighed, found.reason, found.sigma, candidates)


def _unlike_weights(weights: NodeWeights, recorded: Weights) -> str:
    """Says so where an effective weight has another shape than the layer's: nothing can be computed with it."""
    for name, own in weights.effective.items():
        if name in recorded and recorded[name].shape != own.mid.shape:
            return f"the framework's effective {name} has shape {recorded[name].shape}, the reference's {own.mid.shape}"
    return ""


def _best(
    node: Node, weights: Weights, inputs: Arrays, got: Arrays, context: Context, candidates: Candidates, find: Find
) -> tuple[Compared, Candidates]:
    """By the first candidate that agrees, else by the one that comes closest: one kernel made the whole tensor.

    And all candidates, this one first.
    """
    tried: list[tuple[Compared, Arithmetic]] = []
    for arithmetic in candidates:
        found = find(node, weights, inputs, got, replace(context, arithmetic=arithmetic))
        if found.verdict.severity <= Verdict.WITHIN.severity:
            tried = [(found, arithmetic)]
            break
        tried.append((found, arithmetic))
    best, by = min(tried, key=lambda one: one[0].verdict.severity)
    return best, (by, *(a for a in candidates if a != by))


def compare_outputs(node: Node, weights: Weights, inputs: Arrays, got: Arrays, context: Context) -> Compared:
    """Under one arithmetic. The worst case is computed only where some element leaves the probable bound."""
    storage = context.arithmetic.format
    enclosures, explain = enclose(node, weights, inputs, replace(context, need=Need.PROBABLE))
    if len(got) != len(enclosures):
        return Compared(reason=f"the framework gave {len(got)} outputs, the reference {len(enclosures)}")
    known = [settled(e, g, storage) for e, g in zip(enclosures, got, strict=True)]
    if not all(known):
        enclosures, explain = enclose(node, weights, inputs, replace(context, need=Need.WORST))
        known = [None] * len(got)
    axes = [axes_of(node, g.ndim) if context.spread else None for g in got]
    each = zip(enclosures, got, known, axes, strict=True)
    compared = tuple(compare(e, g, explain, storage, d, spread=a) for e, g, d, a in each)
    trend = ""
    if slope.applies(node, context):
        along = partial(direction, node, weights, inputs, context)
        compared, trend = slope.judge(compared, enclosures, got, along)
    return Compared(compared, shape_reason(compared) or trend, tuple(e.sigma for e in enclosures))


def _degraded(outputs: tuple[Comparison, ...]) -> tuple[Comparison, ...]:
    """The outputs that failed, for a known reason."""
    return tuple(replace(c, verdict=Verdict.DEGRADED) if c.verdict in WRONG else c for c in outputs)


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
