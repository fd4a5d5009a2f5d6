"""Layers that scale or drop what joins a residual branch: classes of keras.applications in no public module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure, bounded
from refconv.ops.attributes import attribute, integer, number
from refconv.ops.axes import as_floats
from refconv.ops.base import Context, Row, Shape, Weights
from refconv.ops.carry import carry
from refconv.ops.identity import Nothing, identity
from refconv.ops.merging import stack
from refconv.ops.pairwise import product

RADII = ("sigma", "worst", "floor")


@dataclass(frozen=True)
class LayerScale:
    """`init_values` only matters before training."""

    projection_dim: int = attribute(integer(1))
    init_values: float = attribute(number, default=1e-6)


@dataclass(frozen=True)
class CustomScale:
    scale: float = attribute(number)


def shapes(attrs: LayerScale) -> dict[str, Shape]:
    return {"gamma": (attrs.projection_dim,)}


def layer_scale(attrs: LayerScale, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y = x·γ, γ along the last axis; one rounding.

    Source: LayerScale of keras/src/applications/convnext.py.

    Raises:
        UnreadableModel: γ does not fit the channels.
    """
    x = as_floats(inputs[0], context.arithmetic)
    if x.mid.shape[-1:] != weights["gamma"].shape:
        raise UnreadableModel(f"gamma of shape {weights['gamma'].shape} does not fit an input {x.mid.shape}")
    gamma = np.broadcast_to(weights["gamma"].astype(np.float64), x.mid.shape)
    return context.arithmetic.store(product(x, Enclosure(gamma), context.arithmetic))


def custom_scale(attrs: CustomScale, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y = x₀ + x₁·scale; scale is rounded to the layer's format, the product and the sum round once each.

    Source: CustomScaleLayer of keras/src/applications/inception_resnet_v2.py.

    Raises:
        UnreadableModel: there are not two inputs of one shape.
    """
    if len(inputs) != 2 or inputs[0].mid.shape != inputs[1].mid.shape:
        raise UnreadableModel(f"two inputs of one shape are wanted, not {[e.mid.shape for e in inputs]}")
    first, second = (as_floats(e, context.arithmetic) for e in inputs)
    fmt = context.arithmetic.format
    scale = float(fmt.round(np.float64(attrs.scale)))
    scaled = second.mid * scale
    y = first.mid + scaled
    radius = np.where(np.isfinite(y), fmt.u * (np.abs(scaled) + np.abs(y)), 0.0)
    result = bounded(y, radius, fmt.tiny * (3 + abs(scale)))
    joined = stack((first, Enclosure(scaled, *(abs(scale) * np.asarray(getattr(second, f)) for f in RADII))))
    return carry(result, joined, lambda r: np.sum(r, axis=0))


ROWS = (
    Row("LayerScale", LayerScale, layer_scale, shapes, source="keras.applications.ConvNeXtTiny"),
    Row("StochasticDepth", Nothing, identity, exact=True, source="keras.applications.ConvNeXtTiny"),
    Row("CustomScaleLayer", CustomScale, custom_scale, source="keras.applications.InceptionResNetV2"),
)
