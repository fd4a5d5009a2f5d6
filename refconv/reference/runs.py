"""The runs of the reference that go through a whole model beside the framework's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refconv.graph import Graph, Node
from refconv.reference.chained import Chain
from refconv.reference.shadow import Shadow


@dataclass(frozen=True)
class Runs:
    """The reference on its own values, and as runs that round."""

    chain: Chain
    shadows: tuple[Shadow, ...]

    @classmethod
    def start(cls, graph: Graph, arrays: Sequence[np.ndarray], *, shadows: int) -> Runs:
        return cls(Chain(graph, arrays), tuple(Shadow(graph, arrays, seed) for seed in range(shadows)))

    def put(self, node: Node, outputs: Sequence[np.ndarray]) -> None:
        """Go on with the framework's outputs of a layer without a reference."""
        self.chain.put(node, outputs)
        for shadow in self.shadows:
            shadow.put(node, outputs)
