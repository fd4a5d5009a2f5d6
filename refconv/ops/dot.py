"""Dot: the product of two tensors of one batch along an axis of each, of unit vectors where it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_letters
from typing import Any

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, point
from refconv.numerics.formats import Format
from refconv.ops.attributes import attribute, flag, integer
from refconv.ops.axes import as_floats, position
from refconv.ops.base import Context, Row, Terms, Weights
from refconv.ops.contraction import BOTH_INPUTS, Labels, einsum, element, spread_over
from refconv.ops.functions.base import DIVISION, SQRT, Function, Parameters
from refconv.ops.functions.elementwise import apply
from refconv.ops.pairwise import product
from refconv.primitives.sums import product_moments

LARGEST = 1e7  # of 1/‖x‖ in Keras 3: 1/keras.backend.epsilon()
LEAST = 1e-12  # of ‖x‖² in Keras 2


def pair(value: Any) -> tuple[int, int]:
    """One axis for both tensors, or one for each."""
    values = value if isinstance(value, (list, tuple)) else [value, value]
    if len(values) != 2:
        raise ValueError("an axis, or two, are wanted")
    first, second = (integer()(axis) for axis in values)
    return first, second


@dataclass(frozen=True)
class Dot:
    axes: tuple[int, int] = attribute(pair)
    normalize: bool = attribute(flag, default=False)


def dot(attrs: Dot, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y[n, …, …] = Σ_k a[n, … k …]·b[n, … k …]: what is left of the first tensor's axes, then of the second's.

    Raises:
        UnreadableModel: there are not two inputs, or their axes do not fit.
    """
    labels, a, b = _operands(attrs, inputs, context.arithmetic)
    y = einsum(labels, a, b, context)
    return y.move(lambda v: v[:, None]) if y.mid.ndim == 1 else y


def terms(
    attrs: Dot, weights: Weights, inputs: Sequence[np.ndarray], index: tuple[int, ...], context: Context
) -> Terms:
    labels, a, b = _operands(attrs, [point(x) for x in inputs], context.arithmetic)
    found, widen = element(labels, a, b, index[: len(labels.result)], context.arithmetic)
    return Terms(found, None, lambda enclosure: enclosure, widen=widen)


def _operands(attrs: Dot, inputs: Sequence[Enclosure], arithmetic: Arithmetic) -> tuple[Labels, Enclosure, Enclosure]:
    if len(inputs) != 2:
        raise UnreadableModel(f"Dot takes 2 inputs, not {len(inputs)}")
    a, b = (as_floats(e, arithmetic) for e in inputs)
    ranks, axes = (a.mid.ndim, b.mid.ndim), attrs.axes
    first, second = (position(axis, rank) for axis, rank in zip(axes, ranks, strict=True))
    if min(ranks) < 2 or sum(ranks) > len(ascii_letters) or 0 in (first, second):
        raise UnreadableModel(f"axes {axes} of inputs of shapes {a.mid.shape} and {b.mid.shape} have no batch beside")
    labels = _labels(first, second, ranks)
    if attrs.normalize:
        a, b = normalized(a, first, arithmetic), normalized(b, second, arithmetic)
    return labels, a, b


def _labels(first: int, second: int, ranks: tuple[int, int]) -> Labels:
    """The batch is a, the axis summed over b."""
    free = iter(ascii_letters[2:])
    one = "".join({0: "a", first: "b"}.get(axis) or next(free) for axis in range(ranks[0]))
    other = "".join({0: "a", second: "b"}.get(axis) or next(free) for axis in range(ranks[1]))
    return Labels(one, other, "a" + (one + other).replace("a", "").replace("b", ""))


def _inverse_error(s: np.ndarray, y: np.ndarray, p: Parameters, fmt: Format) -> np.ndarray:
    """A root and a quotient, more than an rsqrt; below LEAST Keras 2 gives 10⁶, Keras 3 more: both right."""
    return np.where(s < LEAST, np.abs(y - LEAST**-0.5), (SQRT + DIVISION) * fmt.u * y)


INVERSE = Function("inverse norm", lambda s, p: np.minimum(1 / np.sqrt(np.maximum(s, 0)), LARGEST), _inverse_error)


def normalized(e: Enclosure, axis: int, arithmetic: Arithmetic) -> Enclosure:
    """x/‖x‖ along one axis: Σx² as any sum of products, then its inverse root, then a product."""
    x = np.moveaxis(e.mid, axis, 0)
    squares = arithmetic.stepwise.close(product_moments(x, x))
    with np.errstate(all="ignore"):
        inverse = apply(INVERSE, squares, arithmetic, {}).move(lambda v: np.expand_dims(v, axis))
    return arithmetic.feed(product(e, spread_over(inverse, e.mid.shape), arithmetic))


ROWS = (Row("Dot", Dot, dot, terms=terms, operands=BOTH_INPUTS, source="keras.layers.Dot"),)
