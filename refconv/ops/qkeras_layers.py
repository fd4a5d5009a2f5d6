"""QKeras's layers that quantize their stored weights: the float layer's op on effective weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from refconv.ops import convolution, dense, depthwise, separable, transposed
from refconv.ops.base import Row, Weights
from refconv.ops.slots import Slot, slot, with_slots

SOURCE = "qkeras 0.9.0, "


def stored(**quantizers: str) -> Callable[[Any, Weights], dict[str, Slot]]:
    """Slots of stored weights: weight name → attribute that holds its quantizer."""

    def slots(attrs: Any, weights: Weights) -> dict[str, Slot]:
        found: dict[str, Slot] = {}
        for name, attribute in quantizers.items():
            found |= slot(weights, name, getattr(attrs, attribute))
        return found

    return slots


def quantized(keras: str, row: Row, attributes: type, quantizers: Mapping[str, str]) -> Row:
    """The row of a QKeras layer from that of the float layer."""
    kernels = tuple(name for name in quantizers.values() if name != "bias_quantizer")
    return replace(
        row,
        keras=keras,
        attributes=with_slots(attributes, kernels),
        slots=stored(**quantizers),
        source=f"{SOURCE}{keras}",
    )


# What QKeras exports beside its layers, and why none of it is a row.
NO_LAYERS = {
    "QMobileNetSeparableConv2D": "a function: files hold the QDepthwiseConv2D, QActivation and QConv2D that it makes",
    "QOctaveConv2D": "a function: files hold the layers that it makes, and in qkeras 0.9.0 it fails to make them",
    "QLSTMCell": "a cell: read as part of its QLSTM; no reference for RNN layers around cells",
    "QGRUCell": "a cell: read as part of its QGRU; no reference for RNN layers around cells",
    "QSimpleRNNCell": "a cell: read as part of its QSimpleRNN; no reference for RNN layers around cells",
    "QInitializer": "an initializer: it matters before training only",
}

KERNEL = {"kernel": "kernel_quantizer", "bias": "bias_quantizer"}
DEPTHWISE = {"kernel": "depthwise_quantizer", "bias": "bias_quantizer"}
SEPARABLE = {
    "depthwise_kernel": "depthwise_quantizer",
    "pointwise_kernel": "pointwise_quantizer",
    "bias": "bias_quantizer",
}

_CONV, _DENSE = convolution.ROWS[0], dense.ROWS[0]

ROWS = (
    quantized("QDense", _DENSE, dense.Dense, KERNEL),
    quantized("QConv1D", _CONV, convolution.of_rank(1), KERNEL),
    quantized("QConv2D", _CONV, convolution.of_rank(2), KERNEL),
    quantized("QConv2DTranspose", transposed.ROWS[0], transposed.of_rank(2), KERNEL),
    quantized("QDepthwiseConv2D", depthwise.ROWS[0], depthwise.of_rank(2), DEPTHWISE),
    quantized("QSeparableConv1D", separable.ROWS[0], separable.of_rank(1), SEPARABLE),
    quantized("QSeparableConv2D", separable.ROWS[0], separable.of_rank(2), SEPARABLE),
)
