"""Faults of quantizers: weights left as they are stored, a bit too few, another place of the binary point."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from refconv.compare.counterfactuals.activations import EVERY
from refconv.compare.counterfactuals.base import Case, Counterfactual
from refconv.ops.activations import Activation
from refconv.ops.base import Slot
from refconv.ops.slots import quantizers
from refconv.ops.table import TABLE
from refconv.quantizers.base import Quantizer


def _slots(case: Case, attrs: Any) -> dict[str, Slot]:
    find = TABLE[case.node.type].slots
    return dict(find(attrs, case.stored)) if find and case.stored else {}


def _quantized(case: Case) -> bool:
    return any(slot.quantizer for slot in _slots(case, case.attrs).values())


def _raw(case: Case) -> Case:
    raw = {n: slot.raw.mid.astype(np.float32) for n, slot in _slots(case, case.attrs).items()}
    return case.with_weights(**case.narrow(raw))


def _kernel_quantizers(attrs: Any) -> dict[str, Quantizer]:
    """Of weights, by the attribute that holds them."""
    found = {f.name: getattr(attrs, f.name) for f in fields(attrs)}
    return {name: q for name, q in found.items() if isinstance(q, Quantizer)}


def _coarser(q: Quantizer) -> Quantizer:
    return replace(q, bits=q.bits - 1) if getattr(q, "bits", 0) > 2 else q  # type: ignore[call-arg,attr-defined]


def _bit_less(case: Case) -> Case:
    """Every weight quantizer with one bit less; the attributes stay, which say nothing beyond the weights."""
    attrs = replace(case.attrs, **{n: _coarser(q) for n, q in _kernel_quantizers(case.attrs).items()})
    made = {n: slot.effective.mid.astype(np.float32) for n, slot in _slots(case, attrs).items()}
    return case.with_weights(**case.narrow(made))


def _has_bits(case: Case) -> bool:
    return _quantized(case) and any(_coarser(q) != q for q in _kernel_quantizers(case.attrs).values())


def _activation(case: Case) -> Quantizer | None:
    found = getattr(case.attrs, "activation", None)
    return found.quantizer if isinstance(found, Activation) else None


def _has_point(case: Case) -> bool:
    """A quantized activation whose range follows from its integer bits."""
    quantizer = _activation(case)
    placed = quantizer is not None and hasattr(quantizer, "integer") and not isinstance(_alpha(quantizer), str)
    return placed and not quantizers(case.attrs)["activation"].random


def _alpha(quantizer: Quantizer) -> Any:
    return getattr(quantizer, "alpha", None)


def _point(case: Case, shift: int) -> Case:
    q = _activation(case)
    assert q is not None
    moved = replace(q, integer=q.integer + shift)  # type: ignore[attr-defined,call-arg]
    return case.with_attrs(activation=Activation(moved.name, quantizer=moved))


def _integer_bit_more(case: Case) -> Case:
    return _point(case, +1)


def _integer_bit_less(case: Case) -> Case:
    return _point(case, -1)


def _whole_bits(case: Case) -> bool:
    """QKeras takes no negative number of integer bits."""
    return _has_point(case) and _activation(case).integer > 0  # type: ignore[union-attr]


ROWS = (
    Counterfactual("stored instead of quantized weights", EVERY, _raw, _quantized),
    Counterfactual("weights of one bit less", EVERY, _bit_less, _has_bits),
    Counterfactual("one integer bit less", EVERY, _integer_bit_less, _whole_bits),
    Counterfactual("one integer bit more", EVERY, _integer_bit_more, _has_point),
)
