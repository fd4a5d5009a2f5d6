"""Masking: steps that hold one value alone become zeros, and a mask of them goes with the tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refconv.numerics.enclosure import Enclosure
from refconv.numerics.formats import FLOAT32
from refconv.ops.attributes import attribute, number
from refconv.ops.base import Context, Row, Weights


def only_mask(value: Any) -> tuple[str, ...]:
    """The reader of `masks`: whether the last input is a mask of steps. No configuration holds it."""
    if not isinstance(value, (list, tuple)) or list(value) not in ([], ["mask"]):
        raise ValueError("a mask of steps is wanted, or none")
    return tuple(value)


@dataclass(frozen=True)
class Masking:
    """What the mask does is left to the layers that read it (`formats.calling`, `reference.masks`)."""

    mask_value: float = attribute(number, default=0.0)


def kept(attrs: Masking, x: np.ndarray) -> np.ndarray:
    """(N, steps, C) → (N, steps): whether a step holds anything but `mask_value`."""
    return np.any(x != FLOAT32.round(attrs.mask_value), axis=-1)


def masking(attrs: Masking, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y = x where `kept`, else 0."""
    shown = kept(attrs, inputs[0].mid)[..., None]
    if shown.all():
        return inputs[0]
    mid, *rest = inputs[0].full()
    hidden = (np.where(shown, v, np.zeros((), v.dtype)) for v in (mid, *rest))
    return Enclosure(*hidden)


ROWS = (Row("Masking", Masking, masking, exact=True, source="keras.layers.Masking"),)
