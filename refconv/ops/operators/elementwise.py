"""Operators of one tensor, element by element or along an axis: the activations by their own names, roots, powers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from refconv.numerics.enclosure import Enclosure
from refconv.ops.activation_layers import non_negative, read_axes
from refconv.ops.activations import Activation, activate
from refconv.ops.attributes import attribute, flag, number, optional
from refconv.ops.axes import as_floats
from refconv.ops.base import Context, Forward, Row, Weights
from refconv.ops.functions.base import DIVISION, EXP, LOG, RSQRT, SQRT, Function, relative
from refconv.ops.functions.elementwise import apply
from refconv.ops.operators.operands import Constant, Operand, operand, taken


@dataclass(frozen=True)
class Unary:
    x: Operand | Constant = operand()


@dataclass(frozen=True)
class Along(Unary):
    axis: tuple[int, ...] = attribute(read_axes, default=(-1,))


@dataclass(frozen=True)
class Leaky(Unary):
    negative_slope: float = attribute(non_negative, default=0.2)


@dataclass(frozen=True)
class Elu(Unary):
    alpha: float = attribute(number, default=1.0)


@dataclass(frozen=True)
class Gelu(Unary):
    approximate: bool = attribute(flag, default=True)


@dataclass(frozen=True)
class Relu(Unary):
    negative_slope: float = attribute(non_negative, default=0.0)
    max_value: float | None = attribute(optional(non_negative), default=None)
    threshold: float = attribute(non_negative, default=0.0)


def zero(p: Any) -> tuple[float, ...]:
    return (0.0,)


# A root of a reciprocal may be a reciprocal of a root. Near 1 a logarithm is small, and kernels are accurate there too.
OTHERS = {
    function.name: function
    for function in (
        Function("abs", lambda x, p: np.abs(x), turns=zero),
        Function("negative", lambda x, p: -x),
        Function("square", lambda x, p: x * x, relative(1), zero),
        Function("sqrt", lambda x, p: np.sqrt(x), relative(SQRT)),
        Function("rsqrt", lambda x, p: 1 / np.sqrt(x), relative(max(RSQRT, SQRT + DIVISION))),
        Function("exp", lambda x, p: np.exp(x), relative(EXP)),
        Function("log", lambda x, p: np.log(x), relative(LOG)),
        Function("reciprocal", lambda x, p: 1 / x, relative(DIVISION)),
    )
}


def other(name: str) -> Forward:
    """y = f(x) for a function that is no activation."""

    def run(attrs: Unary, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
        x = taken(attrs.x, inputs, context.arithmetic)
        if x.mid.dtype.kind in "iu" and OTHERS[name].error(x.mid, x.mid, {}, context.arithmetic.format) is None:
            return Enclosure(np.asarray(OTHERS[name].f(x.mid, {})))
        with np.errstate(all="ignore"):
            return apply(OTHERS[name], as_floats(x, context.arithmetic), context.arithmetic, {})

    return run


def activation(name: str) -> Forward:
    """y = f(x) for a function of `ops.activations`; the attributes beside x are its parameters."""

    def run(attrs: Unary, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
        x = as_floats(taken(attrs.x, inputs, context.arithmetic), context.arithmetic)
        given = tuple((f.name, getattr(attrs, f.name)) for f in fields(attrs) if f.name != "x")
        return activate(Activation(name, given), x, context.arithmetic)

    return run


def identity(attrs: Unary, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y = x."""
    return taken(attrs.x, inputs, context.arithmetic)


PLAIN = ("relu6", "sigmoid", "tanh", "silu", "softplus", "softsign", "selu", "hard_sigmoid", "hard_silu", "log_sigmoid")
WITH = {"relu": Relu, "leaky_relu": Leaky, "elu": Elu, "gelu": Gelu, "softmax": Along, "log_softmax": Along}

ROWS = (
    *(Row(f"ops.{name}", Unary, activation(name), source=f"keras.ops.{name}") for name in PLAIN),
    *(Row(f"ops.{name}", attrs, activation(name), source=f"keras.ops.{name}") for name, attrs in WITH.items()),
    *(
        Row(f"ops.{name}", Unary, other(name), exact=name in ("abs", "negative"), source=f"keras.ops.{name}")
        for name in OTHERS
    ),
    Row("ops.identity", Unary, identity, exact=True, source="tf.identity, tf.stop_gradient"),
)
