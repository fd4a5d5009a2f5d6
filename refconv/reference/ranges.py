"""What integers a model input may hold: those inside every Embedding that it reaches."""

from __future__ import annotations

from refconv.graph import Graph, Node


def index_ranges(graph: Graph) -> dict[str, int]:
    """Name of a model input → the smallest `input_dim` of the Embeddings that are fed from it."""
    names = dict(zip(graph.inputs, (spec.name for spec in graph.specs), strict=True))
    limits: dict[str, int] = {}
    for node in graph.nodes:
        if node.type == "Embedding" and node.attrs is not None:
            for source in _sources(graph, node):
                if source in names:
                    limits[names[source]] = min(limits.get(names[source], node.attrs.input_dim), node.attrs.input_dim)
    return limits


def _sources(graph: Graph, node: Node) -> set[int]:
    """Indices of all nodes that `node` depends on."""
    found: set[int] = set()
    waiting = [ref.node for ref in node.inputs]
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.add(index)
            waiting.extend(ref.node for ref in graph.nodes[index].inputs)
    return found
