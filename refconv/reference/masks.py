"""Masks that hide nothing: where a model's input has no step to be masked, layers under the mask compute as without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from refconv.graph import Graph, Node
from refconv.ops.embedding import looks_up
from refconv.ops.masking import Masking, kept


def without_idle_masks(graph: Graph, arrays: Sequence[np.ndarray]) -> Graph:
    """The graph with a reference for each layer whose masks hide no step of these model inputs.

    A layer under a mask that does, or that comes from a layer inside the model, keeps its reason.
    """
    if not any(node.masks for node in graph.nodes):
        return graph
    fed = dict(zip(graph.inputs, arrays, strict=True))
    hidden = {index: _hidden(graph.nodes[index], fed) for node in graph.nodes for index in node.masks}
    return replace(graph, nodes=tuple(_decided(node, graph, hidden) for node in graph.nodes))


def _decided(node: Node, graph: Graph, hidden: Mapping[int, int | None]) -> Node:
    if not node.masks:
        return node
    if all(hidden[index] == 0 for index in node.masks):
        return replace(node, attrs=node.unmasked, reason="", masks=())
    index = next(index for index in node.masks if hidden[index] != 0)
    count = hidden[index]
    which = "may hide steps" if count is None else f"hides {count} {'step' if count == 1 else 'steps'}"
    return replace(node, reason=f"{node.reason}: {graph.nodes[index].name} {which}")


def _hidden(node: Node, fed: Mapping[int, np.ndarray]) -> int | None:
    """How many steps of the model's inputs the mask of `node` hides; None where it is not made from an input alone."""
    x = fed.get(node.inputs[0].node) if node.inputs else None
    if x is None or not (looks_up(node.attrs) or isinstance(node.attrs, Masking)):
        return None
    shown = kept(node.attrs, x.astype(np.float64)) if isinstance(node.attrs, Masking) else x.astype(np.int64) != 0
    return int(np.sum(~shown))
