"""How Keras 3 and Keras 2 spell the operators of `ops.operators`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Signature:
    """A row, the fields that positional arguments fill in order, and how named ones are called in the row.

    `defaults` are the function's own, where they are not the row's.
    """

    row: str
    parameters: tuple[str, ...] = ("x",)
    renamed: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)


# Arguments that change nothing at this value (...: at any).
IGNORED: Mapping[str, Any] = {
    "name": ...,
    "dtype_hint": ...,
    "out_type": "int32",
    "conjugate": False,
    "data_format": "NHWC",
    "beta": 1.0,
}
BINARY = (
    "add", "subtract", "multiply", "divide", "maximum", "minimum", "squared_difference", "equal", "not_equal", "less",
    "less_equal", "greater", "greater_equal", "logical_and", "logical_or",
)  # fmt: skip
UNARY = (
    "relu6", "sigmoid", "tanh", "silu", "softplus", "softsign", "selu", "hard_sigmoid", "hard_silu", "log_sigmoid",
    "abs", "negative", "square", "sqrt", "rsqrt", "exp", "log", "reciprocal", "logical_not",
)  # fmt: skip


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


KERAS3: dict[str, Signature] = {
    **{_camel(name): Signature(f"ops.{name}", ("x", "y"), {"x1": "x", "x2": "y"}) for name in BINARY},
    "TrueDivide": Signature("ops.divide", ("x", "y"), {"x1": "x", "x2": "y"}),
    **{_camel(name): Signature(f"ops.{name}") for name in UNARY},
    "Absolute": Signature("ops.abs"),
    "Relu": Signature("ops.relu"),
    "LeakyRelu": Signature("ops.leaky_relu"),
    "Elu": Signature("ops.elu"),
    "Gelu": Signature("ops.gelu"),
    "Softmax": Signature("ops.softmax"),
    "LogSoftmax": Signature("ops.log_softmax"),
    "Clip": Signature("ops.clip", ("x", "low", "high"), {"x_min": "low", "x_max": "high"}),
    "GetItem": Signature("ops.get_item", ("x", "key")),
    "Reshape": Signature("ops.reshape", ("x",), {"newshape": "shape"}),
    "Transpose": Signature("ops.transpose", ("x",), {"axes": "perm"}),
    "Swapaxes": Signature("ops.swapaxes", ("x",), {"axis1": "one", "axis2": "other"}),
    "ExpandDims": Signature("ops.expand_dims"),
    "Squeeze": Signature("ops.squeeze"),
    "Flip": Signature("ops.flip"),
    "Tile": Signature("ops.tile"),
    "Pad": Signature("ops.pad", ("x", "value"), {"pad_width": "paddings", "constant_values": "value"}),
    "Split": Signature("ops.split", ("x",), {"indices_or_sections": "sections"}),
    "Concatenate": Signature("ops.concatenate", ("values",), {"xs": "values"}),
    "Stack": Signature("ops.stack", ("values",)),
    "Mean": Signature("ops.mean"),
    "Sum": Signature("ops.sum"),
    "Max": Signature("ops.max"),
    "Min": Signature("ops.min"),
    "Any": Signature("ops.any"),
    "All": Signature("ops.all"),
    "Cast": Signature("ops.cast"),
    "ConvertToTensor": Signature("ops.identity"),
}

_X = {"x": "x", "input": "x", "features": "x", "logits": "x", "tensor": "x", "input_tensor": "x", "value": "x"}
_REDUCE = Signature("ops.{}", ("x", "axis", "keepdims"), {"input_tensor": "x", "keep_dims": "keepdims"})
_SHAPED: dict[str, tuple[tuple[str, ...], Mapping[str, str]]] = {
    "reshape": (("x", "shape"), {"tensor": "x"}),
    "transpose": (("x", "perm"), {"a": "x"}),
    "expand_dims": (("x", "axis"), {"input": "x"}),
    "squeeze": (("x", "axis"), {"input": "x"}),
    "pad": (("x", "paddings", "mode"), {"tensor": "x", "constant_values": "value"}),
    "tile": (("x", "repeats"), {"input": "x", "multiples": "repeats"}),
    "stack": (("values", "axis"), {}),
    "split": (("x", "sections", "axis"), {"value": "x", "num_or_size_splits": "sections"}),
    "cast": (("x", "dtype"), {}),
    "shape": (("x", "out_type"), {"input": "x"}),
    "clip": (("x", "low", "high"), {"t": "x", "clip_value_min": "low", "clip_value_max": "high"}),
}


def _shaped(row: str, *names: str) -> dict[str, Signature]:
    parameters, renamed = _SHAPED[row]
    return {name: Signature(f"ops.{row}", parameters, renamed) for name in names}


KERAS2: dict[str, Signature] = {
    **{f"math.{name}": Signature(f"ops.{name}", ("x", "y")) for name in BINARY},
    "math.truediv": Signature("ops.divide", ("x", "y")),
    "__operators__.add": Signature("ops.add", ("x", "y")),
    "nn.bias_add": Signature("ops.add", ("x", "y"), {"value": "x", "bias": "y"}),
    **{
        f"{prefix}math.scalar_mul": Signature("ops.multiply", ("x", "y"), {"scalar": "x", "x": "y"})
        for prefix in ("", "compat.v1.")
    },
    "math.add_n": Signature("ops.add_n", ("values",), {"inputs": "values"}),
    **{f"{module}.{name}": Signature(f"ops.{name}", ("x",), _X) for name in UNARY for module in ("math", "nn")},
    "nn.swish": Signature("ops.silu", ("x",), _X),
    "nn.relu": Signature("ops.relu", ("x",), _X),
    "nn.gelu": Signature("ops.gelu", ("x", "approximate"), _X, {"approximate": False}),
    "nn.elu": Signature("ops.elu", ("x",), _X),
    "nn.leaky_relu": Signature("ops.leaky_relu", ("x", "negative_slope"), {**_X, "alpha": "negative_slope"}),
    "nn.softmax": Signature("ops.softmax", ("x", "axis"), _X),
    "nn.log_softmax": Signature("ops.log_softmax", ("x", "axis"), _X),
    "identity": Signature("ops.identity", ("x",), _X),
    "stop_gradient": Signature("ops.identity", ("x",), _X),
    "__operators__.getitem": Signature("ops.get_item", ("x", "key"), {"slice_spec": "key"}),
    "concat": Signature("ops.concatenate", ("values", "axis")),
    "reverse": Signature("ops.flip", ("x", "axis"), {"tensor": "x"}),
    "nn.depth_to_space": Signature("ops.depth_to_space", ("x", "block_size"), _X),
    "nn.space_to_depth": Signature("ops.space_to_depth", ("x", "block_size"), _X),
    "math.l2_normalize": Signature("ops.l2_normalize", ("x", "axis", "epsilon")),
    **_shaped("reshape", "reshape"),
    **_shaped("transpose", "transpose", "compat.v1.transpose"),
    **_shaped("expand_dims", "expand_dims", "compat.v1.expand_dims"),
    **_shaped("squeeze", "squeeze", "compat.v1.squeeze"),
    **_shaped("pad", "pad", "compat.v1.pad"),
    **_shaped("tile", "tile"),
    **_shaped("stack", "stack"),
    **_shaped("split", "split"),
    **_shaped("cast", "cast"),
    **_shaped("shape", "shape", "compat.v1.shape"),
    **_shaped("clip", "clip_by_value"),
    **{
        f"{prefix}{kind}": Signature(_REDUCE.row.format(kind), _REDUCE.parameters, _REDUCE.renamed)
        for kind in ("mean", "sum", "max", "min", "any", "all")
        for prefix in ("math.reduce_", "compat.v1.reduce_", "reduce_")
    },
}
