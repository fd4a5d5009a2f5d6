"""Softmax over another axis.

## What
The softmax adds up to one along another axis than it should: height or width, or the batch.

## Why
Keras takes the last axis; a channels-first network wants the second, and old PyTorch code leaves the axis to be
guessed.

## Example
Probabilities of ten classes for one sample do not add up to 1, those of ten samples for one class do.

## Fix
Give the axis: `softmax(x, axis=-1)`.
"""

from collections.abc import Iterator

from refconv.diagnose.alter import by_rows
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.activation_layers import Softmax
from refconv.ops.activations import Activation

ROWS = by_rows("softmax over another axis", "softmax over the batch")


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    found, x = getattr(case.attrs, "activation", None), case.inputs[0] if case.inputs else None
    for change in ROWS(question):
        yield Change("", change.case)
    if x is None:
        return
    for axis in range(x.ndim):
        if isinstance(case.attrs, Softmax):
            yield Change(f"axis {axis}", case.with_attrs(axis=(axis,)))
        elif isinstance(found, Activation) and found.name == "softmax":
            yield Change(f"axis {axis}", case.with_attrs(activation=Activation("softmax", (("axis", axis),))))


RULE = Rule("RC312", "softmax over another axis", __doc__, propose)
