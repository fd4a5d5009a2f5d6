"""Operators that a file holds as layers → rows of `ops.operators`, through a closed table of spellings.

Keras 3 writes `x + 3.0` as a layer of class Add of the module keras.src.ops.numpy, Keras 2 as a TFOpLambda of the
function __operators__.add, and tf.keras 2.0 to 2.3 as a TensorFlowOpLayer around a NodeDef. The tensors and constants
stand in the call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from refconv.formats.dialects.common import plain
from refconv.formats.model import Layer
from refconv.formats.node_def import arguments_of_node
from refconv.formats.operator_names import IGNORED, KERAS2, KERAS3, Signature
from refconv.graph import Node, Ref
from refconv.ops.attributes import Unknown, build
from refconv.ops.operators.moving import ELLIPSIS, Slice
from refconv.ops.operators.operands import Operand
from refconv.ops.table import TABLE

LAMBDAS = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
HALVES = ("float16", "bfloat16")
ARRAYS = ("__numpy__", "__tensor__")


@dataclass(frozen=True)
class Operation:
    """One call of an operator: its row's name, attributes, and the tensors that its Operands stand for."""

    type: str
    attrs: Any
    inputs: tuple[Ref, ...]


def read_operation(layer: Layer, positional: Sequence[Any], named: Mapping[str, Any], where: str) -> Operation:
    """What a call of the operator `layer` computes.

    Args:
        positional, named: the call's arguments, a tensor among them as a Ref.

    Raises:
        Unknown: the operator, or one of its arguments, has no reference.
        UnreadableModel: an argument does not fit.
    """
    tensors: list[Ref] = []
    positional = tuple(_value(value, tensors) for value in positional)
    named = {name: _value(value, tensors) for name, value in named.items()}
    signature, given = _canonical(layer, positional, named)
    kept = {name: value for name, value in given.items() if not _left_out(name, value)}
    row = TABLE[signature.row]
    return Operation(signature.row, build(row.attributes, kept, where), tuple(tensors))


def dtype_of(operation: Operation, nodes: Sequence[Node]) -> str:
    """The dtype policy that the operator computes in: that of its tensors.

    Raises:
        Unknown: tensors of a 16-bit policy beside others, of which XLA may leave the 16-bit ones unrounded.
    """
    found = sorted({dtype for ref in operation.inputs if "float" in (dtype := _given(nodes[ref.node]))})
    if len(found) > 1 and any(half in dtype for dtype in found for half in HALVES):
        raise Unknown(f"an operator on tensors of {' and '.join(found)} has no reference")
    if not found:
        return operation.attrs.dtype if operation.type == "ops.cast" else "float32"
    if operation.type == "ops.cast" and found == ["float32"] and operation.attrs.dtype in HALVES:
        return operation.attrs.dtype
    return "float64" if "float64" in found else found[0]


def _given(node: Node) -> str:
    """The policy of a node's outputs, which of a cast is what it casts to."""
    return node.attrs.dtype if node.type == "ops.cast" else node.dtype


def _value(value: Any, tensors: list[Ref]) -> Any:
    """A Ref as the Operand that it becomes; Keras's words for slices, tuples and arrays in plain form.

    Raises:
        Unknown: a constant in float64, which makes the result float64.
    """
    if isinstance(value, Ref):
        tensors.append(value)
        return Operand(len(tensors) - 1)
    if isinstance(value, (list, tuple)):
        return [_value(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    config = value.get("config")
    kind = value.get("class_name", "__slice__" if set(value) == {"start", "stop", "step"} else "")
    if kind == "__slice__":
        bounds = config if isinstance(config, dict) else value
        return Slice(*(_value(bounds.get(name), tensors) for name in ("start", "stop", "step")))
    if kind == "__ellipsis__":
        return ELLIPSIS
    if kind in ARRAYS and isinstance(config, dict) and config.get("dtype") == "float64":
        raise Unknown("a constant in float64 has no reference")
    return plain(value)


def _canonical(layer: Layer, positional: Sequence[Any], named: Mapping[str, Any]) -> tuple[Signature, dict[str, Any]]:
    kind = layer.class_name.rpartition(">")[2]
    if kind == "TensorFlowOpLayer":
        return arguments_of_node(layer.config, positional)
    if kind in LAMBDAS:
        symbol = layer.config.get("function")
        return _bound(KERAS2, str(symbol), f"the function tf.{symbol}", positional, named)
    config = {name: plain(value) for name, value in layer.config.items() if name != "name"}
    return _bound(KERAS3, kind, f"the operator {kind}", positional, {**config, **named})


def _bound(
    table: Mapping[str, Signature], name: str, what: str, positional: Sequence[Any], named: Mapping[str, Any]
) -> tuple[Signature, dict[str, Any]]:
    if name not in table:
        raise Unknown(f"no reference for {what}")
    signature = table[name]
    if len(positional) > len(signature.parameters):
        raise Unknown(f"{what} called with {len(positional)} arguments has no reference")
    given = {**signature.defaults, **dict(zip(signature.parameters, positional, strict=False))}
    return signature, {**given, **{signature.renamed.get(key, key): value for key, value in named.items()}}


def _left_out(name: str, value: Any) -> bool:
    """What says nothing: None (each row has its own default, but x[None] means it), names, and defaults."""
    return (value is None and name != "key") or (name in IGNORED and (IGNORED[name] is ... or value == IGNORED[name]))
