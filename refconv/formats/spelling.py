"""Canonical attributes → the configuration that a Keras writes for them: what the dialects do, the other way round."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from refconv.errors import UnreadableModel
from refconv.formats.dialects import DIALECTS, qkeras
from refconv.formats.dialects.activations import LAYERS
from refconv.formats.dialects.common import inference_fields
from refconv.formats.model import Layer
from refconv.formats.resolve import resolve
from refconv.formats.wrappers import unwrapped
from refconv.graph import Node
from refconv.ops.activations import Activation
from refconv.ops.bidirectional import Direction
from refconv.ops.einsum_dense import Equation
from refconv.ops.functions.axis import AXIS
from refconv.ops.functions.table import FUNCTIONS
from refconv.ops.interpolation import HALF_PIXEL
from refconv.ops.time_distributed import Inner
from refconv.quantizers.base import Quantizer

Fields = dict[str, Any]

# How Keras 2 calls what has another canonical name; what it does not have at all is missing here.
KERAS2_NAMES = {"hard_sigmoid_keras2": "hard_sigmoid", "silu": "swish"}
KERAS2_FUNCTIONS = {
    "linear", "relu", "elu", "selu", "softmax", "softplus", "softsign", "tanh", "sigmoid", "exponential", "gelu",
    "mish", *KERAS2_NAMES,
}  # fmt: skip
KERAS2_FIELDS = {("LeakyReLU", "negative_slope"): "alpha"}
# Constructors demand what matters in training only; where the file did not say, any value will do.
DEMANDED = {"rate": ("Dropout", 0.5), "stddev": ("GaussianNoise", 0.5)}
# Where the model is entered has a layer of its own; names are given anew.
PLACED = ("name", "trainable", "batch_input_shape", "batch_shape", "build_config", "input_dtype")


def spelled(node: Node, keras: int, where: str, *, understood: bool) -> tuple[str, Fields]:
    """Class name and configuration of the node's layer for Keras 2 or 3, without its name and dtype.

    As the file had it, where that means the same to this Keras, unless only what is `understood` is wanted: that comes
    from the attributes.

    Raises:
        UnreadableModel: this Keras has no such layer, or not with these attributes.
    """
    origin = _origin(node, where)
    if origin is not None and not understood and node.origin.dialect == f"keras{keras}":
        again = resolve(origin, node.layer, node.origin.dialect)
        if (again.type, again.attrs) == (node.type, node.attrs) or node.attrs is None:
            return origin.class_name, _plain(origin.config)
    if node.attrs is None:
        raise UnreadableModel(f"{node.type} cannot be written for Keras {keras}: {node.reason}", where=where)
    return node.type, {**_demanded(node, origin), **configuration(node.type, node.attrs, keras, where)}


def configuration(kind: str, attrs: Any, keras: int, where: str) -> Fields:
    """The fields of a row's class, from its attributes."""
    found: Fields = {}
    for field in fields(attrs):
        value = getattr(attrs, field.name)
        if implied := IMPLIED.get((kind, field.name)):
            if value != implied[keras]:
                raise UnreadableModel(f"{field.name} = {value} cannot be written for Keras {keras}", where=where)
            continue
        if keras == 2 and value == field.default and not _stated(kind, field.name):
            continue  # Keras 2 does not take all of Keras 3's arguments
        name = KERAS2_FIELDS.get((kind, field.name), field.name) if keras == 2 else field.name
        found[name] = _value(value, keras, f"{where}: {field.name}")
    if kind in AS_TEXT and attrs.activation.quantizer is not None:
        found["activation"] = quantizer_text(attrs.activation.quantizer, where)
    return {name: value for name, value in found.items() if (name, value) not in UNSAID}


# What no configuration says, since each Keras computes it in its own way, or a call says it.
IMPLIED: Mapping[tuple[str, str], Mapping[int, Any]] = {
    ("LayerNormalization", "fused"): {2: True, 3: False},
    ("UnitNormalization", "least"): {2: 1e-6, 3: 1e-12},
    ("Resizing", "whole"): {2: False, 3: True},
    ("Resizing", "alignment"): {2: HALF_PIXEL, 3: HALF_PIXEL},
    ("UpSampling2D", "alignment"): {2: HALF_PIXEL, 3: HALF_PIXEL},
    ("ReversibleEmbedding", "reverse"): {2: False, 3: False},
}
AS_TEXT = ("QActivation",)  # takes a quantizer as text, or as an object, and does not read a serialized one
UNSAID: tuple[tuple[str, Any], ...] = (("backward_layer", None), ("output_padding", None), ("masks", []))
LAID_OUT = re.compile("Conv|Pool|Flatten|[23]D$")  # Keras 2's layers that take a data format


