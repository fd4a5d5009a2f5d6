"""Weights of a model that lives in this process: the variables of its layers, in Keras's own order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refconv.formats.leaves import Leaf, Path
from refconv.formats.live_layers import live_leaves
from refconv.formats.matching import Variable
from refconv.formats.model import Model


@dataclass(frozen=True)
class Live:
    """The weights of a live model, where a file's would be."""

    model: Any = field(repr=False)


@dataclass(frozen=True)
class Held:
    """A variable of a live layer, read when it is asked for."""

    path: str
    variable: Any = field(repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(int(size) for size in self.variable.shape)

    @property
    def dtype(self) -> str:
        return self.read().dtype.name

    def read(self) -> np.ndarray:
        values = np.array(self.variable.numpy())
        return values.astype(np.float32) if values.dtype.name == "bfloat16" else values


def find_variables(weights: Any, model: Model, leaves: Sequence[Leaf]) -> dict[Path, list[Variable]]:
    """The variables of each leaf, those that are trained first."""
    assert isinstance(weights, Live)
    layers = dict(live_leaves(weights.model))
    return {leaf.path: list(_variables(layers[leaf.name])) for leaf in leaves if leaf.name in layers}


def _variables(layer: Any) -> Iterator[Variable]:
    for variable in (*layer.trainable_weights, *layer.non_trainable_weights):
        name = str(getattr(variable, "path", variable.name)).removesuffix(":0")
        yield Variable(name, Held(name, variable))
