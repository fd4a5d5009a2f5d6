"""QKeras's activation, normalization and averaging layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, make_dataclass
from typing import Any

import numpy as np

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure
from refconv.ops import global_pooling, normalization, pooling
from refconv.ops.activations import LINEAR, Activation, activate, quantized_activation
from refconv.ops.attributes import attribute
from refconv.ops.base import Context, Row, Weights
from refconv.ops.slots import Slot, kernel_quantizer, quantizer, slot
from refconv.quantizers.base import Quantizer


@dataclass(frozen=True)
class QActivation:
    activation: Activation = attribute(quantized_activation)


def q_activation(attrs: QActivation, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """The quantizer, or a function of Keras, applied to every element."""
    return activate(attrs.activation, inputs[0], context.arithmetic)


NORMALIZATION = {
    "gamma": ("gamma_quantizer", kernel_quantizer),
    "beta": ("beta_quantizer", quantizer),
    "moving_mean": ("mean_quantizer", quantizer),
    "moving_variance": ("variance_quantizer", kernel_quantizer),
}
QBatchNormalization = make_dataclass(
    "QBatchNormalization",
    [(name, Quantizer, attribute(read, default=None)) for name, read in NORMALIZATION.values()],
    bases=(normalization.BatchNormalization,),
    frozen=True,
    kw_only=True,
)


def normalization_slots(attrs: Any, weights: Weights) -> dict[str, Slot]:
    """Each statistic is quantized; epsilon is added to the quantized variance."""
    found: dict[str, Slot] = {}
    for name, (field, _) in NORMALIZATION.items():
        found |= slot(weights, name, getattr(attrs, field))
    return found


def _averaging(base: type) -> type:
    fields = [
        ("average_quantizer", Quantizer, attribute(quantizer, default=None)),
        ("activation", Activation, attribute(quantized_activation, default=LINEAR)),
    ]
    return make_dataclass(f"Quantized{base.__name__}", fields, bases=(base,), frozen=True, kw_only=True)


def average(attrs: Any, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """activation(mean(x)·area·q(1/area)): the area is the whole pool's, even where SAME leaves part of it out."""
    mean = pooling.average_pooling(attrs, weights, inputs, context)
    return _requantized(attrs, mean, int(np.prod(attrs.pool_size)), context)


def global_average(attrs: Any, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """activation(mean(x)·area·q(1/area)) over all positions."""
    mean = global_pooling.global_average(attrs, weights, inputs, context, rank=2)
    return _requantized(attrs, mean, inputs[0].mid[0].size // mean.mid[0].size, context)


def _requantized(attrs: Any, mean: Enclosure, area: int, context: Context) -> Enclosure:
    if attrs.average_quantizer is not None:
        share = attrs.average_quantizer.quantize(np.float32(1.0 / area)).values
        for factor in (float(area), float(share)):
            mean = scaled(mean, factor, context.arithmetic)
    return activate(attrs.activation, mean, context.arithmetic)


def scaled(e: Enclosure, factor: float, arithmetic: Arithmetic) -> Enclosure:
    """e·factor in float32: one rounding, none where an exact product is representable."""
    y, size = e.mid * factor, abs(factor)
    rounds = (y.astype(np.float32) != y) | (np.asarray(e.limit) > 0)
    own = np.where(rounds, arithmetic.u * np.abs(y), 0.0)
    floor = np.asarray(e.floor) * size + np.where(rounds, arithmetic.format.tiny * (1 + size), 0.0)
    return Enclosure(y, np.hypot(np.asarray(e.sigma) * size, own), np.asarray(e.worst) * size + own, floor, e.overflow)


ROWS = (
    Row("QActivation", QActivation, q_activation, source="qkeras 0.9.0, QActivation"),
    Row(
        "QBatchNormalization",
        QBatchNormalization,
        normalization.batch_normalization,
        normalization.shapes,
        slots=normalization_slots,
        source="qkeras 0.9.0, QBatchNormalization",
    ),
    Row("QAveragePooling2D", _averaging(pooling.of_rank(2)), average, source="qkeras 0.9.0, QAveragePooling2D"),
    Row(
        "QGlobalAveragePooling2D",
        _averaging(global_pooling.GlobalPooling),
        global_average,
        source="qkeras 0.9.0, QGlobalAveragePooling2D",
    ),
)
