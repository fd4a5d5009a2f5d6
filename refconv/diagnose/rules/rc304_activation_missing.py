"""Activation missing.

## What
What stands before the activation is given out.

## Why
Keras writes the activation as an argument of the layer, where it is easily overlooked; exported graphs show it as a
node of its own.

## Example
`Dense(10, activation="softmax")` gives probabilities, its logits are another tensor.

## Fix
Apply the layer's activation after the bias.
"""

from collections.abc import Iterator

from refconv.compare.counterfactuals.activations import ALONE
from refconv.diagnose.alter import by_rows, quantizers
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.identity import Nothing

ROWS = by_rows("activation missing")


def propose(question: Question) -> Iterator[Change]:
    """Not of a quantized activation, of which RC110 speaks."""
    case = question.case
    if "activation" in quantizers(case):
        return
    yield from ROWS(question)
    if isinstance(case.attrs, ALONE):
        yield Change("", case.as_type("Identity", Nothing()))


RULE = Rule("RC304", "activation missing", __doc__, propose)
