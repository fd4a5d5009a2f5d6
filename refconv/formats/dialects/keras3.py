"""Keras 3's configurations, whose spelling is the canonical one: fields that do not change inference are dropped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from refconv.formats.dialects import activations
from refconv.formats.dialects.common import FLAGS, flags, inference_fields

RENAMED = {"swish": "silu", "hard_swish": "hard_silu"}
ALIASES = {"SyncBatchNormalization": "BatchNormalization", "GroupedQueryAttention": "GroupQueryAttention"}


def canonical(class_name: str, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Class of the row, and its fields in the spelling of Keras 3.15.

    Raises:
        Unknown: an activation that is no function of Keras.
    """
    fields = inference_fields(config)
    flags(fields, *(name for name in FLAGS if (class_name, name) != ("Rescaling", "scale")))
    for name in activations.FIELDS:
        if name in fields:
            fields[name] = activations.translate(fields[name], RENAMED, canonical)
    return ALIASES.get(class_name, class_name), fields
