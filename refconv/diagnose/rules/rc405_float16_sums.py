"""Sums accumulated in float16.

## What
Operands, products and every partial sum were rounded to float16, one term after the other.

## Why
A loop in half precision without a wider accumulator: embedded FPUs, hand-written kernels, TensorFlow's own eager
depthwise 7x7 convolution on CPU. The order of the loops matters; those of a plain convolution or product are tried.
Where a kernel adds in another order nothing exact can be said, and `check` calls the layer degraded if it is
compatible.

## Example
2048 + 1 = 2048 in float16: from there on small terms are lost.

## Fix
Accumulate in float32, and round once at the end.
"""

from collections.abc import Callable, Iterator

from refconv.diagnose.half import CHANNELS_OUTSIDE, TAPS_FIRST, applies, simulated
from refconv.diagnose.rule import Change, Question, Rule
from refconv.numerics.enclosure import Enclosure
from refconv.ops.base import Context
from refconv.ops.dense import Dense


def propose(question: Question) -> Iterator[Change]:
    """Each order of the loops, with products rounded before they are added, and not."""
    case = question.case
    if not applies(case):
        return
    orders = (TAPS_FIRST,) if isinstance(case.attrs, Dense) else (TAPS_FIRST, CHANNELS_OUTSIDE)
    for order in orders:
        for fused in (False, True):
            said = "" if isinstance(case.attrs, Dense) else order
            label = ", ".join(filter(None, (said, "fused multiply-add" if fused else "")))
            yield Change(label, case, then=_then(question, order, fused=fused))


def _then(question: Question, order: str, *, fused: bool) -> Callable[[Enclosure, Context], Enclosure]:
    def then(closed: Enclosure, context: Context) -> Enclosure:
        return Enclosure(simulated(question.case, order, fused=fused))

    return then


RULE = Rule("RC405", "sums accumulated in float16", __doc__, propose)
