"""Which recorded call is which node: by layer path, and for shared layers by where the inputs came from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from refconv.graph import Graph, Node, Ref
from refconv.trace import Call, Trace


def match(graph: Graph, trace: Trace) -> Mapping[int, Call]:
    """Node index → its call, for every node that the framework ran.

    A layer called once is found by its path. The calls of a shared layer are told apart by the producers of their
    inputs where the trace knows them, else taken in order: only once all that are planned have arrived.
    """
    by_layer: dict[str, list[Call]] = defaultdict(list)
    for call in trace.calls:
        by_layer[call.layer].append(call)
    for layer in [layer for layer, calls in by_layer.items() if len(calls) < trace.planned.get(layer, 0)]:
        del by_layer[layer]
    producers = _model_inputs(graph, trace)
    found: dict[int, Call] = {}
    for node in graph.nodes:
        if node.index in graph.inputs or not by_layer[node.layer]:
            continue
        call = _choose(node, by_layer[node.layer], producers)
        by_layer[node.layer].remove(call)
        found[node.index] = call
        for output, key in enumerate(call.outputs):
            producers.setdefault(_tensor(key), set()).add(Ref(node.index, output))
    return found


def _tensor(key: str) -> str:
    """The model's tensor behind a key, which is the same in every pass ("pass:tensor")."""
    return key.rpartition(":")[2]


def _model_inputs(graph: Graph, trace: Trace) -> dict[str, set[Ref]]:
    """Key → the model inputs that it stands for, over all passes. A layer that passes its input on shares its key."""
    producers: dict[str, set[Ref]] = {}
    for keys in trace.model_inputs:
        for node, key in zip(graph.inputs, keys, strict=False):
            producers.setdefault(_tensor(key), set()).add(Ref(node))
    return producers


def _choose(node: Node, calls: list[Call], producers: Mapping[str, set[Ref]]) -> Call:
    def fits(call: Call) -> int:
        known = zip(call.inputs, node.inputs, strict=False)
        return sum(ref in producers.get(_tensor(key), ()) for key, ref in known)

    in_order = min(calls, key=lambda call: abs(call.call - node.call))
    return max(calls, key=lambda call: (fits(call), call is in_order))
