"""UnitNormalization: each vector divided by its length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refconv.numerics.enclosure import Enclosure, Z
from refconv.numerics.formats import Format
from refconv.numerics.moments import Need
from refconv.ops.activation_layers import read_axes
from refconv.ops.attributes import attribute, number
from refconv.ops.axes import as_floats, position
from refconv.ops.base import Context, Row, Weights
from refconv.ops.functions.elementwise import radii
from refconv.ops.statistics import INVERSE, sum_mean


@dataclass(frozen=True)
class UnitNormalization:
    """`least`: the length that shorter vectors are divided by; Keras 3's 1e-12, or Keras 2's root of 1e-12."""

    axis: tuple[int, ...] = attribute(read_axes, default=(-1,))
    least: float = attribute(number, default=1e-12)


def unit_normalization(
    attrs: UnitNormalization, weights: Weights, inputs: Sequence[Enclosure], context: Context
) -> Enclosure:
    """y = x/max(√Σx², least), which kernels compute as x·min(1/√Σx², 1/least).

    In units of u: each square rounds (1), the root INVERSE, least and the product one each.
    Source: keras.layers.UnitNormalization; `_normalize` of keras/src/ops/nn.py, tf.linalg.l2_normalize.
    """
    x, arithmetic = as_floats(inputs[0], context.arithmetic), context.arithmetic
    axes = tuple(sorted(position(a, x.mid.ndim) for a in attrs.axis))
    n = np.prod([x.mid.shape[a] for a in axes], dtype=float)
    square = sum_mean(x.mid**2, axes, arithmetic)
    length = np.maximum(np.sqrt(n * square.mid), attrs.least)
    y = x.mid / length
    if context.need is Need.VALUES:
        return Enclosure(y)
    fmt, found = arithmetic.format, []
    for own, r in zip(radii(square), radii(x), strict=True):
        moved = 2 * np.abs(x.mid) * r + r * r
        reach = n * (own + moved.mean(axis=axes, keepdims=True) + fmt.u * square.mid)
        inverse = _reach(n * square.mid, reach, length, attrs.least, fmt)
        found.append(np.where(x.mid != 0, np.abs(x.mid) * inverse, 0.0) + r * (1 / length + inverse))
    sigma, worst = (
        np.where(np.isfinite(y), np.nan_to_num(r, nan=np.inf, posinf=np.inf), 0.0) + fmt.u * np.abs(y) for r in found
    )
    floor = fmt.tiny * (2 + np.broadcast_to(1 / length, y.shape))
    overflow = np.broadcast_to(square.overflow, y.shape)
    return Enclosure(y, sigma / Z, worst, floor, overflow if overflow.any() else False)


def _reach(square: np.ndarray, r: np.ndarray, length: np.ndarray, least: float, fmt: Format) -> np.ndarray:
    """How far min(1/√q, 1/least) lies from 1/length where q is within r of the square."""
    low, high = np.maximum(square - r, 0.0), square + r
    longest, shortest = (1 / np.maximum(np.sqrt(q), least) for q in (low, high))
    own = (INVERSE + 1) * fmt.u * longest
    return np.maximum(longest - 1 / length, 1 / length - shortest) + own


ROWS = (
    Row(
        "UnitNormalization",
        UnitNormalization,
        unit_normalization,
        source="keras.layers.UnitNormalization",
    ),
)
