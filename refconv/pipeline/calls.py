"""The framework's call of each node, as the passes arrive."""

from __future__ import annotations

from refconv.compare.match import match
from refconv.frameworks import Stream, Whole
from refconv.graph import Graph, Node
from refconv.trace import Call


class Calls:
    """Waits for a node's call no longer than it may still come, and forgets it afterwards."""

    def __init__(self, graph: Graph, source: Stream | Whole) -> None:
        self._graph, self._source = graph, source
        self._found = match(graph, source.trace)

    def of(self, node: Node) -> Call | None:
        """The node's call; None where the framework made none."""
        while node.index not in self._found and self._expected(node) and self._source.more():
            self._found = match(self._graph, self._source.trace)
        return self._found.get(node.index)

    def forget(self, call: Call) -> None:
        """Drop the tensors that only this call named."""
        self._source.forget(call)

    def _expected(self, node: Node) -> bool:
        trace = self._source.trace
        return trace.planned.get(node.layer, 0) > sum(call.layer == node.layer for call in trace.calls)
