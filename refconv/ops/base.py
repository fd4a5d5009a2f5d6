"""What an op is: a row of the table, the context it runs in, and the terms of one element."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.moments import Need
from refconv.primitives.engine import Engine

Weights = Mapping[str, np.ndarray]
Shape = tuple[int | None, ...]
ANY: Shape = (-1,)  # the shape of a weight that only the layer's input determines, rank included


def fits(shape: Shape, actual: tuple[int, ...]) -> bool:
    """True where a weight of shape `actual` may stand where a row wants `shape`."""
    if shape == ANY:
        return True
    return len(shape) == len(actual) and all(a in (None, b) for a, b in zip(shape, actual, strict=True))


@dataclass(frozen=True)
class Context:
    """How the reference computes: which loops, which rounding to bound, and how much of the bound is wanted.

    With `Need.PROBABLE` long sums (n ≥ 49, where 10σ is always below the worst case) leave out Σ|t|, which costs a
    third correlation; `compare` asks again with `Need.WORST` where an element leaves the probable bound.

    `seeded` says that the model's inputs were drawn at random, so that a tensor's errors may be judged together.
    `spread` asks how the errors are spread over each output.
    """

    engine: Engine
    arithmetic: Arithmetic = Arithmetic()
    need: Need = Need.WORST
    seeded: bool = False
    spread: bool = False


@dataclass(frozen=True)
class Terms:
    """The exact terms of one output element, for stage 2.

    Attributes:
        products: the products in float64, one axis per loop of the kernel: (kh, kw, cin) for Conv2D.
        bias: one more term, or None.
        finish: what the layer does after the sum (activation), from a 0-d enclosure to a 0-d enclosure.
        scale: factor on the sum before the bias (1/area of an average).
        widen: adds to the sum's enclosure what its operands may have erred.
    """

    products: np.ndarray
    bias: float | None
    finish: Callable[[Enclosure], Enclosure]
    scale: float = 1.0
    widen: Callable[[Enclosure], Enclosure] = lambda enclosure: enclosure


class Slot(Protocol):
    """One weight that a layer multiplies by: what its quantizer is given, the quantizer, and what comes out."""

    @property
    def raw(self) -> Enclosure: ...

    @property
    def quantizer(self) -> Any: ...

    @property
    def effective(self) -> Enclosure: ...


Forward = Callable[[Any, Weights, Sequence[Enclosure], Context], "Enclosure | tuple[Enclosure, ...]"]
FindTerms = Callable[[Any, Weights, Sequence[np.ndarray], tuple[int, ...], Context], Terms]


def no_weights(attrs: Any) -> dict[str, Shape]:
    return {}


def direct_alone(attrs: Any) -> tuple[str, ...]:
    return ()


States = Mapping[str, Enclosure]
Close = Callable[[Terms], Enclosure]


@dataclass(frozen=True)
class Steps:
    """How to judge a layer made of steps, each on the framework's own result of the step before.

    Attributes:
        widths: attrs → the tensors that a step leaves, such as an LSTM's h and c, and how many numbers each has. What
            the framework recorded under such a name is (N, steps, width), in the order in which the steps were run.
        enclose: (attrs, weights, inputs, recorded, context) → the enclosure of every recorded tensor, all its steps.
        outputs: (attrs, inputs, recorded, enclosed, context) → the layer's outputs, given what its steps left and what
            `enclose` made of that.
        explain: (attrs, weights, inputs, recorded, name, index, context, close) → the enclosure of one element, its
            sums closed by `close` from their terms (stage 2); None where that is not to be had.
        tail: (attrs, shape of the input) → what follows (N, steps) in the shape of what steps leave; None where that
            is its width alone.
    """

    widths: Callable[[Any], Mapping[str, int]]
    enclose: Callable[[Any, Weights, Sequence[Enclosure], States, Context], dict[str, Enclosure]]
    outputs: Callable[[Any, Sequence[Enclosure], States, States, Context], tuple[Enclosure, ...]]
    explain: Callable[
        [Any, Weights, Sequence[Enclosure], States, str, tuple[int, ...], Context, Close], Enclosure | None
    ]
    tail: Callable[[Any, tuple[int, ...]], tuple[int, ...]] | None = None

    def shapes(self, attrs: Any, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor that steps leave, given the input's."""
        tail = self.tail
        return {name: (*shape[:2], *(tail(attrs, shape) if tail else (n,))) for name, n in self.widths(attrs).items()}

    def names(self, attrs: Any) -> tuple[str, ...]:
        return tuple(self.widths(attrs))


@dataclass(frozen=True)
class Row:
    """One Keras class.

    Attributes:
        keras: class name, as Keras 3 spells it.
        attributes: frozen dataclass of `refconv.ops.attributes`; its fields are Keras 3's config names.
        forward: (attrs, weights, inputs, context) → enclosure of the output (or a tuple, for several outputs).
        weights: attrs → {name: shape} in Keras's order; None in a shape matches any size, ANY any shape.
        terms: (attrs, weights, input values, index of the output element, context) → Terms; None where the bound is
            not a sum's.
        exact: True where the layer rounds nothing, so that bit equality is demanded.
        source: where the semantics are documented.
        note: what a framework is known to do wrong with it, told beside the results; "" for most.
        slots: (attrs, stored weights) → the weights that the layer multiplies by, for `forward` and `terms`; None where
            those are the stored ones.
        steps: how the layer is judged step by step; None where it is judged as a whole.
        operands: names of the weights that the inputs are multiplied by: hardware may round both to a lower format.
        algorithms: attrs → how a library may compute it but by adding up its products (`ops.fast_convolution`).
        together: what it computes depends on the batch as a whole, or on the calls before.
        wide: under a 16-bit policy it computes in float32 inside, on its weights as stored, and rounds once.
        single: a bound is known for float32 alone.
        attends: under a 16-bit policy it may take the softmax of its scores in float32 or in 16 bits.
        inside: attrs → row and attributes of the layer that this one applies, whose arithmetic is its own.
    """

    keras: str
    attributes: type
    forward: Forward
    weights: Callable[[Any], dict[str, Shape]] = no_weights
    terms: FindTerms | None = None
    exact: bool = False
    source: str = ""
    slots: Callable[[Any, Weights], Mapping[str, Slot]] | None = None
    note: str = ""
    steps: Steps | None = None
    operands: tuple[str, ...] = ()
    algorithms: Callable[[Any], tuple[str, ...]] = direct_alone
    together: bool = False
    wide: bool = False
    single: bool = False
    attends: bool = False
    inside: Callable[[Any], tuple[Row, Any]] | None = None

    def core(self, attrs: Any) -> tuple[Row, Any]:
        """The row and the attributes that say how the layer computes: those of the layer inside, if there is one."""
        return self.inside(attrs) if self.inside else (self, attrs)

    def explained(self, attrs: Any) -> FindTerms | None:
        """`terms`, unless the layer inside has none."""
        return self.terms if self.core(attrs)[0].terms else None
