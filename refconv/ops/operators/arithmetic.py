"""Operators of two tensors, or a tensor and a constant, that broadcast as NumPy does; and sums of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, Z
from refconv.ops import merging
from refconv.ops.axes import as_floats
from refconv.ops.base import Context, Forward, Row, Weights
from refconv.ops.functions.base import DIVISION
from refconv.ops.functions.elementwise import radii
from refconv.ops.merging import Merge
from refconv.ops.operators.operands import Constant, Operand, operand, operands, taken

Combine = Callable[[Sequence[Enclosure], Context], Enclosure]


@dataclass(frozen=True)
class Binary:
    x: Operand | Constant = operand()
    y: Operand | Constant = operand()


@dataclass(frozen=True)
class Several:
    values: tuple[Operand | Constant, ...] = operands()


@dataclass(frozen=True)
class Bounds:
    x: Operand | Constant = operand()
    low: Operand | Constant = operand()
    high: Operand | Constant = operand()


def aligned(given: Sequence[Enclosure]) -> list[Enclosure]:
    """All of one shape.

    Raises:
        UnreadableModel: the shapes do not broadcast.
    """
    try:
        shape = np.broadcast_shapes(*(e.mid.shape for e in given))
    except ValueError:
        shapes = ", ".join(str(e.mid.shape) for e in given)
        raise UnreadableModel(f"shapes {shapes} do not broadcast") from None
    return [Enclosure(*(np.broadcast_to(v, shape) for v in e.full())) for e in given]


def binary(combine: Combine, integers: np.ufunc | None = None) -> Forward:
    """Two operands; integers on both sides stay integers, exactly, where there is an operation for them."""

    def run(attrs: Binary, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
        given = aligned([taken(value, inputs, context.arithmetic) for value in (attrs.x, attrs.y)])
        if integers is not None and all(e.mid.dtype.kind in "iu" for e in given):
            return Enclosure(integers(*(e.mid for e in given)))
        return combine([as_floats(e, context.arithmetic) for e in given], context)

    return run


def several(attrs: Several, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """Σ x_i."""
    given = [taken(value, inputs, context.arithmetic) for value in attrs.values]
    return _add(aligned([as_floats(e, context.arithmetic) for e in given]), context)


def clip(attrs: Bounds, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """min(max(x, low), high); exact: it selects."""
    x, low, high = aligned(
        [
            as_floats(taken(value, inputs, context.arithmetic), context.arithmetic)
            for value in (attrs.x, attrs.low, attrs.high)
        ]
    )
    return _extreme(np.minimum)([_extreme(np.maximum)([x, low], context), high], context)


def _add(given: Sequence[Enclosure], context: Context) -> Enclosure:
    """One rounding, and one of each operand: a fused kernel may add products that it never rounded (`ops.merging`)."""
    return merging.add(Merge(), {}, given, context)


def _subtract(given: Sequence[Enclosure], context: Context) -> Enclosure:
    return merging.subtract(Merge(), {}, given, context)


def _multiply(given: Sequence[Enclosure], context: Context) -> Enclosure:
    return merging.multiply(Merge(), {}, given, context)


def _divide(given: Sequence[Enclosure], context: Context) -> Enclosure:
    """x/y, or x times a rounded 1/y: DIVISION·u|y| either way; radii r as far as |y| − r_y reaches.

    A subnormal operand may be read as 0, and so may 1/y be.
    """
    x, y = given
    fmt = context.arithmetic.format
    with np.errstate(all="ignore"):
        quotient = x.mid / y.mid
        found = [
            np.where(
                rx + ry > 0, (rx + np.abs(quotient) * ry) / np.maximum(np.abs(y.mid) - ry, 0.0), 0.0
            ) + DIVISION * fmt.u * np.abs(quotient)
            for rx, ry in zip(radii(x), radii(y), strict=True)
        ]  # fmt: skip
        small = ((x.mid != 0) & (np.abs(x.mid) < fmt.tiny)) | (1 / np.abs(y.mid) < fmt.tiny)
        floor = fmt.tiny * (1 + 1 / np.abs(y.mid)) + np.where(small, np.abs(quotient), 0.0)
        divisor = (y.mid != 0) & (np.abs(y.mid) < fmt.tiny)
        overflow = divisor | x.overflow | y.overflow | (np.abs(quotient) * (1 + DIVISION * fmt.u) > fmt.max)
    return _closed(quotient, found, floor, overflow, context.arithmetic)


def _closed(
    y: np.ndarray, found: list[np.ndarray], floor: np.ndarray, overflow: np.ndarray, arithmetic: Arithmetic
) -> Enclosure:
    finite = np.isfinite(y)
    probable, limit = (np.where(finite, np.nan_to_num(r, nan=np.inf, posinf=np.inf), 0.0) for r in found)
    floor = np.where(finite, np.nan_to_num(floor, nan=np.inf, posinf=np.inf), 0.0)
    overflow = overflow & finite
    return Enclosure(y, probable / Z, limit, floor, overflow if overflow.any() else False)


def _extreme(choose: np.ufunc) -> Combine:
    return lambda given, context: merging.extreme(choose)(Merge(), {}, given, context)  # type: ignore[return-value]


def _squared(given: Sequence[Enclosure], context: Context) -> Enclosure:
    """(x − y)²: the difference rounds, then the square."""
    difference = _subtract(given, context)
    return reduce(lambda a, b: _multiply([a, b], context), [difference, difference])


ROWS = (
    Row("ops.add", Binary, binary(_add, np.add), source="keras.ops.add, tf.math.add"),
    Row("ops.subtract", Binary, binary(_subtract, np.subtract), source="keras.ops.subtract, tf.math.subtract"),
    Row("ops.multiply", Binary, binary(_multiply, np.multiply), source="keras.ops.multiply, tf.math.multiply"),
    Row("ops.divide", Binary, binary(_divide), source="keras.ops.divide, tf.math.divide"),
    Row("ops.squared_difference", Binary, binary(_squared), source="tf.math.squared_difference"),
    Row("ops.maximum", Binary, binary(_extreme(np.maximum)), exact=True, source="keras.ops.maximum, tf.math.maximum"),
    Row("ops.minimum", Binary, binary(_extreme(np.minimum)), exact=True, source="keras.ops.minimum, tf.math.minimum"),
    Row("ops.add_n", Several, several, source="tf.math.add_n"),
    Row("ops.clip", Bounds, clip, exact=True, source="keras.ops.clip, tf.clip_by_value"),
)
