"""A layer's calls in the other runs of the same pass: judged like the first, and told apart from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from refconv.compare.layer import Judgement
from refconv.numerics.formats import is_float
from refconv.result import LayerResult, Variation
from refconv.trace import Again, Call, Trace


def others(call: Call, trace: Trace) -> list[Again]:
    """The call's other runs of which any tensor had other bits."""
    return [again for again in trace.again if (again.call.layer, again.call.call) == (call.layer, call.call)]


def variation(call: Call, again: Sequence[Again], trace: Trace) -> Variation | None:
    """How the outputs varied; None where in all runs they were the same.

    It is the layer's own doing where its inputs and weights were the same as in the first run.
    """
    differing = [other for other in again if other.call.outputs != call.outputs]
    if not differing:
        return None
    given = [(other.call.inputs, other.call.weights) for other in differing]
    own = (call.inputs, call.weights) in given
    largest = max(_largest(call.outputs, other.call.outputs, trace) for other in differing)
    return Variation(len(differing), largest, own)


def with_run(result: LayerResult, run: int, judged: Judgement) -> LayerResult:
    """The result, or that of another run where it is graver."""
    if judged.verdict.severity <= result.verdict.severity:
        return result
    reason = "; ".join(filter(None, (judged.reason, f"run {run + 1} of the same pass, not the first")))
    return replace(result, verdict=judged.verdict, reason=reason, outputs=judged.outputs, weights=judged.weights)


def _largest(first: Sequence[str], other: Sequence[str], trace: Trace) -> float:
    if len(first) != len(other):
        return np.inf
    pairs = zip(first, other, strict=True)
    return max((_apart(trace.tensors[a], trace.tensors[b]) for a, b in pairs), default=0.0)


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference; inf where they are not the same NaN, the same infinity or of one shape."""
    if one.shape != other.shape:
        return np.inf
    if not is_float(one.dtype):
        return float(np.max(one != other, initial=0))
    a, b = one.astype(np.float64), other.astype(np.float64)
    with np.errstate(all="ignore"):
        apart = np.where((a == b) | ((a != a) & (b != b)), 0.0, np.abs(a - b))
    return float(np.max(np.where(np.isnan(apart), np.inf, apart), initial=0.0))
