"""What every dialect drops or unwraps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from refconv.ops.identity import AUGMENTING

# Names, training and how the layer was built: nothing of it changes what a built layer computes. The dtype policy
# does, and is kept beside the attributes, in Node.dtype.
DROPPED = {
    "name", "trainable", "dtype", "autocast", "build_config", "batch_input_shape", "batch_shape", "input_shape",
    "input_dtype", "input_length", "seed", "noise_shape",
}  # fmt: skip
DROPPED_SUFFIXES = ("_initializer", "_regularizer", "_constraint")

# Fields that matter in training only: kept where a row declares them, else dropped.
TRAINING_ONLY = {
    "rate", "stddev", "l1", "l2", "momentum", "synchronized", "fused", "virtual_batch_size", "renorm_clipping",
    "renorm_momentum", "dropout", "recurrent_dropout", "drop_path_rate", "rng_type",
}  # fmt: skip
# What augmentation draws from: its layers alone drop these, others compute with fields of such names.
AUGMENTATION = {
    "addition_factor", "all_ops", "alpha", "bins", "brightness_factor", "chain_depth", "contrast_factor", "factor",
    "fill_mode", "fill_value", "height_factor", "hue_factor", "interpolation", "kernel_size", "mode", "num_chains",
    "num_ops", "saturation_factor", "scale", "sigma", "threshold_factor", "value_range", "width_factor", "x_factor",
    "y_factor",
}  # fmt: skip
# What a layer's weights were made from, which are in the file.
INITIAL = {"STFTSpectrogram": {"window", "periodic", "scaling"}}
# How a recurrent layer begins and loops: nothing of it is seen without a mask.
LOOPING = {"unit_forget_bias", "implementation", "unroll", "zero_output_for_mask", "use_cudnn", "enable_caching_device"}
# What a layer of Keras 2 was built for, and how it hides what a mask leaves out: there is none.
BUILT = {"query_shape", "key_shape", "value_shape", "softmax_robust_masking"}
# Fields that change nothing at these values: dropped there if no row declares them.
NEUTRAL: Mapping[str, Any] = {
    "renorm": False, "adjustment": None, "quantization_config": None, "groups": 1, "filters": None, "mask_zero": False,
    "bounding_box_format": None, "gptq_unpacked_column_size": None,
    "ragged": False, "sparse": False, "stateful": False, "time_major": False,
}  # fmt: skip


def inference_fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """`config` without what can never change inference, its values in plain form."""
    return {
        name: plain(value)
        for name, value in config.items()
        if name not in DROPPED and not name.endswith(DROPPED_SUFFIXES)
    }


def is_inert(name: str, value: Any, kind: str = "") -> bool:
    """True for a field that the row of the class `kind` need not know."""
    drawn = kind in AUGMENTING and name in AUGMENTATION or name in INITIAL.get(kind, ())
    return drawn or name in TRAINING_ONLY | LOOPING | BUILT or (name in NEUTRAL and value == NEUTRAL[name])


def plain(value: Any) -> Any:
    """Keras's wrappers for what JSON has no word for: tuples, shapes and arrays become lists and numbers."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind, config = value.get("class_name"), value.get("config")
    if kind in ("__tuple__", "TensorShape") and isinstance(value.get("items"), list):
        return plain(value["items"])
    if kind in ("__numpy__", "__tensor__") and isinstance(config, dict):
        return plain(config.get("value"))
    return value


def flags(fields: dict[str, Any], *names: str) -> None:
    """0 and 1 where false and true are meant: Keras takes either, and writes what it was given."""
    for name in names:
        if type(fields.get(name)) is int and fields[name] in (0, 1):
            fields[name] = bool(fields[name])


FLAGS = (
    "use_bias", "center", "scale", "keepdims", "crop_to_aspect_ratio", "mask_zero", "return_sequences", "return_state",
    "go_backwards", "use_scale", "use_gate", "stateful", "unroll", "time_major", "reset_after",
)  # fmt: skip
