"""One layer's own inputs, from the model's: the reference on its own values, of what leads to that layer alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from refconv.errors import UnreadableModel
from refconv.graph import Graph, Node
from refconv.numerics.moments import Need
from refconv.ops.base import Context
from refconv.reference.chained import Chain, Values, mids
from refconv.reference.forward import forward, weights_of
from refconv.reference.shadow import Shadow


def leading_to(graph: Graph, node: Node) -> list[Node]:
    """The nodes that `node` depends on, in the graph's order, without the model's inputs."""
    wanted, waiting = set[int](), [ref.node for ref in node.inputs]
    while waiting:
        index = waiting.pop()
        if index not in wanted:
            wanted.add(index)
            waiting.extend(ref.node for ref in graph.nodes[index].inputs)
    return [n for n in graph.nodes if n.index in wanted and n.index not in graph.inputs]


def inputs_of(graph: Graph, node: Node, arrays: Sequence[np.ndarray], context: Context) -> Values:
    """The node's inputs, float64; `arrays` are the model's inputs, in its order.

    Raises:
        UnreadableModel: a layer before it has no reference.
    """
    chain, alone = Chain(graph, arrays), replace(context, need=Need.VALUES)
    for each in leading_to(graph, node):
        chain.put(each, mids(forward(each, weights_of(_known(each, node)).applied, chain.inputs(each) or (), alone)))
    found = chain.inputs(node)
    assert found is not None, "every node before it was computed"
    return found


def drifting_inputs(
    graph: Graph, node: Node, arrays: Sequence[np.ndarray], context: Context, seeds: Sequence[int]
) -> tuple[Values, list[Values]]:
    """The node's inputs, exact and as runs that round give them (`shadow`), one for each seed.

    Raises:
        UnreadableModel: a layer before it has no reference.
    """
    chain, shadows = Chain(graph, arrays), [Shadow(graph, arrays, seed) for seed in seeds]
    probable, alone = (replace(context, need=need) for need in (Need.PROBABLE, Need.VALUES))
    for each in leading_to(graph, node):
        weights = weights_of(_known(each, node)).applied
        enclosures = forward(each, weights, chain.inputs(each) or (), probable)
        chain.put(each, mids(enclosures))
        for shadow in shadows:
            shadow.step(each, weights, alone, [e.sigma for e in enclosures])
    exact = chain.inputs(node)
    assert exact is not None, "every node before it was computed"
    return exact, [shadow.inputs(node) or () for shadow in shadows]


def _known(node: Node, target: Node) -> Node:
    if node.attrs is None:
        what = f"no reference for {node.name}, which {target.name} depends on: {node.reason or node.type}"
        raise UnreadableModel(what, where=f"layer {target.name}", hint="give the layer's own input: --layer-input")
    return node
