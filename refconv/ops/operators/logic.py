"""Operators that compare and combine truths, of which masks are made. Exact: nothing is rounded.

A comparison is one of the values given: where those of a chained run err, it may fall the other way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from refconv.numerics.enclosure import Enclosure
from refconv.ops.base import Context, Forward, Row, Weights
from refconv.ops.operators.arithmetic import Binary, aligned
from refconv.ops.operators.elementwise import Unary
from refconv.ops.operators.operands import taken
from refconv.ops.operators.reducing import Reduction, axes_of

COMPARING = {
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
}
COMBINING = {"logical_and": np.logical_and, "logical_or": np.logical_or}
REDUCING = {"any": np.any, "all": np.all}


def two(function: np.ufunc) -> Forward:
    """f(x, y), broadcast; a constant is compared as the format holds it."""

    def run(attrs: Binary, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
        x, y = aligned([taken(value, inputs, context.arithmetic) for value in (attrs.x, attrs.y)])
        return Enclosure(function(x.mid, y.mid))

    return run


def negated(attrs: Unary, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """True where x is zero or false."""
    return Enclosure(np.logical_not(taken(attrs.x, inputs, context.arithmetic).mid))


def reduced(name: str) -> Forward:
    """Whether any, or all, along the axes are neither zero nor false."""

    def run(attrs: Reduction, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
        x = taken(attrs.x, inputs, context.arithmetic).mid
        return Enclosure(np.asarray(REDUCING[name](x, axis=axes_of(attrs, x.ndim), keepdims=attrs.keepdims)))

    return run


ROWS = (
    *(
        Row(f"ops.{name}", Binary, two(function), exact=True, source=f"keras.ops.{name}, tf.math.{name}")
        for name, function in {**COMPARING, **COMBINING}.items()
    ),
    Row("ops.logical_not", Unary, negated, exact=True, source="keras.ops.logical_not, tf.math.logical_not"),
    *(
        Row(f"ops.{name}", Reduction, reduced(name), exact=True, source=f"keras.ops.{name}, tf.math.reduce_{name}")
        for name in REDUCING
    ),
)
