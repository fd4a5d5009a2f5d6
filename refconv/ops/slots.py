"""Quantizer slots: what a layer's weights are before its quantizers, and what it multiplies by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, make_dataclass
from typing import Any

import numpy as np

from refconv.numerics.enclosure import Enclosure, point
from refconv.ops.activations import LINEAR, Activation, quantized_activation
from refconv.ops.attributes import attribute
from refconv.ops.quantizing import quantize
from refconv.quantizers.base import Quantizer
from refconv.quantizers.read import read

Slots = Mapping[str, "Slot"]


@dataclass(frozen=True)
class Slot:
    """One weight that a layer multiplies by: `raw` is what its quantizer, if any, is given."""

    raw: Enclosure = field(repr=False)
    quantizer: Quantizer | None = None

    @property
    def effective(self) -> Enclosure:
        """The effective weight: equal to one value, or one of two neighbours where `raw` is not exact."""
        return quantize(self.quantizer, self.raw) if self.quantizer else self.raw


def quantizer(value: Any) -> Quantizer | None:
    """Reader for `ops.attributes` of a bias's quantizer, or of any that layers use as it is."""
    return read(value)


def kernel_quantizer(value: Any) -> Quantizer | None:
    """Reader of a kernel's: QKeras's layers change alpha=None to "auto_po2" and make it symmetric (TRAPS 3)."""
    found = read(value)
    return found.as_kernel() if found else None


def with_slots(base: type, kernels: tuple[str, ...] = (), plain: tuple[str, ...] = ("bias_quantizer",)) -> type:
    """The attributes of a float layer, with quantizers and with an activation that may be one."""
    readers = {**dict.fromkeys(kernels, kernel_quantizer), **dict.fromkeys(plain, quantizer)}
    slots = [(name, Quantizer, attribute(read, default=None)) for name, read in readers.items()]
    activation = ("activation", Activation, attribute(quantized_activation, default=LINEAR))
    return make_dataclass(f"Quantized{base.__name__}", [*slots, activation], bases=(base,), frozen=True, kw_only=True)


def quantizers(attrs: Any) -> dict[str, Quantizer]:
    """Every quantizer of a layer, by what it quantizes: kernel, bias, activation …"""
    found: dict[str, Quantizer] = {}
    for name in (f.name for f in fields(attrs)):
        value = getattr(attrs, name)
        value = value.quantizer if isinstance(value, Activation) else value
        if isinstance(value, Quantizer):
            found[name.removesuffix("_quantizer")] = value
    return found


def scaled_by_data(attrs: Any, weights: Iterable[str]) -> bool:
    """Whether a quantizer of what is no weight takes its scale from the data, and so from the batch (TRAPS 2)."""
    auto = [name for name, found in quantizers(attrs).items() if getattr(found, "auto", False)]
    return any(not any(name in weight for weight in weights) for name in auto)


def in_words(attrs: Any) -> dict[str, str]:
    """How a layer quantizes, in plain words, by what it quantizes; a layer may say so itself (`words`)."""
    return {name: q.describe() for name, q in quantizers(attrs).items()} | dict(getattr(attrs, "words", {}))


def slot(weights: Mapping[str, np.ndarray], name: str, quantizer: Quantizer | None) -> dict[str, Slot]:
    """The slot of a stored weight, none where the layer has no such weight."""
    return {name: Slot(point(weights[name]), quantizer)} if name in weights else {}
