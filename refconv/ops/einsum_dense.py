"""EinsumDense: a product with a kernel over axes that an equation names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure, point
from refconv.ops.activations import LINEAR, Activation, activate, activation
from refconv.ops.attributes import attribute, integer, optional
from refconv.ops.base import ANY, Context, Row, Shape, Terms, Weights
from refconv.ops.contraction import Labels, einsum, products

# Keras's three forms: no ellipsis, one on the left, one on the right, of the input and the output.
FORM = re.compile(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?")
SPARE = "".join(chr(code) for code in range(0x3B1, 0x3CA))  # letters for what an ellipsis stands for


@dataclass(frozen=True)
class Equation:
    """`left` and `right` say where an ellipsis stands."""

    text: str
    first: str
    kernel: str
    result: str
    left: bool
    right: bool

    def labels(self, rank: int) -> Labels:
        """For an input of so many axes.

        Raises:
            UnreadableModel: it has too few, or more where no ellipsis takes them.
        """
        elided = rank - len(self.first)
        if elided < 0 or (elided and not (self.left or self.right)) or elided > len(SPARE):
            raise UnreadableModel(f"an input of {rank} dimensions does not fit {self.text}")
        spare = SPARE[:elided]
        first, result = (spare + own if self.left else own + spare for own in (self.first, self.result))
        return Labels(first, self.kernel, result)


def equation(value: Any) -> Equation:
    """Reader of "ab,bc->ac", "...x,xy->...y" or "ab...,bc->ac..."."""
    found = FORM.fullmatch(value.replace(" ", "")) if isinstance(value, str) else None
    if found is None:
        raise ValueError("an equation such as 'ab,bc->ac' or '...x,xy->...y' is wanted")
    before, first, after, kernel, front, result, back = found.groups()
    if (before, after) != (front, back) or (before and after):
        raise ValueError("an ellipsis stands on the same side of the input and the output")
    if any(len(set(one)) < len(one) for one in (first, kernel, result)):
        raise ValueError("an axis stands twice in one tensor")
    if not (set(result) <= set(first) | set(kernel) and set(kernel) <= set(first) | set(result)):
        raise ValueError("an axis has no size of its own")
    return Equation(value, first, kernel, result, bool(before), bool(after))


def lengths(value: Any) -> tuple[int | None, ...]:
    """The output's shape without its batch; None where the input decides."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return tuple(optional(integer(1))(n) for n in values)


def letters(value: Any) -> str:
    if not isinstance(value, str) or not value.isalpha():
        raise ValueError("letters are wanted")
    return value


@dataclass(frozen=True)
class EinsumDense:
    equation: Equation = attribute(equation)
    output_shape: tuple[int | None, ...] = attribute(lengths)
    activation: Activation = attribute(activation, default=LINEAR)
    bias_axes: str | None = attribute(optional(letters), default=None)


def shapes(attrs: EinsumDense) -> dict[str, Shape]:
    """The kernel's sizes follow from the input too; the bias has the output's axes from the first of its own on."""
    kernel: Shape = (None,) * len(attrs.equation.kernel)
    if attrs.bias_axes is None:
        return {"kernel": kernel}
    if attrs.equation.right:  # one axis more for each that the ellipsis stands for
        return {"kernel": kernel, "bias": ANY}
    behind = attrs.equation.result[_first_of_bias(attrs) :]
    return {"kernel": kernel, "bias": tuple(None if label in attrs.bias_axes else 1 for label in behind)}


def _first_of_bias(attrs: EinsumDense) -> int:
    return min(attrs.equation.result.find(label) for label in attrs.bias_axes or "")


def einsum_dense(attrs: EinsumDense, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y = activation(Σ x·kernel + bias), the sum over the axes that the output lacks; the bias broadcasts to the end.

    Raises:
        UnreadableModel: input, kernel, bias and `output_shape` do not fit each other.
    """
    labels = attrs.equation.labels(inputs[0].mid.ndim)
    closed = einsum(
        labels,
        inputs[0],
        point(weights["kernel"]),
        context,
        lambda m: m.plus(_bias(weights["bias"], m.y.shape)) if attrs.bias_axes else m,
    )
    _fit_output(attrs, closed.mid.shape)
    return activate(attrs.activation, closed, context.arithmetic)


def _bias(bias: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    pairs = zip(bias.shape[::-1], shape[::-1], strict=False)
    if bias.ndim > len(shape) or any(b not in (1, n) for b, n in pairs):
        raise UnreadableModel(f"bias of shape {bias.shape} does not fit an output of shape {shape}")
    return bias


def _fit_output(attrs: EinsumDense, shape: tuple[int, ...]) -> None:
    """`output_shape` names the axes behind the ellipsis or the batch, those before one on the right."""
    wanted, equation = attrs.output_shape, attrs.equation
    given = shape[len(shape) - len(wanted) :] if not equation.right else shape[1 : 1 + len(wanted)]
    if len(given) != len(wanted) or any(w not in (None, n) for w, n in zip(wanted, given, strict=True)):
        raise UnreadableModel(f"output_shape {wanted} does not fit an output of shape {shape}")


def terms(
    attrs: EinsumDense, weights: Weights, inputs: Sequence[np.ndarray], index: tuple[int, ...], context: Context
) -> Terms:
    """An axis of the products for each axis that is summed over."""
    labels = attrs.equation.labels(inputs[0].ndim)
    bias = None
    if attrs.bias_axes:
        own = weights["bias"]
        at = zip(own.shape, index[len(index) - own.ndim :], strict=True)
        bias = float(own[tuple(0 if length == 1 else i for length, i in at)])
    return Terms(
        products(labels, inputs[0], weights["kernel"], index),
        bias,
        lambda enclosure: activate(attrs.activation, enclosure, context.arithmetic),
    )


ROWS = (
    Row(
        "EinsumDense",
        EinsumDense,
        einsum_dense,
        shapes,
        terms,
        operands=("kernel",),
        source="keras.layers.EinsumDense",
    ),
)
