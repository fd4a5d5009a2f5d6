"""How many samples are checked together: a large batch would need a multiple of the memory that running it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil

import numpy as np

from refconv.graph import Graph, Node
from refconv.numerics.moments import Need
from refconv.ops.base import Context
from refconv.ops.slots import scaled_by_data
from refconv.ops.table import TABLE
from refconv.reference.chained import Chain, mids
from refconv.reference.forward import forward, weights_of

HELD = 16 << 20  # numbers that all layers together give for the samples of one slice


def slice_size(graph: Graph, inputs: Sequence[np.ndarray], context: Context) -> int:
    """Samples per slice, of about equal slices; all of them where they have to stay together.

    One sample is run to see how much its layers give, up to the first layer without a reference.
    """
    count = min(len(x) for x in inputs)
    if count < 2 or any(spec.shape[0] for spec in graph.specs) or any(map(_together, graph.nodes)):
        return count
    held = 0
    for values in _values(graph, [x[:1] for x in inputs], context):
        if any(len(v) != 1 for v in values if v.ndim):
            return count
        held += sum(v.size for v in values)
    most = max(1, HELD // max(held, 1))
    return ceil(count / ceil(count / most))


def _together(node: Node) -> bool:
    if node.attrs is None or node.type not in TABLE:
        return False
    row = TABLE[node.type]
    return row.together or scaled_by_data(node.attrs, row.weights(node.attrs))


def _values(graph: Graph, inputs: Sequence[np.ndarray], context: Context) -> Iterator[tuple[np.ndarray, ...]]:
    """What each node gives, in order."""
    chain, alone = Chain(graph, inputs), replace(context, need=Need.VALUES)
    for node in graph.nodes:
        if node.index in graph.inputs:
            continue
        if node.attrs is None or (own := chain.inputs(node)) is None:
            return
        values = mids(forward(node, weights_of(node).applied, own, alone))
        chain.put(node, values)
        yield values
