"""One layer of a model, and what it is fed: through the layers before it, or directly."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from refconv import formats
from refconv.errors import BadInput
from refconv.graph import Graph, Node
from refconv.inputs.observed import observed
from refconv.ops.base import Context
from refconv.ops.spatial import CHANNELS_FIRST
from refconv.pipeline.model import draw_inputs
from refconv.pipeline.options import Given, Options
from refconv.primitives import engines
from refconv.reference.masks import with_known_masks
from refconv.reference.upto import drifting_inputs, inputs_of

Values = tuple[np.ndarray, ...]
SHOWN = 6  # names that an error lists


@dataclass(frozen=True)
class Target:
    """A layer, and what it is fed.

    Attributes:
        graph: the model, with a reference for layers under masks that its inputs determine.
        arrays: the model's inputs; empty where the layer was fed directly.
        inputs: the layer's.
        drifted: the same as runs that round give them.
        context: how the reference computes.
    """

    graph: Graph
    node: Node
    arrays: Values
    inputs: Values
    context: Context
    drifted: tuple[Values, ...] = ()
    fed: str = "the reference's own values of the layers before it"

    @property
    def direct(self) -> bool:
        return not self.arrays

    @property
    def channel_axis(self) -> int:
        """Of the layer's output."""
        first = getattr(self.node.attrs, "data_format", None) == CHANNELS_FIRST
        return 1 if first else -1


def target(
    path: str | Path,
    layer: str,
    given: Given,
    layer_inputs: Sequence[Any],
    options: Options,
    *,
    seeds: Sequence[int] = (),
) -> Target:
    """The layer called `layer` of the model in `path`, on what the model or (`layer_inputs`) the layer is given.

    Args:
        seeds: of runs that round, beside the exact one.

    Raises:
        UnreadableModel: see `refconv.load`; or the layer, or one before it, has no reference.
        BadInput: there is no such layer, or something given does not fit.
    """
    graph = formats.load(path, options.architecture)
    node, context = one_layer(graph, layer), Context(engines.get(options.engine))
    if layer_inputs:
        inputs = tuple(_layer_input(node, x) for x in layer_inputs)
        if len(inputs) != len(node.inputs):
            what = f"{node.name} has {len(node.inputs)} inputs, {len(inputs)} are given"
            raise BadInput(what, where="--layer-input", hint="repeat it, in the layer's order")
        return Target(graph, node, (), inputs, context, fed="what was given as the layer's input")
    graph, arrays = with_known_masks(graph, draw_inputs(graph, given, options))
    node = graph.nodes[node.index]
    if not seeds:
        return Target(graph, node, tuple(arrays), inputs_of(graph, node, arrays, context), context)
    exact, drifted = drifting_inputs(graph, node, arrays, context, seeds)
    return Target(graph, node, tuple(arrays), exact, context, tuple(drifted))


def one_layer(graph: Graph, name: str) -> Node:
    """The node of that name, or of that last part of a path where it is the only one.

    Raises:
        BadInput: there is none, or several; names that are near are told.
    """
    nodes = [node for node in graph.nodes if node.index not in graph.inputs]
    found = [node for node in nodes if node.name == name] or [n for n in nodes if n.name.rpartition("/")[2] == name]
    if len(found) == 1:
        return found[0]
    names = [node.name for node in nodes]
    if found:
        several = ", ".join(node.name for node in found[:SHOWN])
        raise BadInput(f"several layers are called {name!r}", where="LAYER", hint=f"they are {several}")
    if any(graph.nodes[index].name == name for index in graph.inputs):
        raise BadInput(f"{name!r} is an input of the model, and computes nothing", where="LAYER")
    near = get_close_matches(name, names, SHOWN, cutoff=0.5)
    hint = f"near are {', '.join(near)}" if near else f"there are {', '.join(names[:SHOWN])}, …"
    raise BadInput(f"no layer is called {name!r}", where="LAYER", hint=hint)


def _layer_input(node: Node, given: Any) -> np.ndarray:
    """An array or a file of one, with the batch axis that it may lack, in float32 where it holds floats."""
    found = observed(given if isinstance(given, (str, os.PathLike)) else np.asarray(given))
    values = found.values.astype(np.float32) if found.values.dtype.kind == "f" else found.values
    size = getattr(node.attrs, "kernel_size", None) or getattr(node.attrs, "pool_size", None)
    wanted = len(size) + 2 if size else 2
    return values[None] if values.ndim == wanted - 1 else values
