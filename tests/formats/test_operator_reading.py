"""Which operators are read, and what is said of those that are not."""

from __future__ import annotations

from typing import Any

import pytest

from refconv.errors import UnreadableModel
from refconv.formats.model import Layer
from refconv.formats.operator_names import KERAS2, KERAS3
from refconv.formats.operators import dtype_of, read_operation
from refconv.graph import Node, Origin, Ref
from refconv.ops.attributes import Unknown
from refconv.ops.operators.moving import Slice
from refconv.ops.operators.operands import Operand
from refconv.ops.table import TABLE

X, Y = Ref(0), Ref(3)
DOUBLE = {"class_name": "__numpy__", "config": {"value": [1.0], "dtype": "float64"}}
CHANNELS_FIRST = {"op": "BiasAdd", "attr": {"data_format": {"s": "TkNIVw=="}}}


def op(kind: str, positional: Any, config: dict[str, Any] | None = None, **named: Any) -> Any:
    layer = Layer("op", kind, {"name": "op", **(config or {})}, (), {})
    return read_operation(layer, positional, named, "layer op")


def tf(function: str, first: Any, **named: Any) -> Any:
    return op("TFOpLambda", (first,), {"function": function, "trainable": True, "dtype": "float32"}, **named)


def test_tensors_keep_the_order_of_the_call() -> None:
    found = op("Subtract", (2.0, Y))
    assert (found.type, found.inputs) == ("ops.subtract", (Y,))
    assert (found.attrs.x, found.attrs.y) == (2.0, Operand(0))
    twice = op("Concatenate", ([Y, X],), {"axis": 1})
    assert twice.inputs == (Y, X) and twice.attrs.values == (Operand(0), Operand(1))
    named = tf("reshape", X, shape=[Y, -1])
    assert named.inputs == (X, Y) and named.attrs.shape == (Operand(1), -1)


def test_an_index_is_read_in_both_spellings() -> None:
    slices = {"class_name": "__slice__", "config": {"start": 1, "stop": None, "step": 2}}
    assert op("GetItem", (X, [slices, None, -1])).attrs.key == (Slice(1, None, 2), None, -1)
    spec = [{"start": 1, "stop": None, "step": 2}, None, -1]
    assert op("SlicingOpLambda", (X,), {"function": "__operators__.getitem"}, slice_spec=spec).attrs.key == (
        Slice(1, None, 2),
        None,
        -1,
    )
    assert op("GetItem", (X, None)).attrs.key == (None,)


def test_every_spelling_names_a_row_and_its_fields() -> None:
    for signature in (*KERAS3.values(), *KERAS2.values()):
        fields = TABLE[signature.row].attributes.__dataclass_fields__
        assert set(signature.parameters) - {"out_type"} <= set(fields), signature
        assert set(signature.defaults) <= set(fields)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: op("Einsum", (X,)), "operator Einsum"),
        (lambda: tf("linalg.matmul", X, b=Y), "tf.linalg.matmul"),
        (lambda: op("Add", (X, DOUBLE)), "float64"),
        (lambda: op("Pad", (X,), {"pad_width": [[0, 0], [1, 1]], "mode": "reflect"}), "mode = 'reflect'"),
        (lambda: op("Max", (X,), {"axis": 1}, initial=0.0), "'initial'"),
        (lambda: op("Cast", (X,), {"dtype": "complex64"}), "complex64"),
        (lambda: op("Add", (X, 1.0, 2.0)), "3 arguments"),
        (lambda: tf("reshape", X, shape=Y), "a shape that is one tensor"),
        (lambda: op("TensorFlowOpLayer", (X,), {"node_def": "binary"}), "not in JSON"),
        (lambda: op("TensorFlowOpLayer", (X,), {"node_def": {"op": "Cumsum"}}), "op Cumsum"),
        (lambda: op("TensorFlowOpLayer", (X,), {"node_def": CHANNELS_FIRST}), "layout NCHW"),
    ],
)
def test_what_has_no_reference(call: Any, match: str) -> None:
    with pytest.raises(Unknown, match=match):
        call()


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: op("Reshape", (X,), {"newshape": "wide"}), "shape = 'wide'"),
        (lambda: op("Add", (X,)), "'y' is missing"),
        (lambda: op("Mean", (X,), {"axis": 0.5}), "axis = 0.5"),
    ],
)
def test_what_does_not_fit(call: Any, match: str) -> None:
    with pytest.raises(UnreadableModel, match=match):
        call()


def test_the_dtype_is_that_of_the_tensors() -> None:
    def node(index: int, dtype: str) -> Node:
        return Node(index, f"n{index}", "Dense", None, (), Origin("Dense", "keras3"), dtype=dtype)

    nodes = [node(0, "mixed_float16"), node(1, "float32"), node(2, "int32"), node(3, "mixed_float16")]
    for refs, dtype in (((0, 3), "mixed_float16"), ((0, 2), "mixed_float16"), ((1, 2), "float32"), ((2, 2), "float32")):
        assert dtype_of(op("Add", tuple(map(Ref, refs))), nodes) == dtype
    with pytest.raises(Unknown, match="float32 and mixed_float16"):
        dtype_of(op("Add", (Ref(0), Ref(1))), nodes)
    wide, narrow = (op("Cast", (Ref(0),), {"dtype": dtype}) for dtype in ("float32", "int32"))
    assert dtype_of(wide, nodes) == dtype_of(narrow, nodes) == "mixed_float16"
    assert dtype_of(op("Cast", (Ref(1),), {"dtype": "float16"}), nodes) == "float16"
    nodes.append(Node(4, "cast", "ops.cast", wide.attrs, (), Origin("Cast", "keras3"), dtype="mixed_float16"))
    assert dtype_of(op("Multiply", (Ref(4), 0.3)), nodes) == "float32"
