"""Configurations of Keras 1.0 to 1.2, in the spelling of Keras 3.

Sources: `get_config` of keras 1.2.2, and what its successors made of such files (keras/legacy/interfaces.py of 2.0).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from refconv.formats.dialects import activations, keras2
from refconv.formats.dialects.common import FLAGS, flags, inference_fields
from refconv.formats.dialects.merge import merge
from refconv.ops.attributes import Unknown

Fields = dict[str, Any]

CLASSES = {
    "Convolution1D": "Conv1D",
    "AtrousConvolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "AtrousConvolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "SeparableConvolution2D": "SeparableConv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "TimeDistributedDense": "Dense",
}
RENAMED = {
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "border_mode": "padding",
    "dim_ordering": "data_format",
    "subsample": "strides",
    "subsample_length": "strides",
    "stride": "strides",
    "pool_length": "pool_size",
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "inner_activation": "recurrent_activation",
    "p": "rate",
    "sigma": "stddev",
}
LAYOUTS = {"th": "channels_first", "tf": "channels_last"}
# Where training starts, and how a recurrent layer is spread over memory: nothing of it changes a trained layer.
DROPPED = {"consume_less", "forget_bias_init", "dropout_W", "dropout_U", "input_dim", "weights"}
DROPPED_SUFFIXES = ("init",)  # init, inner_init, gamma_init …
UNITS = ("Dense", "LSTM", "GRU", "SimpleRNN")
SIZES = (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3"))


def canonical(class_name: str, config: Mapping[str, Any]) -> tuple[str, Fields]:
    """Class of the row, and its fields in the spelling of Keras 3.15.

    Raises:
        Unknown: what Keras 1 could do and its successors cannot, or an activation that is no function of Keras.
    """
    kind = CLASSES.get(class_name, class_name)
    fields = {RENAMED.get(name, name): value for name, value in inference_fields(config).items() if _kept(kind, name)}
    if isinstance(ordering := fields.get("data_format"), str):
        fields["data_format"] = LAYOUTS.get(ordering, ordering)
    if fields.get("padding") == "full":
        raise Unknown(f"border_mode = 'full' of {class_name} has no reference")
    for names in SIZES:
        if all(name in fields for name in names):
            fields["kernel_size"] = [fields.pop(name) for name in names]
    if kind in UNITS:
        fields = {"units" if name == "output_dim" else name: value for name, value in fields.items()}
    flags(fields, *FLAGS)
    for name in activations.FIELDS:
        if name in fields:
            fields[name] = activations.translate(fields[name], keras2.RENAMED, canonical)
    return CHANGES[kind](fields) if kind in CHANGES else (kind, fields)


def _kept(kind: str, name: str) -> bool:
    if kind == "Embedding":  # its input_dim is the table's length
        return name not in ("init", "dropout")
    return name not in DROPPED and not name.endswith(DROPPED_SUFFIXES)


def _batch_normalization(fields: Fields) -> tuple[str, Fields]:
    """Mode 0 is the one that is left: statistics per feature, the moving ones at inference."""
    mode = fields.pop("mode", 0)
    if mode != 0:
        raise Unknown(f"mode = {mode!r} of BatchNormalization (other than moving statistics) has no reference")
    return "BatchNormalization", fields


def _zero_padding(fields: Fields) -> tuple[str, Fields]:
    """(rows, columns), (top, bottom, left, right), or the latter by name."""
    given = fields.get("padding")
    if isinstance(given, dict):
        given = [given.get(f"{side}_pad", 0) for side in ("top", "bottom", "left", "right")]
    if isinstance(given, list) and len(given) == 4:
        given = [given[:2], given[2:]]
    return "ZeroPadding2D", {**fields, "padding": given}


def _zero_padding_1d(fields: Fields) -> tuple[str, Fields]:
    given = fields.get("padding")
    if isinstance(given, dict):
        given = [given.get("left_pad", 0), given.get("right_pad", 0)]
    return "ZeroPadding1D", {**fields, "padding": given}


def _up_sampling_1d(fields: Fields) -> tuple[str, Fields]:
    return "UpSampling1D", {"size" if name == "length" else name: value for name, value in fields.items()}


def _transposed(fields: Fields) -> tuple[str, Fields]:
    """The output's shape stands in the file, where its successor has the surplus over the smallest one."""
    shape = fields.pop("output_shape", None)
    size, strides = fields.get("kernel_size"), fields.get("strides", [1, 1])
    lengths = shape[1:] if isinstance(shape, list) else None
    if isinstance(lengths, list):
        lengths = lengths[1:] if fields.get("data_format") == "channels_first" else lengths[:2]
    if all(_is_pair(pair) for pair in (lengths, size, strides)):
        return "Conv2DTranspose", {**fields, **_surplus(lengths, size, strides, fields.get("padding", "valid"))}
    return "Conv2DTranspose", fields


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(n) is int and n > 0 for n in value)


def _surplus(lengths: Any, size: Any, strides: Any, padding: str) -> Fields:
    """`output_padding`, unless it is what the layer does without."""
    axes = list(zip(lengths, size, strides, strict=True))
    if padding == "same" and all(length % step == 0 for length, _, step in axes):
        return {}
    found = [_surplus_of_axis(*axis, padding) for axis in axes]
    if padding == "valid" and all(extra == max(k - s, 0) - k + s for extra, (_, k, s) in zip(found, axes, strict=True)):
        return {}
    if any(not 0 <= extra < step for extra, step in zip(found, strides, strict=True)):
        raise Unknown(f"a Deconvolution2D of output {lengths}, kernel {size} and strides {strides} has no reference")
    return {"output_padding": found}


def _surplus_of_axis(length: int, size: int, stride: int, padding: str) -> int:
    """What (positions − 1)·stride + size − 2·pad leaves of the length; positions as the convolution back has."""
    positions = -(-length // stride) if padding == "same" else -(-(length - size + 1) // stride)
    pad = size // 2 if padding == "same" else 0
    return length - ((positions - 1) * stride + size - 2 * pad)


def _of_keras2(kind: str) -> Callable[[Fields], tuple[str, Fields]]:
    return lambda fields: keras2.CHANGES[kind](fields)


CHANGES: Mapping[str, Callable[[Fields], tuple[str, Fields]]] = {
    "BatchNormalization": _batch_normalization,
    "Merge": merge,
    "ZeroPadding1D": _zero_padding_1d,
    "ZeroPadding2D": _zero_padding,
    "UpSampling1D": _up_sampling_1d,
    "Conv2DTranspose": _transposed,
    **{kind: _of_keras2(kind) for kind in ("LeakyReLU", "ThresholdedReLU")},
}
