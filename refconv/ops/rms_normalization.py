"""RMSNormalization: each vector divided by the root of the mean of its squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refconv.numerics.enclosure import Enclosure, Z
from refconv.numerics.formats import FLOAT32
from refconv.numerics.moments import Need
from refconv.ops.activation_layers import read_axes
from refconv.ops.attributes import attribute, number
from refconv.ops.axes import as_floats, position
from refconv.ops.base import Context, Row, Shape, Weights
from refconv.ops.functions.elementwise import radii
from refconv.ops.layer_normalization import over_axis
from refconv.ops.statistics import inverse_root, sum_mean, wider


@dataclass(frozen=True)
class RMSNormalization:
    axis: tuple[int, ...] = attribute(read_axes, default=(-1,))
    epsilon: float = attribute(number, default=1e-6)


def shapes(attrs: RMSNormalization) -> dict[str, Shape]:
    return {"scale": (None,) * len(attrs.axis)}


def rms_normalization(
    attrs: RMSNormalization, weights: Weights, inputs: Sequence[Enclosure], context: Context
) -> Enclosure:
    """y = x·inv·scale, inv = 1/√(Σx²/n + ε), the mean over `axis`, along which the scale lies too.

    Keras 3.15 multiplies by the scale along the last axes, whatever the axis: a mismatch where it is another.

    In units of u: each square rounds, which moves their mean by 1 at most; the root (INVERSE, `statistics`); the two
    products of y. x's radii r move x itself, and the mean by 2Σ|x|r/n + Σr²/n. A subnormal x counts times inv·scale,
    a subnormal x·inv times scale, the result once. Computed in float32 at least, and rounded once.

    Source: keras.layers.RMSNormalization; `_rms_normalization` of keras/src/ops/nn.py.
    """
    arithmetic, x = context.arithmetic.wide, as_floats(inputs[0], context.arithmetic)
    axes = tuple(sorted(position(a, x.mid.ndim) for a in attrs.axis))
    scale, fmt = over_axis("scale", weights["scale"], axes, x.mid.shape), arithmetic.format
    square = sum_mean(x.mid**2, axes, arithmetic)
    moved = [
        (2 * np.abs(x.mid) * r + r * r).mean(axis=axes, keepdims=True) + fmt.u * square.mid + fmt.tiny for r in radii(x)
    ]
    inverse = inverse_root(wider(square, *moved), float(np.float32(attrs.epsilon)), fmt)
    factor = inverse.mid * scale
    y = x.mid * factor
    if context.need is Need.VALUES:
        return Enclosure(y)
    spread = [
        np.abs(scale) * (inverse.mid * r + np.abs(x.mid) * t + r * t)
        for r, t in zip(radii(x), radii(inverse), strict=True)
    ]
    own = (np.sqrt(2) * fmt.u * np.abs(y), 2 * fmt.u * np.abs(y))
    sigma, worst = (
        np.where(np.isfinite(y), np.nan_to_num(r, nan=np.inf, posinf=np.inf), 0.0)
        for r in (np.hypot(spread[0] / Z, own[0]), spread[1] + own[1])
    )
    floor = np.broadcast_to(fmt.tiny * (1 + np.abs(scale) + np.abs(factor)), y.shape)
    overflow = np.broadcast_to(square.overflow, y.shape)
    found = Enclosure(y, sigma, worst, floor, overflow if overflow.any() else False)
    return context.arithmetic.store(found, FLOAT32)


ROWS = (
    Row(
        "RMSNormalization",
        RMSNormalization,
        rms_normalization,
        shapes,
        wide=True,
        source="keras.layers.RMSNormalization",
    ),
)
