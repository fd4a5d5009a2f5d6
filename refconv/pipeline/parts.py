"""The parts of a model around layers that cannot be run, each fed what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from refconv.formats.cut import cut
from refconv.graph import Graph, Node
from refconv.ops.base import Context
from refconv.pipeline.options import Given, Options
from refconv.primitives import engines
from refconv.reference.shapes import Behind, shapes_behind
from refconv.result import LayerResult, Verdict

APART = 1 << 20  # between the seeds of the model's own inputs and of others, so that no two are alike
Draw = Callable[[Graph, Given, Options], list[np.ndarray]]


@dataclass(frozen=True)
class Parts:
    """A graph that can be run, its inputs, and what is missing of the whole model.

    `sources` says where each input is from, by its name, where the user gave some and others are drawn.
    """

    graph: Graph
    arrays: list[np.ndarray]
    removed: tuple[Node, ...] = ()
    notes: tuple[str, ...] = ()
    sources: Any = None


def parts(graph: Graph, given: Given, options: Options, draw: Draw, unknown: Callable[[Node], bool]) -> Parts:
    """`graph` without its `unknown` nodes; what followed them is fed seeded samples.

    Raises:
        UnreadableModel: nothing is left, or a shape that was assumed does not fit.
        BadInput: something given does not fit the model.
    """
    nodes = [node for node in graph.nodes if node.index not in graph.inputs and unknown(node)]
    if not nodes:
        return Parts(graph, draw(graph, given, options), sources=given)
    names = {node.name for node in nodes}
    own, behind = _split(given, names), {name: shape for name, shape in options.shapes.items() if name in names}
    options = replace(options, shapes={k: v for k, v in options.shapes.items() if k not in names})
    arrays = draw(graph, own, options)
    shapes = shapes_behind(graph, {n.index for n in nodes}, behind, arrays, Context(engines.get(options.engine)))
    left = cut(graph, {index: (None, *found.shape) for index, found in shapes.items()})
    own_names = [spec.name for spec in graph.specs]
    given = {left.entries.get(k, k): v for k, v in given.items()} if isinstance(given, Mapping) else given
    fed = _fed(left.graph, dict(zip(own_names, arrays, strict=True)), given, options, draw)
    behind_each = {node.name: shapes[node.index] for node in nodes if node.name in left.entries}
    sources = None if given is None else _sources(left.graph, own_names, given)
    return Parts(left.graph, fed, left.removed, tuple(_notes(behind_each)), sources)


def _split(given: Given, names: set[str]) -> Given:
    """What is given for the model's own inputs; None where all of it is for what stands behind a layer."""
    if not isinstance(given, Mapping):
        return given
    return {name: value for name, value in given.items() if name not in names} or None


def _fed(graph: Graph, own: Mapping[str, np.ndarray], given: Given, options: Options, draw: Draw) -> list[np.ndarray]:
    """Inputs in the graph's order: the model's own, those given by the name of a layer, the others drawn."""
    samples, seed = len(next(iter(own.values()))), options.seed + APART
    options = replace(options, samples=samples, seed=seed, preprocess="none", shapes={})
    named = given if isinstance(given, Mapping) else {}
    pairs = zip(graph.specs, draw(graph, None, options), strict=True)
    values = {spec.name: own.get(spec.name, named.get(spec.name, x)) for spec, x in pairs}
    return draw(graph, values, options)


def _sources(graph: Graph, own: Sequence[str], given: Given) -> dict[str, Any]:
    """Where each input is from, as `inputs.describe` takes it."""
    listed = given if isinstance(given, (list, tuple)) else [given]
    named = given if isinstance(given, Mapping) else dict(zip(own, listed, strict=False))
    return {spec.name: named.get(spec.name, "seeded") for spec in graph.specs}


def _notes(behind: Mapping[str, Behind]) -> Iterator[str]:
    """What is fed behind each layer, in one line per way in which its shape is known."""
    for source in dict.fromkeys(found.source for found in behind.values()):
        shapes = [f"{name} {size(found.shape)}" for name, found in behind.items() if found.source == source]
        yield f"what follows a layer that was left out is fed samples of its own ({source}): {', '.join(shapes)}"


def size(shape: tuple[int, ...]) -> str:
    """(2, 32, 32, 16) → "2×32×32×16"."""
    return "×".join(map(str, shape)) or "scalar"


def missing(node: Node) -> LayerResult:
    """The result of a node that was left out."""
    reason = node.reason or "no reference for this layer"
    return LayerResult(node.index, node.name, node.layer, node.type, Verdict.UNVERIFIED, reason=f"{reason}; not run")
