"""VALID instead of SAME, or SAME instead of VALID.

## What
The window stays inside the input where it should reach over its border into zeros, or the other way round.

## Why
Keras layers default to VALID, most networks ask for SAME. A causal convolution pads on one side only.

## Example
3×3 on 32×32 gives 32×32 with SAME and 30×30 with VALID.

## Fix
Take `padding` from the layer's configuration.
"""

from collections.abc import Iterator

from refconv.compare.counterfactuals.windows import SLIDING
from refconv.diagnose.alter import by_rows
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.transposed import Transposed

ROWS = by_rows("VALID instead of SAME", "SAME instead of causal")


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    said = "SAME instead of causal" if getattr(case.attrs, "padding", "") == "causal" else "VALID instead of SAME"
    for change in ROWS(question):
        yield Change(said, change.case)
    if isinstance(case.attrs, (*SLIDING, Transposed)) and case.attrs.padding == "valid":
        yield Change("SAME instead of VALID", case.with_attrs(padding="same"))


RULE = Rule("RC202", "another padding mode", __doc__, propose)
