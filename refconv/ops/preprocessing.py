"""Rescaling and Normalization: preprocessing that is part of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure, bounded
from refconv.numerics.formats import Format
from refconv.ops.attributes import attribute, flag, integer, number, optional
from refconv.ops.axes import as_floats, position
from refconv.ops.base import Context, Row, Shape, Weights
from refconv.ops.carry import carry
from refconv.ops.functions.base import DIVISION, SQRT

Numbers = float | tuple[Any, ...]
EPSILON = 1e-7  # keras.backend.epsilon(): a setting of the process that no file records


def numbers(value: Any) -> Numbers:
    """A number, or lists of numbers nested to any depth."""
    if isinstance(value, (list, tuple)):
        return tuple(numbers(item) for item in value)
    return number(value)


def axes(value: Any) -> tuple[int, ...]:
    """None (one mean for all), an axis, or several."""
    if value is None:
        return ()
    return tuple(integer()(a) for a in (value if isinstance(value, (list, tuple)) else [value]))


@dataclass(frozen=True)
class Rescaling:
    scale: Numbers = attribute(numbers)
    offset: Numbers = attribute(numbers, default=0.0)


@dataclass(frozen=True)
class Normalization:
    """Without `mean` and `variance` both are weights, from `adapt`."""

    axis: tuple[int, ...] = attribute(axes, default=(-1,))
    mean: Numbers | None = attribute(optional(numbers), default=None)
    variance: Numbers | None = attribute(optional(numbers), default=None)
    invert: bool = attribute(flag, default=False)


def rescaling(attrs: Rescaling, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y = x·scale + offset; scale and offset are rounded to the layer's format and broadcast against the last axes.

    The product and the sum round once each. Subnormal x counts times |scale|, a subnormal offset, product or result
    once each.
    """
    x = as_floats(inputs[0], context.arithmetic)
    scale, offset = (context.arithmetic.format.round(v) for v in (attrs.scale, attrs.offset))
    with np.errstate(all="ignore"):
        product = x.mid * scale
        y = product + offset
        radius = context.arithmetic.u * (np.abs(product) * np.any(offset != 0) + np.abs(y))
        floor = context.arithmetic.format.tiny * (3 + np.abs(scale))
        result = bounded(y, _finite(radius, y), np.broadcast_to(floor, y.shape))
        return carry(result, x, lambda r: np.broadcast_to(np.abs(scale) * r, y.shape))


def shapes(attrs: Normalization) -> dict[str, Shape]:
    """Keras keeps the number of values seen as a third weight."""
    if attrs.mean is not None:
        return {}
    kept = (None,) * len(attrs.axis)
    return {"mean": kept, "variance": kept, "count": ()}


def normalization(attrs: Normalization, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y = (x − mean)/d, or mean + x·d if inverted, d = max(√variance, 1e-7).

    In units of u: the root (SQRT), the difference and the quotient; inverted: the root, the product and the sum.
    Subnormal x, mean and difference count times 1/d (d if inverted), the result once.
    """
    x, fmt = as_floats(inputs[0], context.arithmetic), context.arithmetic.format
    with np.errstate(all="ignore"):
        mean, variance = (_statistic(attrs, weights, name, x.mid.shape, fmt) for name in ("mean", "variance"))
        divisor = np.maximum(np.sqrt(variance), fmt.round(EPSILON))
        slope = divisor if attrs.invert else 1 / divisor
        y = mean + x.mid * divisor if attrs.invert else (x.mid - mean) / divisor
        inverted = np.abs(x.mid * divisor) * (SQRT + 1) + np.abs(y)
        radius = fmt.u * (inverted if attrs.invert else (SQRT + 1 + DIVISION) * np.abs(y))
        floor = np.broadcast_to(fmt.tiny * (3 + 3 * slope), y.shape)
        return carry(bounded(y, _finite(radius, y), floor), x, lambda r: slope * r)


def _statistic(attrs: Normalization, weights: Weights, name: str, shape: tuple[int, ...], fmt: Format) -> np.ndarray:
    """Mean or variance laid over the axes that keep their own, 1 along the others; given ones broadcast from the right.

    Raises:
        UnreadableModel: it does not fit the input.
    """
    kept = sorted(position(a, len(shape)) for a in attrs.axis)
    lengths = tuple(shape[a] for a in kept)
    given = getattr(attrs, name)
    values = weights[name].astype(np.float64) if given is None else fmt.round(given) * np.ones(lengths)
    if values.size != np.prod(lengths, dtype=int):
        raise UnreadableModel(f"{name} of shape {np.shape(values)} does not fit axes {attrs.axis} of an input {shape}")
    return values.reshape([n if a in kept else 1 for a, n in enumerate(shape)])


def _finite(radius: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(y), radius, 0.0)


ROWS = (
    Row("Rescaling", Rescaling, rescaling, source="keras.layers.Rescaling"),
    Row("Normalization", Normalization, normalization, shapes, source="keras.layers.Normalization"),
)
