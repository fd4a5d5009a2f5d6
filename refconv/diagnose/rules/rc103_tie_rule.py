"""Another tie rule.

## What
Values exactly between two codes go to the other one.

## Why
QKeras rounds half to even where alpha is given, and half away from zero where it is computed from the data. C's
`round` goes away from zero, hardware often adds one half and cuts, NumPy and Python round half to even.

## Example
With a step of 0.25, 0.125 becomes 0 (even), or 0.25 (away from zero).

## Fix
Round half to even where alpha is given (`numpy.rint`), half away from zero where it is "auto" or "auto_po2".
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.alter import quantizers, quantizes
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.qkeras_other import QActivation
from refconv.ops.table import TABLE
from refconv.quantizers.base import LINEAR, Quantizer

NEAR = np.float32(2.0**-18)
LINE = "code = np.rint(x / step)  # half to even; np.floor(np.abs(x) / step + 0.5) * np.sign(x) is half away from zero"


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    if quantizes(case) and (made := _weights(case)):
        yield Change("weights", case.with_weights(**made), line=LINE)
        for name in made if len(made) > 1 else ():
            yield Change(name, case.with_weights(**{name: made[name]}), line=LINE)
    quantizer = quantizers(case).get("activation")
    if isinstance(case.attrs, QActivation) and quantizer is not None and quantizer.coding == LINEAR:
        moved = other(quantizer, case.inputs[0])
        yield Change("activation", replace(case, inputs=(moved, *case.inputs[1:])), line=LINE)


def _weights(case: Case) -> dict[str, np.ndarray]:
    """Those that a quantizer is given as they are stored: a folded one lies on no tie for sure."""
    slots = TABLE[case.node.type].slots
    found = slots(case.attrs, case.stored) if slots else {}
    return {
        name: other(slot.quantizer, slot.raw.mid.astype(np.float32))
        for name, slot in found.items()
        if slot.quantizer and slot.quantizer.coding == LINEAR and not slot.quantizer.random and slot.raw.exact
    }


def other(quantizer: Quantizer, x: np.ndarray) -> np.ndarray:
    """What the quantizer makes of x, ties given to their other neighbour; the scale stays that of x."""
    x = np.asarray(x, np.float32)
    near = quantizer.quantize(x)
    scale = near.scale if getattr(quantizer, "auto", False) else None
    below, above = (quantizer.quantize(x * (1 + side * NEAR), scale).values for side in (-1, 1))
    tie = (below != above) & (x == (below + above) / np.float32(2))
    return np.where(tie, below + above - near.values, near.values)


RULE = Rule("RC103", "another tie rule", __doc__, propose)
