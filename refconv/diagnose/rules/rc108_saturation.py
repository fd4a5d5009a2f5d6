"""No saturation.

## What
Values beyond the last code are not held there: they go on, or they wrap around to the other end.

## Why
Two's complement wraps unless hardware is told to saturate (`ap_fixed` without AP_SAT wraps); a quantizer written as
round(x/step)*step has no ends at all.

## Example
Four bits end at 7: a code of 9 is 7 saturated, 9 without ends, -7 wrapped.

## Fix
Clip the code to its range before it is used, or declare AP_SAT.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from refconv.diagnose.alter import by_quantizer, has, quantizers, quantizes
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.qkeras_other import QActivation
from refconv.ops.table import TABLE
from refconv.quantizers.base import LINEAR, Quantizer

FAR = 16  # bits more in front: what no value of a network reaches


def turn(q: Quantizer) -> Iterator[tuple[str, Quantizer]]:
    """The same step, and ends that are far away."""
    if has(q, "bits", "integer") and q.coding == LINEAR and not isinstance(getattr(q, "alpha", None), str):
        yield "no ends", replace(q, bits=q.bits + FAR, integer=q.integer + FAR)  # type: ignore[attr-defined,call-arg]


ENDLESS = by_quantizer(turn)


def propose(question: Question) -> Iterator[Change]:
    yield from ENDLESS(question)
    case = question.case
    if isinstance(case.attrs, QActivation) and (q := _fixed(quantizers(case).get("activation"))):
        yield Change("wrapped around", case.with_input(wrapped(q, case.inputs[0])))
    slots = TABLE[case.node.type].slots
    if not quantizes(case) or slots is None:
        return
    held = {name: (slot, q) for name, slot in slots(case.attrs, case.stored).items() if (q := _fixed(slot.quantizer))}
    made = {name: wrapped(q, slot.raw.mid) for name, (slot, q) in held.items()}
    if made:
        yield Change("weights wrapped around", case.with_weights(**made))


def _fixed(q: Quantizer | None) -> Quantizer | None:
    """A quantizer with one step and a range of codes."""
    known = q is not None and q.coding == LINEAR and not q.random and not getattr(q, "auto", False)
    return q if known and q is not None and q.range is not None else None


def wrapped(q: Quantizer, x: np.ndarray) -> np.ndarray:
    """Codes modulo their number, times the step."""
    (low, high), step = q.codes_range or (0, 0), float(np.max(q.quantize(np.zeros(1, np.float32)).scale))
    with np.errstate(all="ignore"):
        code = np.rint(np.asarray(x, np.float64) / step)
        return (((code - low) % (high - low + 1) + low) * step).astype(np.float32)


RULE = Rule("RC108", "no saturation", __doc__, propose)
