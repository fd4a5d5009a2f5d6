"""Whether two graphs say the same, whatever files they were read from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from refconv.graph import Graph, Ref


def said(graph: Graph, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Everything but path and origin; `names` maps layers that have another name.

    A call is known by its layer and what it is fed: two files may count the calls of a shared layer in another order.
    """
    keys: list[Any] = []

    def value(given: Any) -> Any:
        if isinstance(given, Ref):
            return (keys[given.node], given.output)
        if isinstance(given, Mapping):
            return tuple((key, value(item)) for key, item in sorted(given.items()))
        return tuple(map(value, given)) if isinstance(given, (list, tuple)) else given

    nodes: dict[Any, Any] = {}
    for node in graph.nodes:
        layer = (names or {}).get(node.layer, node.layer)
        inputs = tuple(map(value, node.inputs))
        keys.append(f"{layer}#{hash((layer, inputs, value(node.arguments)))}")
        attrs = (node.attrs.shape, node.attrs.dtype) if node.type == "InputLayer" else node.attrs
        nodes[keys[-1]] = (node.type, attrs, node.dtype, bool(node.reason), node.weights)
    inputs = [keys[index] for index in graph.inputs]
    return {"nodes": nodes, "inputs": inputs, "outputs": [value(ref) for ref in graph.outputs]}


def assert_same(one: Graph, other: Graph, names: Mapping[str, str] | None = None) -> None:
    """Fails where they differ; `names` maps layers of `other` to those of `one`."""
    first, second = said(one), said(other, names)
    assert first["inputs"] == second["inputs"] and first["outputs"] == second["outputs"]
    assert set(first["nodes"]) == set(second["nodes"])
    for key, (*node, weights) in first["nodes"].items():
        *found, stored = second["nodes"][key]
        assert node == found, key
        assert list(weights) == list(stored), key
        for name, weight in weights.items():
            np.testing.assert_array_equal(weight.value, stored[name].value, strict=True)
            assert weight.trainable == stored[name].trainable, (key, name)
