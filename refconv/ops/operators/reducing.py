"""Operators that reduce axes: mean, sum, max, min, and division by the length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import attribute, flag, integer, number, optional
from refconv.ops.axes import as_floats, position
from refconv.ops.base import Context, Forward, Row, Weights
from refconv.ops.carry import carry
from refconv.ops.operators.elementwise import Along, Unary
from refconv.ops.operators.operands import listed, moved, taken
from refconv.ops.statistics import sum_mean
from refconv.ops.unit_normalization import UnitNormalization, unit_normalization


@dataclass(frozen=True)
class Reduction(Unary):
    """`axis` none: all axes."""

    axis: tuple[int, ...] | None = attribute(optional(listed(integer())), default=None)
    keepdims: bool = attribute(flag, default=False)


@dataclass(frozen=True)
class Normalize(Along):
    """Divided by max(√Σx², √epsilon)."""

    epsilon: float = attribute(number, default=1e-12)


def average(attrs: Reduction, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """Σx/n; stored once more in a narrower format."""
    found, axes = _mean(attrs, inputs, context)
    return _reduced(context.arithmetic.store(found), axes, attrs)


def total(attrs: Reduction, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """Σx, n times the mean: its bound holds a rounding more than the sum makes."""
    found, axes = _mean(attrs, inputs, context)
    x = taken(attrs.x, inputs, context.arithmetic)
    n = float(np.prod([x.mid.shape[a] for a in axes]))
    sigma, worst, floor = (np.asarray(v) * n for v in (found.sigma, found.worst, found.floor))
    whole = Enclosure(found.mid * n, sigma, worst, floor, found.overflow)
    return _reduced(context.arithmetic.store(whole), axes, attrs)


def _mean(attrs: Reduction, inputs: Sequence[Enclosure], context: Context) -> tuple[Enclosure, tuple[int, ...]]:
    x = as_floats(taken(attrs.x, inputs, context.arithmetic), context.arithmetic)
    axes = axes_of(attrs, x.mid.ndim)
    inner = replace(context.arithmetic, format=context.arithmetic.sums)
    return carry(sum_mean(x.mid, axes, inner), x, lambda r: r.mean(axis=axes, keepdims=True)), axes


def axes_of(attrs: Reduction, rank: int) -> tuple[int, ...]:
    return tuple(range(rank)) if attrs.axis is None else tuple(sorted(position(a, rank) for a in attrs.axis))


def _reduced(e: Enclosure, axes: tuple[int, ...], attrs: Reduction) -> Enclosure:
    return e if attrs.keepdims else moved(e, lambda v: v.squeeze(axes))


def extreme(choose: np.ufunc) -> Forward:
    """Largest or least; exact: it selects. Radii: the largest of those that take part."""

    def run(attrs: Reduction, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
        x = taken(attrs.x, inputs, context.arithmetic)
        axes = axes_of(attrs, x.mid.ndim)
        mid = choose.reduce(x.mid, axis=axes, keepdims=True)
        rest = (np.asarray(v).max(axis=axes, keepdims=True) for v in x.full()[1:])
        return _reduced(Enclosure(mid, *rest), axes, attrs)

    return run


def normalize(attrs: Normalize, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    x = taken(attrs.x, inputs, context.arithmetic)
    return unit_normalization(UnitNormalization(attrs.axis, sqrt(attrs.epsilon)), {}, [x], context)


ROWS = (
    Row("ops.mean", Reduction, average, source="keras.ops.mean, tf.math.reduce_mean"),
    Row("ops.sum", Reduction, total, source="keras.ops.sum, tf.math.reduce_sum"),
    Row("ops.max", Reduction, extreme(np.maximum), exact=True, source="keras.ops.max, tf.math.reduce_max"),
    Row("ops.min", Reduction, extreme(np.minimum), exact=True, source="keras.ops.min, tf.math.reduce_min"),
    Row("ops.l2_normalize", Normalize, normalize, source="tf.math.l2_normalize"),
)
