"""A few channels of a layer call: enough to see that most alterations do not give what was observed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.compare.sampling import by_input, channels_axis, elementwise, taking
from refconv.compare.stage1 import deviate
from refconv.diagnose.fit import enclosed, weigh
from refconv.diagnose.observation import Observation
from refconv.diagnose.rule import Change, Question
from refconv.errors import RefconvError
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.moments import Need
from refconv.ops.base import Context

FEW = 4  # channels
MOST = 0.5  # of a weight: near a tie a code may be another, and not in so many places at once
SLACK = 2.0**-20  # of the largest value: a part may seem exact where the whole is not, and errs by rounding then


@dataclass(frozen=True)
class Part:
    """Some channels of a layer's output: which, of how many, along which axis of the output."""

    axis: int
    chosen: np.ndarray
    count: int


def part_of(question: Question, worst: tuple[int, ...]) -> Part | None:
    """The channel of the largest error and a few others that were observed; None where channels are not to be had.

    Args:
        worst: index of the output element that is farthest off.
    """
    case = question.case
    axis = channels_axis(case)
    if axis is None or not worst or not _separable(case) or len(question.observed) != 1:
        return None
    count = _outputs(case)
    seen = question.observed[0].channels(axis, count)
    if len(seen) <= FEW or not np.isin(worst[axis], seen):
        return None
    others = seen[np.linspace(0, len(seen) - 1, FEW - 1).astype(int)]
    return Part(axis, np.unique([*others, worst[axis]]), count)


def _separable(case: Case) -> bool:
    """Whether each output channel is computed without the others."""
    if not elementwise(case) or getattr(case.attrs, "groups", 1) > 1 or by_input(case.attrs):
        return False
    return taking(case)[1] is not None


def _outputs(case: Case) -> int:
    return taking(case)[0]


def remaining(question: Question, change: Change, part: Part | None, context: Context) -> float:
    """The largest error of what was observed beside the altered call, in units of the bound; inf for another shape.

    A value of at most 1 says that the change may explain what was observed: the whole output must be asked then.
    Where only rounding is left, though bits are demanded of the part, that is said as 1 too.
    """
    if _unlike(question, change.case):
        return float("inf")
    weighed, case = weigh(question, change)
    if any(c.failing for c in weighed.values()):
        return max(c.bound_used for c in weighed.values())
    observed = question.observed
    if part is not None and change.plain and _separable(case) and _outputs(case) == part.count:
        narrow = taking(case)[1]
        assert narrow is not None
        case, observed = narrow(part.chosen), (observed[0].among(part.axis, part.chosen),)
    candidates = (change.arithmetic,) if change.arithmetic else question.candidates
    return min(_largest(case, change, observed, replace(context, arithmetic=a)) for a in candidates)


def _unlike(question: Question, case: Case) -> bool:
    """Whether most of a recorded weight is neither the altered one nor the layer's own: their enclosures take long."""

    def differs(name: str, other: np.ndarray) -> bool:
        recorded = question.recorded[name]
        if recorded.shape != other.shape:
            return True
        return float(np.mean((recorded != other) & ~(np.isnan(recorded) & np.isnan(other)))) > MOST

    held = [name for name in question.recorded if name in case.weights and name in question.effective]
    return any(differs(n, case.weights[n]) and differs(n, question.effective[n].mid) for n in held)


def _largest(case: Case, change: Change, observed: Sequence[Observation], context: Context) -> float:
    enclosures, _ = enclosed(case, change, replace(context, need=Need.WORST))
    if len(observed) > len(enclosures):
        return float("inf")
    return max(_share(o, e, context) for o, e in zip(observed, enclosures, strict=False))


def _share(observation: Observation, enclosure: Enclosure, context: Context) -> float:
    if not observation.fits(enclosure.mid.shape):
        return float("inf")
    got = observation.filled(enclosure)
    deviation = deviate(enclosure, got, context.arithmetic.format)
    with np.errstate(all="ignore"):
        size = np.max(np.abs(enclosure.mid), initial=0.0, where=np.isfinite(enclosure.mid))
        outside = deviation.error > deviation.limit + SLACK * float(size)
    largest = float(np.max(deviation.used, initial=0.0))
    return max(largest, float(np.nextafter(1, 2))) if outside.any() else min(largest, 1.0)


def computable(question: Question, change: Change, part: Part | None, context: Context) -> float:
    """`remaining`; inf where the altered call cannot be computed."""
    try:
        return remaining(question, change, part, context)
    except (RefconvError, ValueError, IndexError):
        return float("inf")
