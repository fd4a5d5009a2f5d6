"""Layers that merge several tensors: Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, Z, join
from refconv.numerics.formats import Field
from refconv.numerics.moments import Moments
from refconv.ops.attributes import attribute, integer
from refconv.ops.axes import as_floats, position
from refconv.ops.base import Context, Forward, Row, Weights
from refconv.ops.carry import carry
from refconv.ops.functions.elementwise import radii
from refconv.ops.mean import mean
from refconv.primitives.sums import spatial_moments


@dataclass(frozen=True)
class Merge:
    """No attributes."""


@dataclass(frozen=True)
class Concatenate:
    axis: int = attribute(integer(), default=-1)


def stack(inputs: Sequence[Enclosure]) -> Enclosure:
    """The inputs along a new first axis, broadcast as Keras does: missing axes come after the batch.

    Raises:
        UnreadableModel: the shapes do not broadcast.
    """
    rank = max(e.mid.ndim for e in inputs)
    shapes = [(*e.mid.shape[:1], *(1,) * (rank - e.mid.ndim), *e.mid.shape[1:]) for e in inputs]
    try:
        common = np.broadcast_shapes(*shapes)
    except ValueError:
        raise UnreadableModel(f"shapes {', '.join(str(e.mid.shape) for e in inputs)} do not broadcast") from None
    aligned = (
        Enclosure(*(np.broadcast_to(v.reshape(shape), common) for v in e.full()))
        for e, shape in zip(inputs, shapes, strict=True)
    )
    return join(np.stack, tuple(aligned))


def _summed(radius: np.ndarray) -> np.ndarray:
    return np.sum(radius, axis=0)


def _moments(terms: np.ndarray) -> Moments:
    """Of a sum over the first axis, which goes.

    n counts a rounding of each operand too, and no sum is certified exact: a fused kernel (XLA) may add products that
    it never rounded.
    """
    m = spatial_moments(terms, (0,))
    flat = {name: value[0] for name in ("y", "Q", "A", "S") if isinstance(value := getattr(m, name), np.ndarray)}
    return replace(m, grid=0.0, **flat)


def add(attrs: Merge, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y = Σ x_i."""
    terms = as_floats(stack(inputs), context.arithmetic)
    return carry(context.arithmetic.stepwise.close(_moments(terms.mid)), terms, _summed)


def subtract(attrs: Merge, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y = x_0 − x_1.

    Raises:
        UnreadableModel: there are not two inputs.
    """
    if len(inputs) != 2:
        raise UnreadableModel(f"Subtract takes 2 inputs, not {len(inputs)}")
    first, second = (as_floats(e, context.arithmetic) for e in inputs)
    return add(attrs, weights, (first, replace(second, mid=-second.mid)), context)


def average(attrs: Merge, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y = Σ x_i / k."""
    terms = as_floats(stack(inputs), context.arithmetic)
    return carry(mean(_moments(terms.mid), context.arithmetic.stepwise), terms, lambda r: _summed(r) / len(inputs))


def multiply(attrs: Merge, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y = Π x_i, from the first to the last."""
    terms = as_floats(stack(inputs), context.arithmetic)
    factors = [Enclosure(*fields) for fields in zip(*terms.full(), strict=True)]
    with np.errstate(all="ignore"):
        return reduce(lambda a, b: _product(a, b, context.arithmetic), factors)


def _product(a: Enclosure, b: Enclosure, arithmetic: Arithmetic) -> Enclosure:
    """One product: one rounding u|y|; what a's and b's radii allow, r_a|b| + |a|r_b + r_a·r_b.

    A subnormal factor may be read as 0, which loses y; a subnormal product is flushed.
    """
    fmt = arithmetic.format
    y = a.mid * b.mid
    lost = np.where((np.abs(a.mid) < fmt.tiny) | (np.abs(b.mid) < fmt.tiny), np.abs(y), 0.0)

    def spread(ra: Field, rb: Field) -> Field:
        return ra * np.abs(b.mid) + np.abs(a.mid) * rb + ra * rb

    own = fmt.u * np.abs(y)
    sigma = own / Z + spread(Z * a.sigma, Z * b.sigma) / Z
    floor = spread(a.floor, b.floor) + lost + fmt.tiny
    return Enclosure(y, sigma, own + spread(a.worst, b.worst), floor, a.overflow | b.overflow | (np.abs(y) > fmt.max))


def extreme(choose: np.ufunc) -> Forward:
    """Maximum or minimum; exact: it selects. NaN is kept."""

    def run(attrs: Merge, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
        terms = stack(inputs)
        mid = choose.reduce(terms.mid, axis=0)
        if terms.exact:
            return Enclosure(mid)
        probable, limit = (_reach(choose, terms.mid, r, mid) for r in radii(terms))
        return Enclosure(mid, probable / Z, limit, overflow=np.any(terms.overflow, axis=0))

    return run


def _reach(choose: np.ufunc, values: np.ndarray, radius: np.ndarray, mid: np.ndarray) -> np.ndarray:
    """How far the extreme moves when every value may move by its radius."""
    low, high = (choose.reduce(values + side * radius, axis=0) for side in (-1, 1))
    return np.where(np.isfinite(mid), np.maximum(high - mid, mid - low), 0.0)


def concatenate(attrs: Concatenate, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """The inputs one after the other along `axis`.

    Raises:
        UnreadableModel: the shapes differ elsewhere.
    """
    at = position(attrs.axis, inputs[0].mid.ndim)
    try:
        return join(lambda parts: np.concatenate(parts, axis=at), tuple(inputs))
    except ValueError:
        shapes = ", ".join(str(e.mid.shape) for e in inputs)
        raise UnreadableModel(f"shapes {shapes} cannot be joined along axis {attrs.axis}") from None


ROWS = (
    Row("Add", Merge, add, source="keras.layers.Add"),
    Row("Subtract", Merge, subtract, source="keras.layers.Subtract"),
    Row("Multiply", Merge, multiply, source="keras.layers.Multiply"),
    Row("Average", Merge, average, source="keras.layers.Average"),
    Row("Maximum", Merge, extreme(np.maximum), exact=True, source="keras.layers.Maximum"),
    Row("Minimum", Merge, extreme(np.minimum), exact=True, source="keras.layers.Minimum"),
    Row("Concatenate", Concatenate, concatenate, exact=True, source="keras.layers.Concatenate"),
)
