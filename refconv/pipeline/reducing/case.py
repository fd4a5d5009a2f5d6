"""One layer by itself: its configuration, its weights and what it is fed, as a graph that can be written and run."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from refconv.errors import UnreadableModel
from refconv.formats.model import Layer
from refconv.formats.resolve import Resolved, resolve
from refconv.formats.spelling import spelled
from refconv.graph import Graph, Node, Origin, Ref, TensorSpec, Weight
from refconv.ops.registered import Custom

Inputs = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Case:
    """A layer call that somebody can repeat.

    Attributes:
        node: the call; its origin's configuration is in the spelling of the Keras that runs it.
        inputs: one array per input of the layer, batch first.
        weights: as stored, by canonical name.
    """

    node: Node
    inputs: Inputs
    weights: Mapping[str, np.ndarray]

    @property
    def config(self) -> Mapping[str, Any]:
        return self.node.origin.config

    @property
    def elements(self) -> int:
        """Numbers in it, by which one case is smaller than another."""
        return sum(x.size for x in (*self.inputs, *self.weights.values()))

    def graph(self, like: Graph) -> Graph:
        """A model of this layer alone; `like` is the one that it is from."""
        name = self.node.layer.rpartition("/")[2]
        inputs = [_input(index, x, name, self.node.origin.dialect) for index, x in enumerate(self.inputs)]
        place = {ref: Ref(index) for index, ref in enumerate(self.node.inputs)}
        weights = {key: _weight(old, self.weights[key]) for key, old in self.node.weights.items()}
        node = replace(
            self.node,
            index=len(inputs),
            layer=name,
            call=0,
            inputs=tuple(Ref(index) for index in range(len(inputs))),
            weights=weights,
            arguments=_moved(self.node.arguments, place),
        )
        return replace(
            like,
            nodes=(*inputs, node),
            inputs=tuple(range(len(inputs))),
            outputs=(Ref(node.index),),
            specs=tuple(each.attrs for each in inputs),
            notes=(),
            opaque="",
        )

    def altered(
        self, changes: Mapping[str, Any], inputs: Inputs | None = None, weights: Mapping[str, np.ndarray] | None = None
    ) -> Case:
        """With other arrays, and other values of some fields of the configuration.

        Raises:
            UnreadableModel: the layer cannot have them.
        """
        found = replace(
            self,
            inputs=self.inputs if inputs is None else inputs,
            weights=self.weights if weights is None else weights,
        )
        if not changes:
            return found
        config = {**copy.deepcopy(dict(self.config)), **changes}
        origin = replace(self.node.origin, config=config)
        return replace(found, node=replace(self.node, origin=origin, attrs=_attributes(origin, self.node)))


def case_of(node: Node, inputs: Inputs, keras: int, *, understood: bool = False) -> Case:
    """The call `node` on these inputs, as this Keras spells it; `understood`: with nothing else of what the file said.

    Raises:
        UnreadableModel: it cannot be written alone: it is given tensors that are no inputs of it, or masks.
    """
    where = f"layer {node.name}"
    if getattr(node.attrs, "masks", None) or node.masks:
        raise UnreadableModel("it runs under a mask, which another layer makes", where=where)
    if _refs(node.arguments) - set(node.inputs):
        raise UnreadableModel("it is called with the output of another layer as an argument", where=where)
    kind, config = spelled(node, keras, where, understood=understood)
    as_read = not understood and node.origin.dialect == f"keras{keras}" and kind == node.origin.class_name
    origin = Origin(kind, f"keras{keras}", config, node.origin.own if as_read else {})
    known = _resolved(origin, node)
    if known.type != node.type or known.attrs is None:
        raise UnreadableModel(f"{node.type} cannot be written for Keras {keras}", where=where)
    weights = {name: weight.value for name, weight in node.weights.items()}
    return Case(replace(node, origin=origin), inputs, weights)


def _attributes(origin: Origin, node: Node) -> Any:
    """What the configuration says, and what the call of `node` said beside it.

    Raises:
        UnreadableModel: the layer cannot be like that.
    """
    attrs = _resolved(origin, node).attrs
    if isinstance(node.attrs, Custom):
        return Custom({**node.attrs.config, **attrs.config})
    said = _said_by_the_call(node, _resolved(node.origin, node).attrs)
    return replace(attrs, **said) if said else attrs


def _resolved(origin: Origin, node: Node) -> Resolved:
    raw = {**origin.own, "class_name": origin.class_name, "config": origin.config}
    found = resolve(Layer(node.layer, origin.class_name, origin.config, (), raw), node.layer, origin.dialect)
    if found.attrs is None:
        raise UnreadableModel(found.reason or "no reference", where=f"layer {node.name}")
    return found


def _said_by_the_call(node: Node, attrs: Any) -> dict[str, Any]:
    """Attributes that no configuration holds, since the call said them."""
    if not is_dataclass(attrs) or type(attrs) is not type(node.attrs) or attrs == node.attrs:
        return {}
    pairs = {f.name: (getattr(node.attrs, f.name), getattr(attrs, f.name)) for f in fields(attrs)}
    return {name: own for name, (own, other) in pairs.items() if own != other}


def _input(index: int, x: np.ndarray, layer: str, dialect: str) -> Node:
    name = "x" if index == 0 else f"x{index}"
    name = name if name != layer else f"{name}_in"
    spec = TensorSpec(name, (None, *x.shape[1:]), x.dtype.name)
    return Node(index, name, "InputLayer", spec, (), Origin("InputLayer", dialect), dtype=x.dtype.name)


def _weight(old: Weight, value: np.ndarray) -> Weight:
    return replace(old, shape=value.shape, read=lambda: value, stored=None)


def _refs(value: Any) -> set[Ref]:
    if isinstance(value, Ref):
        return {value}
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return {ref for item in items for ref in _refs(item)}


def _moved(value: Any, place: Mapping[Ref, Ref]) -> Any:
    if isinstance(value, Ref):
        return place[value]
    if isinstance(value, Mapping):
        return {key: _moved(item, place) for key, item in value.items()}
    return type(value)(_moved(item, place) for item in value) if isinstance(value, (list, tuple)) else value
