"""QAdaptiveActivation: a quantizer whose integer bits follow from a moving range of its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from refconv.numerics.enclosure import Enclosure, Z
from refconv.ops.attributes import Unknown, attribute, choice, flag, integer, number, optional
from refconv.ops.base import Context, Row, Shape, Weights
from refconv.ops.functions.elementwise import radii
from refconv.quantizers import words
from refconv.quantizers.base import Enclosed, Quantizer
from refconv.quantizers.float32 import f32, log2
from refconv.quantizers.quantized_bits import QuantizedBits
from refconv.quantizers.quantized_relu import QuantizedRelu


@dataclass(frozen=True)
class QAdaptiveActivation:
    """`quantization_delay` and `ema_decay` matter in training only; relu_upper_bound is in no file.

    Raises:
        Unknown: the range still moves, which QKeras lets it do at inference while `ema_freeze_delay` runs.
    """

    activation: str = attribute(choice("quantized_bits", "quantized_relu"))
    total_bits: int = attribute(integer(1))
    current_step: int = attribute(integer(), default=-1)
    symmetric: bool = attribute(flag, default=True)
    ema_freeze_delay: int | None = attribute(optional(integer()), default=None)
    per_channel: bool = attribute(flag, default=False)
    po2_rounding: bool = attribute(flag, default=False)
    relu_neg_slope: float = attribute(number, default=0.0)

    def __post_init__(self) -> None:
        if self.ema_freeze_delay and self.current_step <= self.ema_freeze_delay:
            raise Unknown("QAdaptiveActivation moves its range at inference until ema_freeze_delay has passed")

    @property
    def words(self) -> dict[str, str]:
        bits = words.bits(self.total_bits)
        return {"activation": f"{self.activation} of {bits}, integer bits from a moving range"}

    @property
    def signed(self) -> bool:
        return self.activation == "quantized_bits" or self.relu_neg_slope != 0.0

    def quantizer(self, bits: int) -> Quantizer:
        """The quantizer with `bits` integer bits."""
        if self.activation == "quantized_bits":
            return QuantizedBits(bits=self.total_bits, integer=bits, symmetric=self.symmetric, alpha=1.0)
        slope = self.relu_neg_slope
        return QuantizedRelu(bits=self.total_bits, integer=bits, negative_slope=slope, is_quantized_clip=False)


@dataclass(frozen=True)
class IntegerBits:
    """The slot of the integer bits, one number or one per channel: computed, not stored, and quantized by nothing."""

    low: np.ndarray = field(repr=False)
    nominal: np.ndarray = field(repr=False)
    high: np.ndarray = field(repr=False)
    quantizer: None = None

    @property
    def raw(self) -> Enclosure:
        return Enclosure(self.nominal)

    @property
    def effective(self) -> Enclosure:
        """One integer, or two where a logarithm's error reaches over a whole number."""
        between = Enclosed(self.low, self.high, step=1.0)
        radius = np.maximum(self.high - self.nominal, self.nominal - self.low)
        return Enclosure(self.nominal, radius / Z, radius, lattices=(between, between))


def shapes(attrs: QAdaptiveActivation) -> dict[str, Shape]:
    return {"step": (), "ema_min": (None,), "ema_max": (None,)}


def slots(attrs: QAdaptiveActivation, weights: Weights) -> dict[str, IntegerBits]:
    low, nominal, high = (integer_bits(attrs, weights["ema_min"], weights["ema_max"], nudge) for nudge in (-1, 0, 1))
    return {"integer": IntegerBits(low, nominal, high)}


def integer_bits(attrs: QAdaptiveActivation, least: np.ndarray, most: np.ndarray, nudge: int) -> np.ndarray:
    """Bits left of the point that hold the range, at most those that are no sign (qkeras 0.9.0, _get_integer_bits).

    ceil(log2) of either end, one more where the end lies beyond the grid's last value; with `po2_rounding`
    round(log2). `nudge` moves the logarithms by their own error.
    """
    unsigned = attrs.total_bits - attrs.signed
    if not attrs.signed:
        least, most = np.maximum(least, 0), np.maximum(most, 0)
    below, above = (_log2(end, nudge) for end in (least, most))
    if attrs.po2_rounding:
        return np.maximum(np.rint(below), np.rint(above)).clip(max=unsigned).astype(np.float64)
    below, above = np.ceil(below), np.ceil(above)
    above += most > _last(above, unsigned)
    below += (least < -_last(below, unsigned)) & attrs.symmetric
    return np.maximum(below, above).clip(max=unsigned).astype(np.float64)


def _log2(end: np.ndarray, nudge: int) -> np.ndarray:
    """max(log2|end|, 0), also of 0."""
    size = np.abs(f32(end))
    return np.maximum(log2(np.where(size == 0, np.float32(1), size), nudge), 0)


def _last(bits: np.ndarray, unsigned: int) -> np.ndarray:
    """2^bits − 2^min(bits − unsigned, 0) in float32."""
    return f32(f32(2.0**bits) - f32(2.0 ** np.minimum(bits - unsigned, 0)))


def adaptive(attrs: QAdaptiveActivation, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """The quantizer with the weight `integer`, applied to every element, channels last."""
    e = inputs[0]
    bits = np.broadcast_to(weights["integer"], e.mid.shape if e.mid.ndim else (1,))
    parts = {int(b): _quantized(attrs.quantizer(int(b)), e) for b in np.unique(weights["integer"])}
    mid = np.select([bits == b for b in parts], [y for y, _ in parts.values()])
    near, far = (_select(bits, {b: lattices[i] for b, (_, lattices) in parts.items()}) for i in (0, 1))
    probable, limit = (np.maximum(v.high - mid, mid - v.low) for v in (near, far))
    return Enclosure(mid, probable / Z, limit, 0.0, e.overflow, lattices=(near, far))


def _quantized(quantizer: Quantizer, e: Enclosure) -> tuple[np.ndarray, tuple[Enclosed, ...]]:
    y = quantizer.quantize(e.mid).values.astype(np.float64)
    return y, tuple(quantizer.enclose(e.mid, radius) for radius in radii(e))


def _select(bits: np.ndarray, parts: dict[int, Enclosed]) -> Enclosed:
    """Of each element the lattice that its own integer bits give."""

    def chosen(name: str) -> np.ndarray:
        fields = [np.broadcast_to(getattr(part, name), bits.shape) for part in parts.values()]
        return np.select([bits == b for b in parts], fields)

    spans = [part.spans or ((part.low, part.high),) * 2 for part in parts.values()]
    where = [bits == b for b in parts]
    ways = tuple(
        (np.select(where, [one[way][0] for one in spans]), np.select(where, [one[way][1] for one in spans]))
        for way in (0, 1)
    )
    return Enclosed(chosen("low"), chosen("high"), chosen("step"), chosen("power"), spans=ways)


ROWS = (
    Row(
        "QAdaptiveActivation",
        QAdaptiveActivation,
        adaptive,
        shapes,
        slots=slots,
        together=True,
        note="qkeras 0.9.0 takes 0 integer bits for the first call after loading, so `predict` is wrong once",
        source="qkeras 0.9.0, QAdaptiveActivation",
    ),
)
