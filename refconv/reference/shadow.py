"""The reference as a run that rounds: an error is drawn for every element of every layer.

One run's drift from the exact values says little about another's: the errors of a whole network often reach its few
outputs along one direction, and may cancel there by luck. How far a conforming run drifts is seen by drawing some
(Monte Carlo arithmetic: Parker 1997), each layer's errors with the standard deviation of its own bound.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from refconv.graph import Graph, Node
from refconv.numerics.formats import Field
from refconv.ops.base import Context, Weights
from refconv.reference.chained import Chain, Values, mids
from refconv.reference.forward import forward


class Shadow:
    """One such run.

    Args:
        graph: the model.
        inputs: one array per model input, in the model's order.
        seed: of the errors.
    """

    def __init__(self, graph: Graph, inputs: Sequence[np.ndarray], seed: int) -> None:
        self._chain = Chain(graph, inputs)
        self._rng = np.random.default_rng(seed)

    def step(self, node: Node, weights: Weights, context: Context, sigma: Sequence[Field]) -> None:
        """Compute `node` on the run's own values and disturb its outputs by N(0, σ²), one σ per output."""
        inputs = self._chain.inputs(node)
        if inputs is not None:
            values = mids(forward(node, weights, inputs, context))
            self._chain.put(node, [self._disturbed(v, s) for v, s in zip(values, sigma, strict=True)])

    def inputs(self, node: Node) -> Values | None:
        """The node's inputs in this run; None where a layer before it has no values. In place of `step`, once."""
        return self._chain.inputs(node)

    def put(self, node: Node, outputs: Sequence[np.ndarray]) -> None:
        """Take the framework's outputs of a layer without a reference."""
        self._chain.inputs(node)
        self._chain.put(node, outputs)

    def results(self) -> list[np.ndarray] | None:
        """The model's outputs; None where a layer before one of them has no values."""
        return self._chain.results()

    def _disturbed(self, values: np.ndarray, sigma: Field) -> np.ndarray:
        if values.dtype.kind != "f" or not np.any(sigma):
            return values
        with np.errstate(all="ignore"):
            disturbed = self._rng.standard_normal(values.shape, np.float32) * np.where(np.isfinite(sigma), sigma, 0.0)
            disturbed += values
            return disturbed
