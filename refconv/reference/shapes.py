"""What shape a layer's output has, where the layer cannot be run: as the file says, else as its first input."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from refconv.errors import RefconvError
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
    """The shape behind each of `nodes`, which have one output; the reference runs as far as it has to, on one sample.

    Raises:
        UnreadableModel: with an assumed shape what follows cannot be computed; the layer is named.
    """
    known = {index: found for index in sorted(nodes) if (found := _known(graph.nodes[index], said))}
    wanted = _ancestors(graph, set(nodes) - set(known))
    chain, alone = Chain(graph, [x[:1] for x in arrays]), replace(context, need=Need.VALUES)
    for node in graph.nodes:
        if node.index in graph.inputs or node.index not in (wanted | set(nodes)):
            continue
        if node.index in known:
            chain.put(node, (np.zeros((1, *known[node.index].shape)),))
        elif node.index in nodes:
            values = chain.inputs(node) or ()
            known[node.index] = Behind(values[0].shape[1:], ASSUMED)
            chain.put(node, (np.zeros(values[0].shape),))
        else:
            chain.put(node, _computed(node, chain, alone, known))
    return known


def _known(node: Node, said: Mapping[str, tuple[int, ...]]) -> Behind | None:
    if node.name in said:
        return Behind(said[node.name], SAID)
    config = node.origin.config
    shape = read_shape(config.get("output_shape")) if config.get("output_shape_type", "raw") == "raw" else None
    if shape is None or None in shape:
        return None
    return Behind(tuple(size for size in shape if size is not None), DECLARED)


def _ancestors(graph: Graph, nodes: Collection[int]) -> set[int]:
    found: set[int] = set()
    waiting = list(nodes)
    while waiting:
        for ref in graph.nodes[waiting.pop()].inputs:
            if ref.node not in found:
                found.add(ref.node)
                waiting.append(ref.node)
    return found


def _computed(node: Node, chain: Chain, context: Context, known: Mapping[int, Behind]) -> tuple[np.ndarray, ...]:
    try:
        return mids(forward(node, weights_of(node).applied, chain.inputs(node) or (), context))
    except RefconvError as error:
        if any(behind.source == ASSUMED for behind in known.values()):
            raise type(error)(error.what, where=error.where, hint="say the shape: --shape LAYER=H,W,C") from error
        raise
