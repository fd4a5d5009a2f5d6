"""What a graph alone says of its layers: what they quantize, what they draw, what a framework gets wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from refconv.compare.probe import NOTE
from refconv.graph import Graph, Node
from refconv.ops.slots import in_words, quantizers
from refconv.ops.table import TABLE
from refconv.result import LayerResult, QuantizedLayer


def draws(node: Node) -> bool:
    """Whether the framework draws random numbers in this layer at inference."""
    return node.attrs is not None and any(quantizer.random for quantizer in quantizers(node.attrs).values())


def quantized(graph: Graph) -> Iterator[QuantizedLayer]:
    """What each layer quantizes, in plain words."""
    for node in graph.nodes:
        if node.attrs is not None and node.call == 0 and (said := in_words(node.attrs)):
            yield QuantizedLayer(node.layer, said)


def notes(graph: Graph, layers: Sequence[LayerResult], environment: Mapping[str, Any]) -> Iterator[str]:
    """Those of the file, of its layers, of its loading, and of the probes."""
    yield from graph.notes
    for node in graph.nodes:
        if draws(node):
            yield f"{node.name} draws numbers at every call, so predict has no one answer and is not judged"
        if node.attrs is not None and node.index not in graph.inputs and (note := TABLE[node.type].note):
            yield f"{node.name}: {note}"
    if any(node.attrs is None for node in graph.nodes):
        yield "a layer has no reference, so predict is not judged"
    yield from _changed(environment.get("state_before", {}), environment.get("state_after", {}))
    if any(layer.probe for layer in layers):
        yield NOTE


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    said = [f"{name} from {value} to {after.get(name)}" for name, value in before.items() if value != after.get(name)]
    if said:
        yield "loading the file changed the framework's global state: " + "; ".join(said)
