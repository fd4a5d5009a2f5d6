"""The leaf layers of a model, nested models opened: where each one's weights have to be found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from refconv.formats.model import Layer, Model
from refconv.formats.resolve import Resolved, resolve

Path = tuple[str, ...]


@dataclass(frozen=True)
class Leaf:
    """One layer that is no model; `path` leads to it through the nested models."""

    path: Path
    layer: Layer
    resolved: Resolved
    trainable: bool

    @property
    def name(self) -> str:
        return "/".join(self.path)


def find_leaves(model: Model, dialect: str, path: Path = (), trainable: bool = True) -> Iterator[Leaf]:
    """Every leaf but InputLayers, in Keras's order of layers."""
    for layer in model.layers:
        here, trained = (*path, layer.name), trainable and layer.trainable
        if layer.model is not None:
            yield from find_leaves(layer.model, dialect, here, trained)
        elif not layer.is_input:
            yield Leaf(here, layer, resolve(layer, "/".join(here), dialect), trained)
