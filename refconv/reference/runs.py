"""The reference as a whole: on its own values from the model's inputs, and as runs that round.

It needs the framework only at layers without a reference, so that it may run ahead while the framework starts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from refconv.graph import Graph, Node
from refconv.numerics.formats import Field
from refconv.numerics.moments import Need
from refconv.ops.base import Context, Weights
from refconv.reference.chained import Chain, Values, mids
from refconv.reference.forward import forward, weights_of
from refconv.reference.shadow import Shadow

SHADOWS = 2  # runs with errors drawn, beside which `predict` is judged
AHEAD = 32 << 20  # bytes of values that are held until the framework's arrive, if there are few weights
SHARE = 4  # else this part of the weights, which take far more room in the framework


@dataclass(frozen=True)
class Computed:
    """A node's values, and the seconds that they took; None where a layer before it has no values."""

    values: Values | None
    seconds: float


class Runs:
    """All runs of one model, node by node in the graph's order.

    Args:
        graph: the model.
        inputs: one array per model input, in the model's order.
        context: how the reference computes.
        shadows: whether there is a run of the framework to be judged by runs that round.
    """

    def __init__(self, graph: Graph, inputs: Sequence[np.ndarray], context: Context, *, shadows: bool) -> None:
        self._chain = Chain(graph, inputs)
        self._shadows = [Shadow(graph, inputs, seed) for seed in range(SHADOWS if shadows else 0)]
        self._alone = replace(context, need=Need.VALUES)
        self._nodes = [node for node in graph.nodes if node.index not in graph.inputs]
        self._ahead: dict[int, Computed] = {}
        self._most = max(AHEAD, _bytes_of_weights(graph) // SHARE)

    def ahead(self, ready: Callable[[Node], bool], stop: Callable[[], bool]) -> None:
        """Compute node after node until `stop`, or one is not `ready`, or as many bytes are held as may be.

        The errors of the runs that round are then drawn with the σ of the reference's own values.
        """
        held, probable = 0, replace(self._alone, need=Need.PROBABLE)
        for node in self._nodes:
            if not ready(node) or held > self._most or stop():
                return
            started, own = time.perf_counter(), self._chain.inputs(node)
            assert own is not None, "every node before it was computed"
            weights = weights_of(node).applied
            enclosures = forward(node, weights, own, probable if self._shadows else self._alone)
            values = mids(enclosures)
            self._chain.put(node, values)
            self._ahead[node.index] = Computed(values, time.perf_counter() - started)
            self._step(node, weights, [e.sigma for e in enclosures])
            held += sum(v.nbytes for v in values)

    def values(self, node: Node, weights: Weights) -> Computed:
        """The node's values on the run's own inputs. Call once per node, then `go_on`."""
        if node.index in self._ahead:
            return self._ahead[node.index]
        started, own = time.perf_counter(), self._chain.inputs(node)
        values = None if own is None else mids(forward(node, weights, own, self._alone))
        return Computed(values, time.perf_counter() - started)

    def go_on(self, node: Node, weights: Weights, values: Values, sigma: Sequence[Field]) -> None:
        """Hand on a node's values (the framework's where there are none), and disturb the runs that round by σ."""
        if self._ahead.pop(node.index, None) is None:
            self._chain.put(node, values)
            self._step(node, weights, sigma)

    def skip(self, node: Node, outputs: Sequence[np.ndarray]) -> None:
        """Go on with the framework's outputs of a layer without a reference."""
        self._chain.inputs(node)
        self._chain.put(node, outputs)
        for shadow in self._shadows:
            shadow.put(node, outputs)

    def results(self) -> tuple[list[np.ndarray] | None, list[list[np.ndarray]]]:
        """The model's outputs, None where they depend on what is not known; and those of the runs that round."""
        found = (shadow.results() for shadow in self._shadows)
        return self._chain.results(), [outputs for outputs in found if outputs is not None]

    def _step(self, node: Node, weights: Weights, sigma: Sequence[Field]) -> None:
        for shadow in self._shadows:
            shadow.step(node, weights, self._alone, sigma)


def _bytes_of_weights(graph: Graph) -> int:
    """In float32; those of a shared layer once."""
    shapes = {weight.path: weight.shape for node in graph.nodes for weight in node.weights.values()}
    return sum(4 * prod(shape) for shape in shapes.values())
