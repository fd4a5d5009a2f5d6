"""A graph without some of its layers: what stands behind one becomes an input, what stands before one an output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from refconv.errors import UnreadableModel
from refconv.graph import Graph, Node, Origin, Ref, TensorSpec

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Cut:
    """The parts that are left, as one graph, and the nodes of the whole one that are gone.

    `entries` are the inputs that stand for an output of one of those: its name → the input's.
    """

    graph: Graph
    removed: tuple[Node, ...] = ()
    entries: Mapping[str, str] = field(default_factory=dict)


def cut(graph: Graph, shapes: Mapping[int, Shape]) -> Cut:
    """Take out the nodes whose index is in `shapes`, which says what shape each one's output has, batch first.

    Inputs that nothing else is fed from are left out too.

    Raises:
        UnreadableModel: nothing is left, or a node to take out has several outputs.
    """
    if not shapes:
        return Cut(graph)
    found, nodes = _kept(graph, shapes)
    outputs = _mapped(_outputs(graph, shapes), found)
    if not outputs:
        raise UnreadableModel("nothing is left without the layers that cannot be run", where=graph.path)
    behind = [index for index in sorted(shapes) if index in found]
    specs = dict(zip(graph.inputs, graph.specs, strict=True)) | {index: nodes[found[index]].attrs for index in behind}
    inputs = [index for index in (*graph.inputs, *behind) if index in found]
    left = replace(
        graph,
        nodes=tuple(nodes),
        inputs=tuple(found[index] for index in inputs),
        outputs=outputs,
        specs=tuple(specs[index] for index in inputs),
    )
    entries = {graph.nodes[index].name: specs[index].name for index in behind}
    return Cut(left, tuple(graph.nodes[index] for index in sorted(shapes)), entries)


def _kept(graph: Graph, shapes: Mapping[int, Shape]) -> tuple[dict[int, int], list[Node]]:
    """Old index → new one, and the nodes; an input in place of a node that is taken out and used."""
    used = _used(graph, shapes)
    layers = {node.layer for node in graph.nodes if node.index not in shapes}
    found: dict[int, int] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        entered = node.index in shapes
        if node.index not in used and (entered or node.index in graph.inputs):
            continue
        found[node.index] = len(nodes)
        made = _entry(node, shapes[node.index], layers) if entered else node
        inputs, arguments = _mapped(made.inputs, found), _mapped(made.arguments, found)
        nodes.append(_remasked(replace(made, index=len(nodes), inputs=inputs, arguments=arguments), found, shapes))
    return found, nodes


def _remasked(node: Node, found: Mapping[int, int], shapes: Mapping[int, Shape]) -> Node:
    """The node with the makers of its masks by their new indices, -1 where one was taken out."""
    if not node.masks:
        return node
    new = {index: -1 if index in shapes else found.get(index, -1) for index in node.masks}
    hides = tuple((role, tuple(new[index] for index in nodes)) for role, nodes in node.hides or ())
    known = node.hides is not None and all(min(nodes) >= 0 for _, nodes in hides)
    return replace(node, masks=tuple(new.values()), hides=hides if known else None)


def _used(graph: Graph, shapes: Mapping[int, Shape]) -> set[int]:
    """Nodes whose output some node that stays, or the caller, takes."""
    refs = [ref for node in graph.nodes if node.index not in shapes for ref in _refs((node.inputs, node.arguments))]
    refs += [ref for ref in graph.outputs if ref.node not in shapes]
    for ref in refs:
        if ref.node in shapes and ref.output:
            raise UnreadableModel(
                "has several outputs, so that it cannot be left out", where=graph.nodes[ref.node].name
            )
    return {ref.node for ref in refs}


def _outputs(graph: Graph, shapes: Mapping[int, Shape]) -> tuple[Ref, ...]:
    """The model's own, and what the nodes taken out were fed, each once."""
    before = [ref for index in sorted(shapes) for ref in graph.nodes[index].inputs]
    left = [ref for ref in (*graph.outputs, *before) if ref.node not in shapes]
    return tuple(dict.fromkeys(ref for ref in left if ref in graph.outputs or ref.node not in graph.inputs))


def _entry(node: Node, shape: Shape, layers: set[str]) -> Node:
    """Named after the node, unless other calls of its layer stay."""
    name = node.name
    while name in layers:
        name += "_"
    spec = TensorSpec(name, shape)
    return Node(node.index, name, "InputLayer", spec, (), Origin("InputLayer", node.origin.dialect))


def _refs(value: Any) -> list[Ref]:
    if isinstance(value, Ref):
        return [value]
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return [ref for item in items for ref in _refs(item)]


def _mapped(value: Any, found: Mapping[int, int]) -> Any:
    if isinstance(value, Ref):
        return replace(value, node=found[value.node])
    if isinstance(value, Mapping):
        return {key: _mapped(item, found) for key, item in value.items()}
    return type(value)(_mapped(item, found) for item in value) if isinstance(value, (list, tuple)) else value
