"""Dilation ignored or doubled.

## What
The kernel's taps lie side by side where they should be `dilation_rate` apart, or twice as far apart.

## Why
Dilation is an attribute that older converters do not know; where it is emulated by spacing, gaps and steps are easily
confused (a gap of 2 is a step of 3).

## Example
Three taps with dilation 2 read x0, x2, x4; ignored, x0, x1, x2.

## Fix
Read tap k at k·dilation_rate.
"""

from collections.abc import Iterator

from refconv.diagnose.alter import by_rows
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.convolution import Convolution
from refconv.ops.depthwise import Depthwise

ROWS = by_rows("dilation ignored")


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    for change in ROWS(question):
        yield Change("ignored", change.case)
    if not isinstance(case.attrs, (Convolution, Depthwise)) or max(case.attrs.kernel_size) == 1:
        return
    rate = case.attrs.dilation_rate
    yield Change("doubled", case.with_attrs(dilation_rate=tuple(2 * r for r in rate)))
    if max(rate) > 1:
        yield Change("one too many", case.with_attrs(dilation_rate=tuple(r + 1 for r in rate)))


RULE = Rule("RC208", "dilation ignored or doubled", __doc__, propose)
