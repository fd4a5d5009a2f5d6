"""The un-instrumented `predict` beside the chained reference.

Recording every layer changes what the graph fuses, and so the last bits (TRAPS 17). `predict` drifts from the chained
reference by rounding alone, as the instrumented run does and the reference's own runs with drawn errors do
(reference/shadow.py): it may be FACTOR times as far away as the farthest of those, never more. One run alone says too
little: on few outputs the errors of a whole network reach along one direction, and the ratio of two such drifts exceeds
any factor f in a share of about 2/(πf) of all runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refconv.compare.drift import drift
from refconv.graph import Graph
from refconv.numerics.formats import is_real
from refconv.result import LayerResult, PlainResult

FACTOR = 8.0

Outputs = Sequence[np.ndarray]


def judge_plain(plain: Outputs, rounding: Sequence[Outputs], reference: Outputs, slack: float) -> PlainResult:
    """Judge `predict`.

    Args:
        plain, reference: the model's outputs, one array per output.
        rounding: the outputs of other runs that round: the instrumented one, and the reference's.
        slack: the last layers' own largest probable bound: what a run may be off by where all others happen to be
            exact.
    """
    if [p.shape for p in plain] != [r.shape for r in reference]:
        shapes = f"predict gave shapes {[p.shape for p in plain]}, the reference {[r.shape for r in reference]}"
        return PlainResult(np.inf, np.inf, ok=False, reason=shapes)
    if unlike := [p.dtype.name for p, r in zip(plain, reference, strict=True) if is_real(p.dtype) != is_real(r.dtype)]:
        return PlainResult(np.inf, np.inf, ok=False, reason=f"predict gave {', '.join(unlike)}, the reference did not")
    apart = drift(reference, plain)
    if apart is None:
        return PlainResult(0.0, 0.0, ok=True)
    others = [other.max_abs_error for run in rounding if (other := drift(reference, run))]
    farthest = max((error for error in others if np.isfinite(error)), default=0.0)  # one that overflows allows nothing
    allowed = FACTOR * (farthest + (slack if np.isfinite(slack) else 0.0))
    used = 0.0 if apart.max_abs_error == 0 else np.inf if allowed == 0 else apart.max_abs_error / allowed
    ok = bool(used <= 1.0)
    reason = "" if ok else "every layer may agree alone: only the un-instrumented graph of `predict` is wrong"
    return PlainResult(apart.max_abs_error, float(used), ok, reason)


@dataclass(frozen=True)
class Ends:
    """The model's outputs for the samples of one slice.

    Attributes:
        reference: the exact run's; None where they depend on what is not known.
        rounding: the runs' that round: the instrumented one, and the reference's with errors drawn.
    """

    reference: Outputs | None
    rounding: Sequence[Outputs]


def plain_result(
    graph: Graph, plain: Outputs, slices: Sequence[Ends], layers: Sequence[LayerResult]
) -> PlainResult | None:
    """`predict` beside the runs; None where it or they did not run, or a layer has no values or no reference.

    Behind a layer without a reference all runs go on from the framework's one output of it: how far a conforming run
    may have drifted before it is then not seen.
    """
    if any(node.attrs is None for node in graph.nodes if node.index not in graph.inputs):
        return None
    known = [s.reference for s in slices if s.reference is not None]
    if not plain or not known or len(known) < len(slices):
        return None
    last = {ref.node for ref in graph.outputs}
    allowed = [c.worst.allowed for r in layers if r.index in last for c in r.outputs if c.worst and not c.name]
    rounding = [_joined(run) for run in zip(*(s.rounding for s in slices), strict=False)]
    return judge_plain(plain, rounding, _joined(known), slack=max(allowed, default=0.0))


def _joined(slices: Sequence[Outputs]) -> Outputs:
    """Each output over the samples of all slices."""
    return [np.concatenate(parts) if len(parts) > 1 else parts[0] for parts in zip(*slices, strict=True)]
