"""Input scaled otherwise.

## What
The model was fed its input divided by another number: pixels as they are, pixels/255 or pixels/256.

## Why
Training divided by one number and inference by another, or not at all; or both did, once in the model (a Rescaling
layer) and once before it. Fixed-point code divides by 256, a shift, where the network was trained on pixels/255.

## Example
A pixel of 128 is 0.502 of 255 and 0.5 of 256: in a quantized network enough for other codes.

## Fix
Divide by what the model was trained with.
"""

from collections.abc import Iterator

import numpy as np

from refconv.diagnose.fed import MADE, SCALED, fed, given_as, rerun
from refconv.diagnose.rule import Change, Question, Rule

FACTORS = {
    "times 255": 255.0,
    "divided by 255": 1 / 255,
    "times 256": 256.0,
    "divided by 256": 1 / 256,
    "times 255/256": 255 / 256,
    "times 256/255": 256 / 255,
}


def propose(question: Question) -> Iterator[Change]:
    """Of pixels, exactly; of other numbers, times a factor."""
    x = fed(question)
    if x is None:
        return
    known = given_as(x)
    if known is None:
        for label, factor in FACTORS.items():
            yield from rerun(question, f"the input {label}", (x * np.float64(factor)).astype(np.float32))
        return
    name, pixels = known
    for other in SCALED:
        if other != name:
            fix = f"What is given is {name}, and the values are those of {other}: feed both the same."
            label = f"{other} in place of {name}"
            yield from rerun(question, label, MADE[other][0](pixels), fix, _line(other))


def _line(name: str) -> str:
    return f"x = {name}  # float32"


RULE = Rule("RC501", "input scaled otherwise", __doc__, propose, reruns=True)
