"""Faults of what lies exactly between two: codes of a quantizer, neighbours of a nearest position."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from refconv.compare.counterfactuals.activations import EVERY
from refconv.compare.counterfactuals.base import Case, Counterfactual
from refconv.ops.activations import Activation
from refconv.ops.qkeras_other import QActivation
from refconv.ops.resizing import Resizing
from refconv.ops.spatial import CHANNELS_FIRST
from refconv.ops.table import TABLE
from refconv.quantizers.base import LINEAR, Quantizer


def rounds_to_even(quantizer: Quantizer | None) -> bool:
    """A fixed point whose scale is given; a scale found in the data comes with half away from zero (TRAPS 4)."""
    if quantizer is None or quantizer.random or quantizer.coding != LINEAR:
        return False
    return hasattr(quantizer, "bits") and not isinstance(getattr(quantizer, "alpha", None), str)


def away(quantizer: Quantizer, x: np.ndarray) -> np.ndarray:
    """x, where it lies in the middle of two codes moved away from zero by its last bit: it rounds away then."""
    x = np.asarray(x, np.float32)
    with np.errstate(all="ignore"):
        outer = np.nextafter(x, np.where(x == 0, x, np.copysign(np.float32(np.inf), x)))
        inside, outside = (quantizer.quantize(v).values.astype(np.float64) for v in (x, outer))
        tie = (inside != outside) & (x - inside == outside - x)
    return np.where(tie, outer, x)


def _weights(case: Case) -> Case:
    """Only those that a quantizer is given as they are stored; not folded ones."""
    find = TABLE[case.node.type].slots
    made = {}
    for name, slot in (find(case.attrs, case.stored) if find and case.stored else {}).items():
        if rounds_to_even(slot.quantizer) and slot.raw.exact and name in case.stored:
            moved = away(slot.quantizer, case.stored[name])
            made[name] = slot.quantizer.quantize(moved).values.astype(np.float32)
    narrowed = case.narrow({**case.stored, **made})
    return case.with_weights(**{name: narrowed[name] for name in made})


def _has_weights(case: Case) -> bool:
    held = (getattr(case.attrs, f.name) for f in fields(case.attrs))
    plain = any(isinstance(q, Quantizer) and rounds_to_even(q) for q in held)
    return plain and TABLE[case.node.type].slots is not None and "moving_mean" not in case.stored


def _quantizer(case: Case) -> Quantizer | None:
    found = getattr(case.attrs, "activation", None)
    return found.quantizer if isinstance(found, Activation) else None


def _activations(case: Case) -> Case:
    quantizer = _quantizer(case)
    assert quantizer is not None
    return case.with_input(away(quantizer, case.inputs[0]))


def _has_activation(case: Case) -> bool:
    """What stands alone: after a sum that rounds, both neighbours of a tie are right."""
    return rounds_to_even(_quantizer(case)) and case.inputs[0].dtype.kind == "f"


def _even(case: Case) -> tuple[int, ...]:
    """The spatial axes that become shorter by an even factor: every position lies between two elements."""
    first = 2 if case.attrs.data_format == CHANNELS_FIRST else 1
    pairs = ((first, case.attrs.height), (first + 1, case.attrs.width))
    return tuple(axis for axis, length in pairs if case.inputs[0].shape[axis] % (2 * length) == 0)


def _other_neighbour(case: Case) -> Case:
    """The element before the one that is nearest: every element one place later, which none is taken from first."""
    x = case.inputs[0]
    for axis in _even(case):
        x = np.roll(x, 1, axis)
    return case.with_input(x)


def _between(case: Case) -> bool:
    return case.attrs.interpolation == "nearest" and bool(_even(case))


ROWS = (
    Counterfactual("ties of weights rounded away from zero", EVERY, _weights, _has_weights),
    Counterfactual("ties rounded away from zero", (QActivation,), _activations, _has_activation),
    Counterfactual("the other of two equally near", (Resizing,), _other_neighbour, _between),
)
