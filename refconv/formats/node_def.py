"""TensorFlowOpLayer of tf.keras 2.0 to 2.3: a TensorFlow NodeDef and those of its inputs that are constants."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from refconv.formats.operator_names import Signature
from refconv.ops.attributes import Unknown
from refconv.ops.operators.moving import ELLIPSIS, Slice

# Op → row and what its inputs are. A name with "*" takes all that are left but those named after it.
OPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    **dict.fromkeys(("Add", "AddV2", "BiasAdd"), ("ops.add", ("x", "y"))),
    **dict.fromkeys(("RealDiv", "Div"), ("ops.divide", ("x", "y"))),
    "Sub": ("ops.subtract", ("x", "y")),
    "Mul": ("ops.multiply", ("x", "y")),
    "Maximum": ("ops.maximum", ("x", "y")),
    "Minimum": ("ops.minimum", ("x", "y")),
    "SquaredDifference": ("ops.squared_difference", ("x", "y")),
    "AddN": ("ops.add_n", ("values*",)),
    **{
        name: (f"ops.{name.lower()}", ("x",))
        for name in ("Relu", "Relu6", "Sigmoid", "Tanh", "Softplus", "Softsign", "Selu", "Elu", "Softmax", "Abs",
                     "Square", "Sqrt", "Rsqrt", "Exp", "Log", "Reciprocal", "Identity", "Shape")
    },
    "LogSoftmax": ("ops.log_softmax", ("x",)),
    "LeakyRelu": ("ops.leaky_relu", ("x",)),
    "Neg": ("ops.negative", ("x",)),
    "StopGradient": ("ops.identity", ("x",)),
    "Reshape": ("ops.reshape", ("x", "shape")),
    "Transpose": ("ops.transpose", ("x", "perm")),
    "ExpandDims": ("ops.expand_dims", ("x", "axis")),
    "Squeeze": ("ops.squeeze", ("x",)),
    "Tile": ("ops.tile", ("x", "repeats")),
    "ReverseV2": ("ops.flip", ("x", "axis")),
    "Pad": ("ops.pad", ("x", "paddings")),
    "PadV2": ("ops.pad", ("x", "paddings", "value")),
    "ConcatV2": ("ops.concatenate", ("values*", "axis")),
    "Pack": ("ops.stack", ("values*",)),
    "StridedSlice": ("ops.get_item", ("x", "begin", "end", "strides")),
    "Cast": ("ops.cast", ("x",)),
    "ClipByValue": ("ops.clip", ("x", "low", "high")),
    "DepthToSpace": ("ops.depth_to_space", ("x",)),
    "SpaceToDepth": ("ops.space_to_depth", ("x",)),
    **{name: (f"ops.{name.lower()}", ("x", "axis")) for name in ("Mean", "Sum", "Max", "Min", "Any", "All")},
    "Equal": ("ops.equal", ("x", "y")),
    "NotEqual": ("ops.not_equal", ("x", "y")),
    "Less": ("ops.less", ("x", "y")),
    "LessEqual": ("ops.less_equal", ("x", "y")),
    "Greater": ("ops.greater", ("x", "y")),
    "GreaterEqual": ("ops.greater_equal", ("x", "y")),
    "LogicalAnd": ("ops.logical_and", ("x", "y")),
    "LogicalOr": ("ops.logical_or", ("x", "y")),
    "LogicalNot": ("ops.logical_not", ("x",)),
}  # fmt: skip
# Attribute → the row's field, and where it stands in the AttrValue.
ATTRIBUTES: Mapping[str, tuple[str, str]] = {
    "keep_dims": ("keepdims", "b"),
    "squeeze_dims": ("axis", "list"),
    "axis": ("axis", "i"),
    "alpha": ("negative_slope", "f"),
    "block_size": ("block_size", "i"),
    "DstT": ("dtype", "type"),
}
MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
DTYPES = {"DT_FLOAT": "float32", "DT_HALF": "float16", "DT_BFLOAT16": "bfloat16", "DT_INT32": "int32",
          "DT_INT64": "int64", "DT_UINT8": "uint8"}  # fmt: skip


def arguments_of_node(config: Mapping[str, Any], positional: Sequence[Any]) -> tuple[Signature, dict[str, Any]]:
    """The row of the NodeDef, and its fields; tensors and constants in the places that the op has for them.

    Raises:
        Unknown: an op or an attribute without a reference, or a NodeDef in TensorFlow's own binary form.
    """
    node = config.get("node_def")
    if not isinstance(node, dict):
        raise Unknown("a TensorFlowOpLayer whose NodeDef is not in JSON has no reference")
    op = str(node.get("op"))
    if op not in OPS:
        raise Unknown(f"no reference for TensorFlow's op {op}")
    row, names = OPS[op]
    attributes = node.get("attr") or {}
    _refuse_channels_first(attributes)
    given = _placed(names, _inputs(config.get("constants") or {}, positional))
    if op == "StridedSlice":
        given = {"x": given["x"], "key": _key(given, attributes)}
    known = {field: _attribute(attributes[name], kind) for name, (field, kind) in ATTRIBUTES.items()
             if name in attributes}  # fmt: skip
    return Signature(row), {**given, **{name: value for name, value in known.items() if value is not None}}


def _inputs(constants: Mapping[str, Any], positional: Sequence[Any]) -> list[Any]:
    """All inputs of the op in order: constants stand at their own index."""
    tensors = [item for value in positional for item in (value if isinstance(value, list) else [value])]
    inputs = list(tensors)
    for index, value in sorted((int(index), value) for index, value in constants.items()):
        inputs.insert(index, value)
    return inputs


def _placed(names: Sequence[str], inputs: list[Any]) -> dict[str, Any]:
    if not names[0].endswith("*"):
        return dict(zip(names, inputs, strict=False))
    after = len(names) - 1
    several = inputs[: len(inputs) - after]
    return {names[0][:-1]: several, **dict(zip(names[1:], inputs[len(several) :], strict=True))}


def _attribute(value: Mapping[str, Any], kind: str) -> Any:
    """The value in an AttrValue, whose integers JSON holds as text; a missing one is the default of its kind."""
    if kind == "type":
        return DTYPES.get(str(value.get("type")), str(value.get("type")))
    if kind == "list":
        return [int(item) for item in (value.get("list") or {}).get("i", [])] or None
    if kind == "i":
        return int(value.get("i", 0))
    return value.get(kind, False if kind == "b" else 0.0)


def _key(given: Mapping[str, Any], attributes: Mapping[str, Any]) -> list[Any]:
    """The parts of an index, from bounds and their bit masks."""
    masks = {name: int(attributes.get(name, {}).get("i", 0)) for name in MASKS}
    begin, end, strides = (given[name] for name in ("begin", "end", "strides"))

    def part(i: int) -> Any:
        bit = {name for name, mask in masks.items() if mask >> i & 1}
        if "ellipsis_mask" in bit:
            return ELLIPSIS
        if "new_axis_mask" in bit:
            return None
        if "shrink_axis_mask" in bit:
            return begin[i]
        start, stop = (
            None if f"{name}_mask" in bit else bounds[i] for name, bounds in (("begin", begin), ("end", end))
        )
        return Slice(start, stop, strides[i])

    if not all(isinstance(bounds, list) for bounds in (begin, end, strides)):
        raise Unknown("a slice whose bounds are a tensor has no reference")
    return [part(i) for i in range(len(begin))]


def _refuse_channels_first(attributes: Mapping[str, Any]) -> None:
    layout = attributes.get("data_format", {}).get("s", "")
    if layout and base64.b64decode(layout) not in (b"NHWC", b"N"):
        raise Unknown(f"the layout {base64.b64decode(layout).decode()} of an op has no reference")
