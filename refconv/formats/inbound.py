"""Who calls a layer on what: `inbound_nodes`, `input_layers` and `output_layers`, in the spellings of Keras 2 and 3."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from refconv.errors import UnreadableModel

CONSTANT = "_CONSTANT_VALUE"


@dataclass(frozen=True)
class TensorRef:
    """Output number `output` of call number `call` of a layer of the same model."""

    layer: str
    call: int
    output: int


@dataclass(frozen=True)
class Call:
    """One call: the tensors given by position, and every other argument (a tensor there is a TensorRef).

    `positional` are the arguments by position as they stand, for operators: tensors, constants and lists of them.
    """

    inputs: tuple[TensorRef, ...]
    arguments: Mapping[str, Any]
    positional: tuple[Any, ...] = ()

    @property
    def references(self) -> list[TensorRef]:
        return [*self.inputs, *_references_in(self.arguments)]

    def mapped(self, change: Callable[[TensorRef], TensorRef]) -> Call:
        positional = tuple(map_references(value, change) for value in self.positional)
        return Call(tuple(map(change, self.inputs)), map_references(self.arguments, change), positional)


def map_references(value: Any, change: Callable[[TensorRef], Any]) -> Any:
    """`value` with every TensorRef in it replaced."""
    if isinstance(value, TensorRef):
        return change(value)
    if isinstance(value, dict):
        return {key: map_references(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [map_references(item, change) for item in value]
    return value


def _references_in(value: Any) -> Iterator[TensorRef]:
    if isinstance(value, TensorRef):
        yield value
    elif isinstance(value, dict):
        for key in sorted(value):
            yield from _references_in(value[key])
    elif isinstance(value, list):
        for item in value:
            yield from _references_in(item)


def read_references(value: Any, where: str) -> tuple[TensorRef, ...]:
    """Every reference of a nested structure, in the order in which Keras flattens it: dictionaries by sorted key.

    Raises:
        UnreadableModel: something in it is no reference.
    """
    if _is_reference(value):
        return (_reference(value),)
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    if not isinstance(value, list):
        raise UnreadableModel(f"{value!r} is no reference to a tensor", where=where)
    return tuple(ref for item in value for ref in read_references(item, where))


def _is_reference(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and all(isinstance(number, int) and not isinstance(number, bool) for number in value[1:3])
        and (len(value) == 3 or isinstance(value[3], dict))
    )


def _reference(value: list[Any]) -> TensorRef:
    return TensorRef(value[0], value[1], value[2])


def read_call(node: Any, where: str) -> Call:
    """One entry of `inbound_nodes`.

    Keras 3: {"args": […], "kwargs": {…}} with tensors as {"class_name": "__keras_tensor__"}. Keras 2: a nested list of
    [layer, call, output, kwargs], the kwargs repeated beside each tensor, tensors among them as [layer, call, output].

    Raises:
        UnreadableModel: neither form.
    """
    if isinstance(node, dict) and "args" in node:
        return _read_keras3(node, where)
    leaves = list(_keras2_leaves(node, where))
    if not leaves:
        raise UnreadableModel("a call without inputs", where=where)
    arguments = dict(leaves[0][3]) if len(leaves[0]) == 4 else {}
    arguments = {key: _keras2_value(value) for key, value in arguments.items()}
    inputs = tuple(_reference(leaf) for leaf in leaves if leaf[0] != CONSTANT)
    for position, leaf in enumerate(leaves):
        if leaf[0] == CONSTANT:
            arguments[f"constant_{position}"] = leaf[2]
    given = [leaf[2] if leaf[0] == CONSTANT else _reference(leaf) for leaf in leaves]
    several = len(given) > 1 or isinstance(node[0][0], list)
    return Call(inputs, arguments, (given if several else given[0],))


def _keras2_leaves(node: Any, where: str) -> Iterator[list[Any]]:
    if _is_reference(node) or (isinstance(node, list) and node[:1] == [CONSTANT] and len(node) in (3, 4)):
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from _keras2_leaves(item, where)
    elif isinstance(node, dict):
        for key in sorted(node):
            yield from _keras2_leaves(node[key], where)
    else:
        raise UnreadableModel(f"inbound_nodes: {node!r} is no reference to a tensor", where=where)


def _keras2_value(value: Any) -> Any:
    if _is_reference(value) and len(value) == 3:
        return _reference(value)
    if isinstance(value, dict):
        return {key: _keras2_value(item) for key, item in value.items()}
    return [_keras2_value(item) for item in value] if isinstance(value, list) else value


def _read_keras3(node: Mapping[str, Any], where: str) -> Call:
    args, kwargs = _keras3_value(node["args"], where), _keras3_value(node.get("kwargs") or {}, where)
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise UnreadableModel("inbound_nodes: args is no list or kwargs no object", where=where)
    if not args and "inputs" in kwargs:
        args = [kwargs.pop("inputs")]
    inputs = [ref for item in args for ref in _references_in(item)]
    rest = {f"argument_{index}": item for index, item in enumerate(args) if not list(_references_in(item))}
    if not inputs and not list(_references_in(kwargs)):
        raise UnreadableModel("a call without inputs", where=where)
    return Call(tuple(inputs), {**rest, **kwargs}, tuple(args))


def _keras3_value(value: Any, where: str) -> Any:
    if isinstance(value, list):
        return [_keras3_value(item, where) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("class_name")
    if kind == "__keras_tensor__":
        return _keras_tensor(value, where)
    if kind == "__tuple__" and isinstance(value.get("items"), list):
        return [_keras3_value(item, where) for item in value["items"]]
    if kind == "__tuple__" and isinstance(value.get("config"), dict):
        return _keras3_value(value["config"].get("items", value["config"].get("value")), where)
    return {key: _keras3_value(item, where) for key, item in value.items()}


def _keras_tensor(value: Mapping[str, Any], where: str) -> TensorRef:
    config = value.get("config")
    history = config.get("keras_history") if isinstance(config, dict) else None
    if not isinstance(history, list) or len(history) != 3 or not _is_reference(history):
        raise UnreadableModel(f"inbound_nodes: keras_history {history!r} is no reference", where=where)
    return _reference(history)
