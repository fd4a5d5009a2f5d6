"""Dense: a matrix product over the last axis, of any rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refconv.numerics.enclosure import Enclosure
from refconv.ops.activations import LINEAR, Activation, activate, activation
from refconv.ops.attributes import attribute, flag, integer
from refconv.ops.base import Context, Row, Shape, Terms, Weights
from refconv.primitives.sums import matmul_moments


@dataclass(frozen=True)
class Dense:
    units: int = attribute(integer(1))
    activation: Activation = attribute(activation, default=LINEAR)
    use_bias: bool = attribute(flag, default=True)


def shapes(attrs: Dense) -> dict[str, Shape]:
    return {"kernel": (None, attrs.units), **({"bias": (attrs.units,)} if attrs.use_bias else {})}


def dense(attrs: Dense, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y = activation(x·kernel + bias); x (…, C), kernel (C, units)."""
    moments = matmul_moments(context.engine, inputs[0].mid, weights["kernel"], context.need)
    if attrs.use_bias:
        moments = moments.plus(weights["bias"])
    return activate(attrs.activation, context.arithmetic.close(moments), context.arithmetic)


def terms(
    attrs: Dense, weights: Weights, inputs: Sequence[np.ndarray], index: tuple[int, ...], context: Context
) -> Terms:
    row, unit = inputs[0][index[:-1]].astype(np.float64), index[-1]
    bias = float(weights["bias"][unit]) if attrs.use_bias else None
    return Terms(
        row * weights["kernel"][:, unit].astype(np.float64),
        bias,
        lambda enclosure: activate(attrs.activation, enclosure, context.arithmetic),
    )


ROWS = (Row("Dense", Dense, dense, shapes, terms, operands=("kernel",), source="keras.layers.Dense"),)
