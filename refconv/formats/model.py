"""What a configuration describes: models, their layers and the calls of each, whatever the version that wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from refconv.formats.inbound import Call, TensorRef

KERAS_CLASSES = ("Sequential", "Functional", "Model")


@dataclass(frozen=True)
class Layer:
    """One layer of a model. `config` is as in the file; `model` is there where the layer is a model itself."""

    name: str
    class_name: str
    config: Mapping[str, Any] = field(repr=False)
    calls: tuple[Call, ...]
    raw: Mapping[str, Any] = field(repr=False)
    model: Model | None = None

    @property
    def is_input(self) -> bool:
        return self.class_name == "InputLayer"

    @property
    def trainable(self) -> bool:
        return self.config.get("trainable", True) is not False


@dataclass(frozen=True)
class Model:
    """A model or nested model: layers in Keras's order, and which tensors go in and out.

    `opaque`: a subclassed model, of whose layers the file says nothing, as its own only layer.
    """

    name: str
    layers: tuple[Layer, ...]
    inputs: tuple[TensorRef, ...]
    outputs: tuple[TensorRef, ...]
    class_name: str
    opaque: bool = False

    def layer(self, name: str) -> Layer | None:
        return next((layer for layer in self.layers if layer.name == name), None)


def at(path: str) -> str:
    """Where an error is, for messages: the layer of that path, or nothing for the model itself."""
    return f"layer {path}" if path else ""


def own_classes(model: Model) -> list[str]:
    """Names of a user's subclasses of Model that are saved like Functional models, nested ones included."""
    nested = [name for layer in model.layers if layer.model is not None for name in own_classes(layer.model)]
    return [*([] if model.class_name in KERAS_CLASSES else [model.class_name]), *nested]