def _stated(kind: str, field: str) -> bool:
    """Whether a field has to be written although it has the row's default, which is not the class's everywhere.

    A data format's default is the user's own (~/.keras/keras.json).
    """
    said = field == "reset_after" or (field == "data_format" and LAID_OUT.search(kind))
    return qkeras.owns(kind) or bool(said)


def _origin(node: Node, where: str) -> Layer | None:
    """The layer as the file had it, None where there was no file."""
    if not node.origin.config or node.origin.dialect not in DIALECTS:
        return None
    raw = {"class_name": node.origin.class_name, "config": node.origin.config}
    return unwrapped(Layer(node.layer, node.origin.class_name, node.origin.config, (), raw), where)


def _plain(config: Mapping[str, Any]) -> Fields:
    return {name: value for name, value in config.items() if name not in PLACED}


def _demanded(node: Node, origin: Layer | None) -> Fields:
    said: Fields = {}
    if origin is not None and not qkeras.owns(node.type):
        given = DIALECTS[node.origin.dialect](origin.class_name, origin.config)[1]
        said = {name: given[name] for name in DEMANDED if isinstance(given.get(name), (int, float))}
    wanted = {name: value for name, (ending, value) in DEMANDED.items() if node.type.rstrip("123D").endswith(ending)}
    return {**wanted, **said}


def _value(value: Any, keras: int, where: str) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list)):
        return [_value(item, keras, where) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, Activation):
        return _activation(value, keras, where)
    if isinstance(value, Quantizer):
        return quantizer(value)
    if isinstance(value, Equation):
        return value.text
    if isinstance(value, (Direction, Inner)):
        inner = configuration(value.row.keras, value.attrs, keras, where)
        return serialized(value.row.keras, inner, keras)
    raise UnreadableModel(f"{type(value).__name__} cannot be written yet", where=where)


def serialized(kind: str, config: Fields, keras: int) -> Fields:
    """A layer inside another's configuration."""
    module = {"module": "keras.layers", "registered_name": None} if keras == 3 else {}
    return {**module, "class_name": kind, "config": config}


def _activation(value: Activation, keras: int, where: str) -> Any:
    """A name; a layer that serves as activation, where the function has parameters of its own."""
    if value.quantizer is not None:
        return quantizer(value.quantizer)
    plain = keras == 3 and value.name != "hard_sigmoid_keras2" or value.name in KERAS2_FUNCTIONS and keras == 2
    if plain and not value.parameters:
        return KERAS2_NAMES.get(value.name, value.name) if keras == 2 else value.name
    kind = next((kind for kind, (name, _) in LAYERS.items() if name == value.name), None)
    if kind is None:
        said = f"{value.name} with {dict(value.parameters)}" if value.parameters else value.name
        raise UnreadableModel(f"Keras {keras} has no activation {said}", where=where)
    defaults = {"axis": -1} if value.name in AXIS else FUNCTIONS[value.name].parameters
    given = {**defaults, **dict(value.parameters)}
    config = {KERAS2_FIELDS.get((kind, k), k) if keras == 2 else k: v for k, v in given.items()}
    return serialized(kind, config, keras)


def quantizer(value: Quantizer) -> Any:
    """What QKeras reads: its parameters that are not the default ones; a plain name of a function without any."""
    assert is_dataclass(value)
    known = [field for field in fields(value) if "read" in field.metadata]
    if not known:
        return value.name
    given = {field.name: getattr(value, field.name) for field in known}
    changed = {field.name: given[field.name] for field in known if given[field.name] != field.default}
    return {"class_name": value.name, "config": inference_fields(_listed(changed))}


def quantizer_text(value: Quantizer, where: str) -> str:
    """ "quantized_bits(bits=4,alpha='auto')", which QKeras reads without lists and without None."""
    serialized = quantizer(value)
    if isinstance(serialized, str):
        return serialized
    for name, item in serialized["config"].items():
        if not isinstance(item, (bool, int, float, str)):
            raise UnreadableModel(f"{value.name} with {name} = {item!r} cannot be written", where=where)
    return f"{value.name}({','.join(f'{name}={item!r}' for name, item in serialized['config'].items())})"


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, tuple) else value
