"""Stored variables → the weights of a layer, by name and shape; by Keras's order where the names do not decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from refconv.errors import UnreadableModel
from refconv.formats.hdf5 import Stored
from refconv.formats.leaves import Leaf
from refconv.formats.wrappers import is_own
from refconv.graph import Weight
from refconv.ops.base import ANY, Shape, fits

# Variables that no optimizer trains, by their name in any layer.
STATISTICS = {
    "moving_mean",
    "moving_variance",
    "mean",
    "variance",
    "count",
    "renorm_mean",
    "renorm_stddev",
    "iteration",
    "step",
    "ema_min",
    "ema_max",
}


class Values(Protocol):
    """A dataset of the file, or what is made of some."""

    @property
    def path(self) -> str: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> str: ...

    def read(self) -> np.ndarray: ...


@dataclass(frozen=True)
class Derived:
    """An array of known shape that `make` gets from those stored, which are read only when it is."""

    parts: tuple[Values, ...]
    shape: tuple[int, ...]
    make: Callable[[Sequence[np.ndarray]], np.ndarray] = field(repr=False)

    @property
    def path(self) -> str:
        return ", ".join(part.path for part in self.parts)

    @property
    def dtype(self) -> str:
        return self.parts[0].dtype

    def read(self) -> np.ndarray:
        return np.ascontiguousarray(self.make([part.read() for part in self.parts]))


@dataclass(frozen=True)
class Variable:
    """One stored variable and the name that the file gives it ("conv1/kernel")."""

    name: str
    stored: Values

    @property
    def last(self) -> str:
        return self.name.rsplit("/", 1)[-1]


def match(leaf: Leaf, variables: Sequence[Variable]) -> dict[str, Weight]:
    """The weights of one layer under their canonical names; under the file's names where there is no reference.

    Raises:
        UnreadableModel: a weight is missing, surplus, or of the wrong shape; names layer, weight and shapes.
    """
    expected, variables = leaf.resolved.weights, of_inner(leaf, variables)
    if expected is None:
        return {name: _weight(leaf, name, item) for name, item in _own_names(variables).items()}
    _refuse_count(leaf, expected, variables)
    pairs = _paired(expected, variables)
    for name, variable in pairs.items():
        _refuse_shape(leaf, name, expected[name], variable)
    return {name: _weight(leaf, name, variable) for name, variable in pairs.items()}


def of_inner(leaf: Leaf, variables: Sequence[Variable]) -> list[Variable]:
    """`variables` without those that a wrapper around the layer keeps for itself."""
    return [variable for variable in variables if not is_own(leaf.layer, variable.name)]


def _paired(expected: Mapping[str, Shape], variables: Sequence[Variable]) -> dict[str, Variable]:
    named = {variable.last: variable for variable in variables}
    if set(named) == set(expected):
        return {name: named[name] for name in expected}
    return dict(zip(expected, variables, strict=True))


def _own_names(variables: Sequence[Variable]) -> dict[str, Variable]:
    """The innermost names where they are unique, else the whole ones."""
    short = {variable.last: variable for variable in variables}
    return short if len(short) == len(variables) else {variable.name: variable for variable in variables}


def _refuse_count(leaf: Leaf, expected: Mapping[str, Shape], variables: Sequence[Variable]) -> None:
    if len(variables) == len(expected):
        return
    stored = ", ".join(variable.name for variable in variables) or "none"
    problem = "is missing a weight" if len(variables) < len(expected) else "has a surplus weight"
    raise UnreadableModel(
        f"{problem}: the file stores {stored}; {leaf.resolved.type} has {', '.join(expected) or 'none'}",
        where=f"layer {leaf.name}",
    )


def _refuse_shape(leaf: Leaf, name: str, shape: Shape, variable: Variable) -> None:
    if not fits(shape, variable.stored.shape):
        raise UnreadableModel(
            f"{name} is stored with shape {_text(variable.stored.shape)}, and the configuration wants {_text(shape)}",
            where=f"layer {leaf.name}",
        )


def _text(shape: Shape) -> str:
    if shape == ANY:
        return "any"
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"


def _weight(leaf: Leaf, name: str, variable: Variable) -> Weight:
    stored = variable.stored
    trainable = leaf.trainable and name not in STATISTICS
    own = stored if isinstance(stored, Stored) else None
    return Weight(name, stored.path, stored.shape, stored.dtype, stored.read, trainable, own)
