"""What a counterfactual is: one layer call, altered in one respect, for the reference to compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from refconv.compare.operands import prepare
from refconv.graph import Node
from refconv.numerics.enclosure import Enclosure
from refconv.ops.base import Context, Weights
from refconv.reference.forward import forward, step_names, stepwise


def _all(weights: Weights) -> Weights:
    return weights


@dataclass(frozen=True)
class Case:
    """One layer call as the reference computes it.

    Attributes:
        node: whose type and attributes say what is computed.
        weights: what the layer multiplies by.
        inputs: the framework's.
        stored: as in the file, before any quantizer; whole, also where the case is a sample of the layer.
        steps: what the framework's own steps left, for a layer made of steps.
        fed: the inputs of the whole layer, where the case is a sample of it.
        unit: the channel of which one weight is set off: of a kernel's filters, or a depthwise layer's inputs.
        narrow: whole weights → those of the case, where it is a sample of the layer's channels.
    """

    node: Node
    weights: Weights
    inputs: tuple[np.ndarray, ...]
    stored: Weights = field(default_factory=dict)
    steps: Weights = field(default_factory=dict)
    fed: tuple[np.ndarray, ...] = ()
    unit: int = 0
    narrow: Callable[[Weights], Weights] = _all

    @property
    def attrs(self) -> Any:
        return self.node.attrs

    def with_attrs(self, **changes: Any) -> Case:
        return replace(self, node=replace(self.node, attrs=replace(self.attrs, **changes)))

    def as_type(self, keras: str, attrs: Any) -> Case:
        """The same inputs through another layer."""
        return replace(self, node=replace(self.node, type=keras, attrs=attrs))

    def with_weights(self, **changes: np.ndarray) -> Case:
        return replace(self, weights={**self.weights, **changes})

    def with_input(self, value: np.ndarray) -> Case:
        """Another first input."""
        return replace(self, inputs=(value, *self.inputs[1:]))

    def enclose(self, context: Context) -> tuple[Enclosure, ...]:
        """Enclosures of the outputs, then of what the steps leave, operands rounded as the arithmetic rounds them.

        Raises:
            UnreadableModel: attributes, weights and inputs do not fit each other.
        """
        if not (step_names(self.node) and self.steps):
            return forward(self.node, *prepare(self.node, self.weights, self.inputs, context.arithmetic), context)
        found = stepwise(self.node, self.weights, self.inputs, self.steps, context)
        return (*found.outputs, *found.steps.values())

    def same(self, other: Case) -> bool:
        """True where nothing was altered, so that no input could tell the two apart."""
        arrays = [(self.weights.get(n), other.weights.get(n)) for n in {*self.weights, *other.weights}]
        arrays += list(zip(self.inputs, other.inputs, strict=False))
        return (
            (self.node.type, self.attrs, len(self.inputs)) == (other.node.type, other.attrs, len(other.inputs))
            and all(a is not None and b is not None for a, b in arrays)
            and all(a is b or _alike(a, b) for a, b in arrays)  # type: ignore[arg-type]
        )


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def always(case: Case) -> bool:
    return True


@dataclass(frozen=True)
class Counterfactual:
    """One fault that a layer might have.

    Attributes:
        name: in plain words, what the layer would do.
        families: attribute classes of `ops`; a quantized layer's are subclasses of the float layer's.
        alter: case → the case with the fault. Only this one layer, and only what the reference computes.
        applies: whether the layer has what the fault needs (a second group, a side to swap), whatever its numbers are.
    """

    name: str
    families: tuple[type, ...]
    alter: Callable[[Case], Case]
    applies: Callable[[Case], bool] = always

    def concerns(self, case: Case) -> bool:
        return isinstance(case.attrs, self.families) and self.applies(case)
