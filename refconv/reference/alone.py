"""The reference alone, on its own values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from refconv.errors import UnreadableModel
from refconv.graph import Graph
from refconv.numerics.enclosure import Enclosure
from refconv.ops.base import Context
from refconv.reference.chained import Chain, mids
from refconv.reference.forward import forward, weights_of


class Run(dict[str, Enclosure]):
    """Layer name → Enclosure; `output` is the model's first output."""

    def __init__(self, layers: Mapping[str, Enclosure], output: Enclosure) -> None:
        super().__init__(layers)
        self.output = output


def run_alone(graph: Graph, arrays: Sequence[np.ndarray], context: Context) -> Run:
    """Every layer on the reference's own results of those before it; `arrays` are the model inputs, in its order.

    Raises:
        UnreadableModel: a layer has no reference.
    """
    chain = Chain(graph, arrays)
    found: dict[str, Enclosure] = {}
    for node in graph.nodes:
        if node.index in graph.inputs:
            continue
        if node.attrs is None:
            raise UnreadableModel(node.reason or "no reference", where=f"layer {node.name}")
        enclosures = forward(node, weights_of(node).applied, chain.inputs(node) or (), context)
        chain.put(node, mids(enclosures))
        found[node.name] = enclosures[0]
    output = graph.nodes[graph.outputs[0].node].name
    return Run(found, found[output])
