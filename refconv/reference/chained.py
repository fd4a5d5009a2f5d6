"""The reference on its own values, from the model's input to its outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from refconv.graph import Graph, Node, Ref
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.formats import float64, is_float

Values = tuple[np.ndarray, ...]


class Chain:
    """Values of every node's outputs in float64, each forgotten after its last use.

    Args:
        graph: the model.
        inputs: one array per model input, in the model's order.
    """

    def __init__(self, graph: Graph, inputs: Sequence[np.ndarray]) -> None:
        self._uses = Counter(ref.node for node in graph.nodes for ref in node.inputs)
        self._uses.update(ref.node for ref in graph.outputs)
        self._outputs = graph.outputs
        self._values: dict[int, Values] = {}
        for index, array in zip(graph.inputs, inputs, strict=True):
            self._values[index] = (float64(array) if is_float(array.dtype) else array,)

    def inputs(self, node: Node) -> Values | None:
        """The node's inputs, or None where a layer before it has no values. Call once per node."""
        values = [self._take(ref) for ref in node.inputs]
        return None if any(v is None for v in values) else tuple(v for v in values if v is not None)

    def put(self, node: Node, outputs: Sequence[np.ndarray]) -> None:
        """Set the node's outputs."""
        if self._uses[node.index]:
            self._values[node.index] = tuple(outputs)

    def results(self) -> list[np.ndarray] | None:
        """The model's outputs, or None where a layer before one of them has no values."""
        values = [self._values.get(ref.node) for ref in self._outputs]
        if any(v is None for v in values):
            return None
        return [v[ref.output] for v, ref in zip(values, self._outputs, strict=True) if v is not None]

    def _take(self, ref: Ref) -> np.ndarray | None:
        values = self._values.get(ref.node)
        self._uses[ref.node] -= 1
        if self._uses[ref.node] == 0:
            self._values.pop(ref.node, None)
        return None if values is None or ref.output >= len(values) else values[ref.output]


def mids(enclosures: Sequence[Enclosure]) -> Values:
    return tuple(e.mid for e in enclosures)
