"""A check without a framework: the reference's own values of every layer, which verify nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from refconv.graph import Graph, Node
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.moments import Need
from refconv.ops.base import Context
from refconv.pipeline.options import Given, OnLayer, Options, Progress
from refconv.pipeline.parts import Draw, Parts, missing, parts, size
from refconv.primitives import engines
from refconv.reference.chained import Chain, mids
from refconv.reference.forward import forward, weights_of
from refconv.result import CheckResult, LayerResult, ModelInfo, Verdict

NOTE = "no framework was run: these are the reference's own values, and nothing is verified"


def reference_alone(
    graph: Graph, given: Given, options: Options, draw: Draw, progress: Progress, on_layer: OnLayer | None
) -> tuple[CheckResult, Parts]:
    """Every layer with a reference, chained from the model's inputs; behind any other, from samples of its own."""
    found = parts(graph, given, options, draw, lambda node: node.attrs is None)
    order = {name: index for index, name in enumerate(dict.fromkeys(node.layer for node in graph.nodes))}
    layers = list(_layers(found, options, progress, on_layer)) + [missing(node) for node in found.removed]
    return CheckResult(
        model=ModelInfo(graph.path, graph.format, graph.keras_version, graph.backend, graph.sha256),
        layers=tuple(sorted(layers, key=lambda layer: order[layer.path])),
        plain=None,
        environment={},
        input={},
        policy=options.policy,
        notes=(*graph.notes, NOTE, *found.notes),
    ), found


def _layers(found: Parts, options: Options, progress: Progress, on_layer: OnLayer | None) -> Iterator[LayerResult]:
    graph, chain = found.graph, Chain(found.graph, found.arrays)
    context = Context(engines.get(options.engine), need=Need.VALUES)
    for node in graph.nodes:
        if node.index in graph.inputs:
            continue
        progress(f"computing {node.name}", node.index / len(graph.nodes))
        enclosures = forward(node, weights_of(node).applied, chain.inputs(node) or (), context)
        chain.put(node, mids(enclosures))
        result = _result(node, enclosures[0])
        if on_layer:
            on_layer(result)
        yield result


def _result(node: Node, enclosure: Enclosure) -> LayerResult:
    values = enclosure.mid
    low, high = (f(values) if values.size else np.nan for f in (np.min, np.max))
    reason = f"computed: {size(values.shape)}, {low:.6g} … {high:.6g}"
    return LayerResult(node.index, node.name, node.layer, node.type, Verdict.UNVERIFIED, reason=reason)
