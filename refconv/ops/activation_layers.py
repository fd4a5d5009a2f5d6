"""Layers that apply one function: Activation, ReLU, LeakyReLU, ELU, PReLU, Softmax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure
from refconv.ops.activations import LINEAR, Activation, activate, activation
from refconv.ops.attributes import attribute, integer, number, optional
from refconv.ops.base import ANY, Context, Forward, Row, Shape, Weights
from refconv.ops.functions.elementwise import apply
from refconv.ops.functions.table import FUNCTIONS


def non_negative(value: Any) -> float:
    if number(value) < 0:
        raise ValueError("a number of at least 0 is wanted")
    return float(value)


@dataclass(frozen=True)
class ActivationLayer:
    activation: Activation = attribute(activation, default=LINEAR)


@dataclass(frozen=True)
class ReLU:
    max_value: float | None = attribute(optional(non_negative), default=None)
    negative_slope: float = attribute(non_negative, default=0.0)
    threshold: float = attribute(non_negative, default=0.0)


@dataclass(frozen=True)
class LeakyReLU:
    negative_slope: float = attribute(non_negative, default=0.3)


@dataclass(frozen=True)
class ELU:
    alpha: float = attribute(number, default=1.0)


def read_axes(value: Any) -> tuple[int, ...]:
    """One axis or several, as a tuple."""
    values = value if isinstance(value, (list, tuple)) else [value]
    if not values:
        raise ValueError("at least one axis is wanted")
    return tuple(integer()(axis) for axis in values)


@dataclass(frozen=True)
class Softmax:
    axis: tuple[int, ...] = attribute(read_axes, default=(-1,))


@dataclass(frozen=True)
class PReLU:
    """`shared_axes` are 1-based, as Keras counts them, and have size 1 in alpha."""

    shared_axes: tuple[int, ...] | None = attribute(optional(read_axes), default=None)


def prelu_shapes(attrs: PReLU) -> dict[str, Shape]:
    """Alpha has the input's shape without the batch, 1 along shared axes: known only with the input."""
    return {"alpha": ANY}


def forward(attrs: ActivationLayer, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y = activation(x), of any shape."""
    return activate(attrs.activation, inputs[0], context.arithmetic)


def function(name: str) -> Forward:
    """A layer whose attributes are the parameters of the function `name`."""

    def run(attrs: Any, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
        given = tuple((f.name, getattr(attrs, f.name)) for f in fields(attrs))
        return activate(Activation(name, given), inputs[0], context.arithmetic)

    return run


def prelu(attrs: PReLU, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y = max(x, 0) − alpha·max(−x, 0): leaky_relu with a slope per element, one rounding below 0.

    Raises:
        UnreadableModel: alpha does not fit the input.
    """
    alpha, x = weights["alpha"].astype(np.float64), inputs[0]
    wanted = tuple(1 if a in (attrs.shared_axes or ()) else n for a, n in enumerate(x.mid.shape[1:], start=1))
    if alpha.shape != wanted:
        raise UnreadableModel(f"alpha of shape {alpha.shape} does not fit an input of shape {x.mid.shape}")
    with np.errstate(all="ignore"):
        return apply(FUNCTIONS["leaky_relu"], x, context.arithmetic, {"negative_slope": alpha})


ROWS = (
    Row("Activation", ActivationLayer, forward, source="keras.layers.Activation"),
    Row("ReLU", ReLU, function("relu"), source="keras.layers.ReLU"),
    Row("LeakyReLU", LeakyReLU, function("leaky_relu"), source="keras.layers.LeakyReLU"),
    Row("ELU", ELU, function("elu"), source="keras.layers.ELU"),
    Row("Softmax", Softmax, function("softmax"), source="keras.layers.Softmax"),
    Row("PReLU", PReLU, prelu, prelu_shapes, source="keras.layers.PReLU"),
)
