"""What a user's own reference is written with: operations that carry their bound along, as the rows of the table do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, bounded, join, point
from refconv.ops import pairwise
from refconv.ops.activations import activate, activation
from refconv.ops.base import Context
from refconv.ops.carry import carry
from refconv.ops.contraction import Labels, einsum, spread_over, summed
from refconv.ops.mean import mean
from refconv.primitives.sums import spatial_moments

Operand = Enclosure | np.ndarray | float


@dataclass(frozen=True)
class Toolkit:
    """Every operation takes enclosures or arrays, which are taken as exact, and gives an enclosure.

    `mid` of an enclosure is the exact value, in float64; its radii are what rounding may do in the arithmetic that the
    layer is judged by: an operation adds its own roundings, and hands on what its operands may err by.
    """

    context: Context

    @property
    def _arithmetic(self) -> Arithmetic:
        return self.context.arithmetic

    def einsum(self, equation: str, a: Operand, b: Operand) -> Enclosure:
        """A sum of products, of named axes as in "nik,nkj->nij"; bounded as any sum is, in any order.

        Raises:
            UnreadableModel: the equation is none, or does not fit the shapes.
        """
        operands, _, result = equation.replace(" ", "").partition("->")
        first, _, second = operands.partition(",")
        if not (first.isalpha() and second.isalpha() and result.isalpha()) or set(second) - set(first + result):
            raise UnreadableModel(f"{equation!r} is no equation such as 'nik,nkj->nij'")
        return einsum(Labels(first, second, result), _enclosed(a), _enclosed(b), self.context)

    def matmul(self, a: Operand, b: Operand) -> Enclosure:
        """(…, C) by (C, F)."""
        a, b = _enclosed(a), _enclosed(b)
        lead = "abcdefgh"[: a.mid.ndim - 1]
        return einsum(Labels(f"{lead}y", "yz", f"{lead}z"), a, b, self.context)

    def add(self, a: Operand, b: Operand) -> Enclosure:
        return pairwise.total(*_broadcast(a, b), self._arithmetic)

    def subtract(self, a: Operand, b: Operand) -> Enclosure:
        return self.add(a, self.negative(b))

    def multiply(self, a: Operand, b: Operand) -> Enclosure:
        return pairwise.product(*_broadcast(a, b), self._arithmetic)

    def negative(self, a: Operand) -> Enclosure:
        e = _enclosed(a)
        return Enclosure(-e.mid, e.sigma, e.worst, e.floor, e.overflow)

    def activation(self, name: str, x: Operand, **parameters: Any) -> Enclosure:
        """One of the functions that Keras names: relu, tanh, sigmoid, softmax, gelu …

        Raises:
            UnreadableModel: there is no such function, or no such parameter.
        """
        read = activation({"name": name, "parameters": parameters})
        return activate(read, _enclosed(x), self._arithmetic)

    def sum(self, x: Operand, axis: int) -> Enclosure:
        """Over one axis, which goes."""
        return summed(_enclosed(x), axis, self._arithmetic)

    def mean(self, x: Operand, axis: int) -> Enclosure:
        """Over one axis, which goes."""
        e = _enclosed(x)
        closed = mean(spatial_moments(e.mid, (axis % e.mid.ndim,)), self._arithmetic.stepwise)
        return _without(carry(closed, e, lambda r: np.mean(r, axis=axis, keepdims=True)), axis)

    def move(self, f: Callable[[np.ndarray], np.ndarray], x: Operand) -> Enclosure:
        """`f` only moves or selects elements: reshape, transpose, slice, flip."""
        return Enclosure(*_enclosed(x).full()).move(f)

    def concatenate(self, parts: Sequence[Operand], axis: int) -> Enclosure:
        return join(lambda arrays: np.concatenate(arrays, axis=axis), tuple(map(_enclosed, parts)))

    def within(self, values: np.ndarray, radius: np.ndarray | float) -> Enclosure:
        """Values of your own, and how far a right result may lie from them: a bound that you answer for."""
        return bounded(np.asarray(values, dtype=np.float64), radius)


def _enclosed(x: Operand) -> Enclosure:
    return x if isinstance(x, Enclosure) else point(np.asarray(x))


def _broadcast(a: Operand, b: Operand) -> tuple[Enclosure, Enclosure]:
    first, second = _enclosed(a), _enclosed(b)
    shape = np.broadcast_shapes(first.mid.shape, second.mid.shape)
    return spread_over(first, shape), spread_over(second, shape)


def _without(e: Enclosure, axis: int) -> Enclosure:
    return e.move(lambda v: np.squeeze(v, axis))
