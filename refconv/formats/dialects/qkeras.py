"""QKeras's layers in Keras 2 files: their fields as they are, less those that change nothing at inference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from refconv.formats.dialects.common import FLAGS, flags, inference_fields

# Ranges were arguments of older versions; QBatchNormalization ignores its activation.
DROPPED = {"kernel_range", "bias_range", "depthwise_range", "pointwise_range", "gamma_range", "beta_range"}
IGNORED = {
    "QBatchNormalization": {"activation"},
    "QAdaptiveActivation": {"quantization_delay", "ema_decay"},
}


def canonical(class_name: str, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Class of the row and its fields; quantizers stay in the form in which the file has them."""
    fields = inference_fields(config)
    dropped = DROPPED | IGNORED.get(class_name, set())
    fields = {name: value for name, value in fields.items() if name not in dropped}
    flags(fields, *FLAGS)
    return class_name, fields


def owns(class_name: str) -> bool:
    """QKeras's classes begin with a Q, which no class of Keras does."""
    return class_name[:1] == "Q" and class_name[1:2].isupper()
