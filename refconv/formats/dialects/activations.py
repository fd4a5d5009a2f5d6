"""Activations: a name, nothing, or a serialized object → what `refconv.ops.activations.activation` reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from refconv.formats.dialects.common import inference_fields
from refconv.ops.attributes import Unknown

FIELDS = ("activation", "recurrent_activation")
# Layers that serve as activations: name of the function, and what its parameter is where the field is absent.
LAYERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "ReLU": ("relu", {}),
    "LeakyReLU": ("leaky_relu", {"negative_slope": 0.3}),
    "ELU": ("elu", {}),
    "Softmax": ("softmax", {}),
}
OWN_MODULES = ("keras.activations", "keras.src.activations", "tf_keras.activations", "tf_keras.src.activations")


def translate(value: Any, renamed: Mapping[str, str], layer: Any) -> Any:
    """The canonical form of an activation field.

    Args:
        value: None, a name, or {"class_name", "config", …}.
        renamed: names of this dialect that have another canonical name.
        layer: the dialect's `canonical`, for a layer that serves as an activation.

    Raises:
        Unknown: a user's own function or object.
    """
    if isinstance(value, str):
        return renamed.get(value, value)
    if not isinstance(value, dict):
        return value
    kind, config = value.get("class_name"), value.get("config")
    if kind == "function" and isinstance(config, str) and str(value.get("module")).startswith(OWN_MODULES):
        return renamed.get(config, config)
    if kind == "function":
        raise Unknown(f"activation {config!r} is a function of the user's own")
    if isinstance(kind, str) and isinstance(config, dict) and kind in LAYERS:
        return _from_layer(*layer(kind, inference_fields(config)))
    raise Unknown(f"activation {kind!r} has no reference")


def _from_layer(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    name, defaults = LAYERS[kind]
    return {"name": name, "parameters": {**defaults, **fields}}
