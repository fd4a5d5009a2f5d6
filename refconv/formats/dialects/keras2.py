"""Configurations of Keras 2.0 to 2.15 and tf-keras, in the spelling of Keras 3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from refconv.formats.dialects import activations
from refconv.formats.dialects.common import FLAGS, flags, inference_fields
from refconv.formats.dialects.merge import merge
from refconv.ops.attributes import Unknown

# Keras 2's hard_sigmoid is clip(0.2x + 0.5, 0, 1), Keras 3's is relu6(x + 3)/6. The other functions are the same.
RENAMED = {"hard_sigmoid": "hard_sigmoid_keras2", "swish": "silu", "softmax_v2": "softmax"}
ALIASES = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
}
Fields = dict[str, Any]


def canonical(class_name: str, config: Mapping[str, Any]) -> tuple[str, Fields]:
    """Class of the row, and its fields in the spelling of Keras 3.15.

    Raises:
        Unknown: an activation that is no function of Keras.
    """
    kind, fields = ALIASES.get(class_name, class_name), inference_fields(config)
    flags(fields, *(name for name in FLAGS if (kind, name) != ("Rescaling", "scale")))
    for name in activations.FIELDS:
        if name in fields:
            fields[name] = activations.translate(fields[name], RENAMED, canonical)
    if kind == "GroupNormalization" and _is_half(config.get("dtype")):
        raise Unknown("GroupNormalization of Keras 2 computes its statistics in 16 bits, where no bound exists")
    return CHANGES[kind](fields) if kind in CHANGES else (kind, fields)


def _is_half(dtype: Any) -> bool:
    named = dtype.get("config", {}).get("name") if isinstance(dtype, dict) else dtype
    return "float16" in str(named)


def _leaky_relu(fields: Fields) -> tuple[str, Fields]:
    return "LeakyReLU", _renamed(fields, "alpha", "negative_slope")


def _thresholded_relu(fields: Fields) -> tuple[str, Fields]:
    """x where x > theta, else 0: Keras 3 has no class of its own for it."""
    return "ReLU", _renamed(fields, "theta", "threshold")


def _batch_normalization(fields: Fields) -> tuple[str, Fields]:
    return "BatchNormalization", _single(fields, "axis")


def _softmax(fields: Fields) -> tuple[str, Fields]:
    return "Softmax", _single(fields, "axis")


def _renamed(fields: Fields, old: str, new: str) -> Fields:
    return {new if name == old else name: value for name, value in fields.items()}


def _single(fields: Fields, name: str) -> Fields:
    """tf.keras writes an axis as a list of one."""
    value = fields.get(name)
    return {**fields, name: value[0]} if isinstance(value, list) and len(value) == 1 else fields


def _layer_normalization(fields: Fields) -> tuple[str, Fields]:
    """Keras 2 takes batch normalisation's kernel wherever it can."""
    return "LayerNormalization", {**fields, "fused": True}


def _unit_normalization(fields: Fields) -> tuple[str, Fields]:
    """tf.linalg.l2_normalize raises the sum of squares to 1e-12, Keras 3 its root."""
    return "UnitNormalization", {**fields, "least": 1e-6}


def _resizing(fields: Fields) -> tuple[str, Fields]:
    """Keras 2 returns floats whatever it is given."""
    return "Resizing", {**fields, "whole": False}


CHANGES: Mapping[str, Callable[[Fields], tuple[str, Fields]]] = {
    "LeakyReLU": _leaky_relu,
    "ThresholdedReLU": _thresholded_relu,
    "BatchNormalization": _batch_normalization,
    "Softmax": _softmax,
    "Merge": merge,
    "LayerNormalization": _layer_normalization,
    "UnitNormalization": _unit_normalization,
    "Resizing": _resizing,
}
