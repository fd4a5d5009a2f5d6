"""What shape a layer's output has, where the layer cannot be run: as the file says, else as its first input."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from refconv.errors import RefconvError, UnreadableModel
from refconv.formats.shapes import read_shape
from refconv.graph import Graph, Node
from refconv.numerics.moments import Need
from refconv.ops.base import Context
from refconv.reference.chained import Chain, mids
from refconv.reference.forward import forward, weights_of

DECLARED, ASSUMED, SAID = (
    "its shape as the file declares",
    "its shape assumed to be its input's",
    "its shape as --shape says",
)
SAY = "behind a layer that was left out the shape of its input was assumed: say it with --shape LAYER=H,W,C"


@dataclass(frozen=True)
class Behind:
    """The shape of one layer's output without the batch, and how it is known."""

    shape: tuple[int, ...]
    source: str


def shapes_behind(
    graph: Graph,
    nodes: Collection[int],
    said: Mapping[str, tuple[int, ...]],
    arrays: Sequence[np.ndarray],
    context: Context,
) -> dict[int, Behind]:
    """The shape behind each of `nodes`, which have one output.

    Where one has to be assumed, the reference runs on one sample, to know that shape and to see whether what follows
    can take it.

    Raises:
        UnreadableModel: it cannot, or there is nothing to assume; the layer is named.
    """
    known = {index: found for index in sorted(nodes) if (found := _known(graph.nodes[index], said))}
    if len(known) == len(nodes):
        return known
    chain, alone = Chain(graph, [x[:1] for x in arrays]), replace(context, need=Need.VALUES)
    for node in graph.nodes:
        if node.index in graph.inputs:
            continue
        values = chain.inputs(node)
        if node.index in nodes:
            if node.index not in known:
                known[node.index] = _assumed(node, values)
            chain.put(node, (np.zeros((1, *known[node.index].shape)),))
        elif values is not None and node.attrs is not None:
            chain.put(node, _computed(node, values, alone))
    return known


def _assumed(node: Node, values: Sequence[np.ndarray] | None) -> Behind:
    if not values:
        raise UnreadableModel("the shape of its output is not known", where=f"layer {node.name}", hint=SAY)
    return Behind(values[0].shape[1:], ASSUMED)


def _known(node: Node, said: Mapping[str, tuple[int, ...]]) -> Behind | None:
    if node.name in said:
        return Behind(said[node.name], SAID)
    config = node.origin.config
    shape = read_shape(config.get("output_shape")) if config.get("output_shape_type", "raw") == "raw" else None
    if shape is None or None in shape:
        return None
    return Behind(tuple(size for size in shape if size is not None), DECLARED)


def _computed(node: Node, values: Sequence[np.ndarray], context: Context) -> tuple[np.ndarray, ...]:
    try:
        return mids(forward(node, weights_of(node).applied, values, context))
    except RefconvError as error:
        raise type(error)(error.what, where=error.where, hint=SAY) from error
