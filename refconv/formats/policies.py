"""The dtype policy of a layer, and what refconv does not read yet: quantized and LoRA layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from refconv.errors import UnreadableModel

DEFAULT = "float32"
INFERRED = ("_infer", "infer", "infer_with_float32_vars")  # tf.keras 2.0 to 2.3: as the inputs


def dtype_policy(config: Mapping[str, Any], where: str) -> str:
    """Name of the policy: float32, mixed_float16, float64 …; also a plain dtype's name.

    Raises:
        UnreadableModel: no policy, or one of quantized weights.
    """
    value = config.get("dtype")
    if isinstance(value, dict):
        if "Quantized" in str(value.get("class_name")) or "DTypePolicyMap" in str(value.get("class_name")):
            raise UnreadableModel(f"dtype policy {value['class_name']} is not read yet", where=where)
        inner = value.get("config")
        value = inner.get("name") if isinstance(inner, dict) else inner
    if value is None or value in INFERRED:
        return DEFAULT
    if not isinstance(value, str):
        raise UnreadableModel(f"dtype = {value!r} is no dtype policy", where=where)
    if "_from_" in value:
        raise UnreadableModel(f"quantized weights (dtype policy {value}) are not read yet", where=where)
    return value


def refuse_unread(config: Mapping[str, Any], where: str) -> None:
    """Refuse LoRA and quantized layers by name.

    Raises:
        UnreadableModel: the layer is one.
    """
    for name in ("lora_rank", "lora_alpha", "quantization_config", "quantization_mode"):
        if config.get(name) is not None:
            kind = "LoRA" if name.startswith("lora") else "quantized"
            raise UnreadableModel(f"{kind} layers ({name} = {config[name]!r}) are not read yet", where=where)
