"""What integers a model input may hold: those inside every Embedding that it reaches, or pixels where it is scaled."""

from __future__ import annotations

from typing import Any

import numpy as np

from refconv.graph import Graph, Node
from refconv.ops.embedding import looks_up

PIXELS = 256
FAR = 16.0  # what divides its input by more, or takes off more, is not made for numbers near 1


def index_ranges(graph: Graph) -> dict[str, int]:
    """Name of a model input → the smallest `input_dim` of the Embeddings that are fed from it; 256 where it is pixels.

    Else a model that begins by x/255 would see next to nothing of its input.
    """
    names = dict(zip(graph.inputs, (spec.name for spec in graph.specs), strict=True))
    limits: dict[str, int] = {}
    for node in graph.nodes:
        if looks_up(node.attrs):
            for source in _sources(graph, node):
                if source in names:
                    limits[names[source]] = min(limits.get(names[source], node.attrs.input_dim), node.attrs.input_dim)
        elif _takes_pixels(node) and node.inputs[0].node in names:
            limits.setdefault(names[node.inputs[0].node], PIXELS)
    return limits


def _takes_pixels(node: Node) -> bool:
    """A Rescaling or Normalization whose own constants say that its input reaches far beyond 1."""
    if node.attrs is None or node.type not in ("Rescaling", "Normalization"):
        return False
    if node.type == "Rescaling":
        return _largest(node.attrs.scale) * FAR < 1
    return not node.attrs.invert and node.attrs.variance is not None and _largest(node.attrs.variance) > FAR**2


def _largest(numbers: Any) -> float:
    return float(np.max(np.abs(numbers)))


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
