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

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.alter import quantizers, quantizes
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.qkeras_other import QActivation
from refconv.ops.table import TABLE
from refconv.quantizers.base import LINEAR, Quantizer

NEAR = np.float32(2.0**-18)
Choose = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # the value as it is, the inner and the outer one
LINE = "code = np.rint(x / step)  # half to even; np.floor(np.abs(x) / step + 0.5) * np.sign(x) is half away from zero"


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    quantizer = quantizers(case).get("activation")
    alone = isinstance(case.attrs, QActivation) and quantizer is not None and quantizer.coding == LINEAR
    for label, choose in RULES.items():
        if quantizes(case) and (made := _weights(case, choose)):
            yield Change(f"{label}, weights", case.with_weights(**made), line=LINE)
            for name in made if len(made) > 1 else ():
                yield Change(f"{label}, {name}", case.with_weights(**{name: made[name]}), line=LINE)
        if alone and quantizer is not None:
            moved = rounded(quantizer, case.inputs[0], choose)
            yield Change(label, replace(case, inputs=(moved, *case.inputs[1:])), line=LINE)


def _weights(case: Case, choose: Choose) -> dict[str, np.ndarray]:
    """Those that a quantizer is given as they are stored: a folded one lies on no tie for sure."""
    slots = TABLE[case.node.type].slots
    found = slots(case.attrs, case.stored) if slots else {}
    return {
        name: rounded(slot.quantizer, slot.raw.mid.astype(np.float32), choose)
        for name, slot in found.items()
        if slot.quantizer and slot.quantizer.coding == LINEAR and not slot.quantizer.random and slot.raw.exact
    }


def rounded(quantizer: Quantizer, x: np.ndarray, choose: Choose) -> np.ndarray:
    """What the quantizer makes of x, of two values equally near the one that is chosen; the scale stays that of x."""
    x = np.asarray(x, np.float32)
    near = quantizer.quantize(x)
    scale = near.scale if getattr(quantizer, "auto", False) else None
    ends = [quantizer.quantize(x * (1 + side * NEAR), scale).values for side in (-1, 1)]
    inner, outer = (ends[0], ends[1])
    tie = (inner != outer) & (x == (inner + outer) / np.float32(2))
    return np.where(tie, choose(near.values, inner, outer), near.values)


def _other(near: np.ndarray, inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
    return np.where(near == inner, outer, inner)


RULES: dict[str, Choose] = {
    "away from zero": lambda near, inner, outer: outer,
    "towards zero": lambda near, inner, outer: inner,
    "upwards": lambda near, inner, outer: np.maximum(inner, outer),
    "downwards": lambda near, inner, outer: np.minimum(inner, outer),
    "the other way": _other,
}
RULE = Rule("RC103", "another tie rule", __doc__, propose)
