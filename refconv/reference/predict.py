"""The reference's predictions for many samples, and how far a conforming run may be from them.

The reference runs on its own values, batch after batch; beside it go runs with drawn rounding errors
(reference/shadow.py). In each sample a conforming run is taken to be within FACTOR times the farthest of those, and of
the last layer's own bound: as `predict` is judged (compare/plain.py). An enclosure carried through all layers would be
a hard bound, but grows by Σ|w| in each and says nothing after a few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from refconv.graph import Graph, Node
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.moments import Need
from refconv.ops.activations import LINEAR
from refconv.ops.base import Context, Weights
from refconv.ops.table import TABLE
from refconv.reference.chained import Chain, mids
from refconv.reference.forward import forward, weights_of
from refconv.reference.slicing import slice_size

FACTOR = 8.0
SHADOWS = 4
SQUASHING = ("softmax", "sigmoid")

Tensors = Sequence[np.ndarray]


@dataclass(frozen=True)
class Output:
    """One model output.

    Attributes:
        values: (N, …) exact.
        radius: that of a conforming run, one per sample: (N, 1, …).
        squash: "softmax" or "sigmoid" where that is the last function; "" otherwise.
        logits: what it was given.
        reach: radius of the logits.
    """

    values: np.ndarray
    radius: np.ndarray
    squash: str = ""
    logits: np.ndarray | None = None
    reach: np.ndarray | float = 0.0


def predict(
    graph: Graph, inputs: Tensors, context: Context, batch: int, progress: Callable[[str, float | None], None]
) -> tuple[Output, ...]:
    """Every output for all samples, in batches as the framework's, or fewer at a time where each stands alone.

    Every layer has to have a reference.
    """
    count, size = len(inputs[0]), min(batch, slice_size(graph, [x[:batch] for x in inputs], context))
    parts = []
    for start in range(0, count, size):
        progress("computing the reference", start / count)
        parts.append(_batch(graph, [x[start : start + size] for x in inputs], context, seed=start))
    return tuple(_joined(found) for found in zip(*parts, strict=True))


def _batch(graph: Graph, inputs: Tensors, context: Context, seed: int) -> tuple[Output, ...]:
    exact = Chain(graph, inputs)
    drawn = [_Drawn(graph, inputs, [seed, number]) for number in range(SHADOWS)]
    last = {ref.node: _Last(graph.nodes[ref.node]) for ref in graph.outputs}
    probable, alone = replace(context, need=Need.PROBABLE), replace(context, need=Need.VALUES)
    for node in graph.nodes:
        if node.index in graph.inputs:
            continue
        weights, given = weights_of(node).applied, exact.inputs(node)
        assert given is not None, "every layer before it was computed"
        enclosures = forward(node, weights, given, probable)
        exact.put(node, mids(enclosures))
        others = [shadow.step(node, weights, alone, enclosures) for shadow in drawn]
        if node.index in last:
            last[node.index].take(weights, given, others, enclosures, context)
    values, runs = exact.results(), [shadow.chain.results() for shadow in drawn]
    assert values is not None
    return tuple(
        last[ref.node].output(value, [run[number] for run in runs if run is not None], ref.output)
        for number, (ref, value) in enumerate(zip(graph.outputs, values, strict=True))
    )


class _Drawn:
    """A run whose every layer errs by N(0, σ²)."""

    def __init__(self, graph: Graph, inputs: Tensors, seed: Sequence[int]) -> None:
        self.chain = Chain(graph, inputs)
        self._rng = np.random.default_rng(list(seed))

    def step(self, node: Node, weights: Weights, context: Context, enclosures: Sequence[Enclosure]) -> Tensors:
        """Compute the node; what it was given."""
        given = self.chain.inputs(node)
        assert given is not None
        values = mids(forward(node, weights, given, context))
        self.chain.put(node, [self._disturbed(v, e) for v, e in zip(values, enclosures, strict=True)])
        return given

    def _disturbed(self, values: np.ndarray, e: Enclosure) -> np.ndarray:
        if values.dtype.kind != "f" or not np.any(e.sigma):
            return values
        with np.errstate(all="ignore"):
            sigma = np.where(np.isfinite(e.sigma), e.sigma, 0.0)
            return np.asarray(values + self._rng.standard_normal(values.shape) * sigma)


class _Last:
    """What gives an output: its own bound, and the logits where a softmax or a sigmoid is the last function."""

    def __init__(self, node: Node) -> None:
        self._node, self.squash = node, squash_of(node)
        self._own: list[np.ndarray] = []
        self._logits: np.ndarray | None = None
        self._reach: np.ndarray | float = 0.0

    def take(
        self,
        weights: Weights,
        given: Tensors,
        others: Sequence[Tensors],
        enclosures: Sequence[Enclosure],
        context: Context,
    ) -> None:
        self._own = [_largest(e) for e in enclosures]
        if not self.squash:
            return
        own = _bare(self._node, weights, given, replace(context, need=Need.PROBABLE))
        alone = replace(context, need=Need.VALUES)
        apart = [_apart(_bare(self._node, weights, x, alone).mid, own.mid) for x in others]
        self._logits, self._reach = own.mid, FACTOR * (np.max(apart, axis=0) + _largest(own))

    def output(self, value: np.ndarray, runs: Tensors, number: int) -> Output:
        radius = FACTOR * (np.max([_apart(run, value) for run in runs], axis=0) + self._own[number])
        return Output(value, radius, self.squash, self._logits, self._reach)


def squash_of(node: Node) -> str:
    """The softmax or sigmoid that gives the node's output, over the last axis; "" where there is none."""
    if node.type == "Softmax":
        return "softmax" if node.attrs.axis == (-1,) else ""
    function = getattr(node.attrs, "activation", None)
    if (
        function is None
        or TABLE[node.type].steps is not None
        or function.quantizer
        or function.parameters
        or function.name not in SQUASHING
    ):
        return ""
    return str(function.name)


def _bare(node: Node, weights: Weights, given: Tensors, context: Context) -> Enclosure:
    """What the last function is given."""
    if node.type == "Softmax":
        return Enclosure(np.asarray(given[0], np.float64))
    return forward(replace(node, attrs=replace(node.attrs, activation=LINEAR)), weights, given, context)[0]


def _largest(e: Enclosure) -> np.ndarray:
    """The largest probable radius of each sample, (N, 1, …)."""
    return _per_sample(np.broadcast_to(e.probable, e.mid.shape))


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The largest distance in each sample, of elements that are numbers in both: (N, 1, …)."""
    with np.errstate(all="ignore"):
        return _per_sample(np.abs(np.subtract(one, other, dtype=np.float64)))


def _per_sample(values: np.ndarray) -> np.ndarray:
    found = np.where(np.isfinite(values), values, 0.0)
    return np.asarray(np.max(found, axis=tuple(range(1, found.ndim)), keepdims=True, initial=0.0))


def _joined(parts: Sequence[Output]) -> Output:
    """All batches."""
    logits = [part.logits for part in parts if part.logits is not None]
    there = len(logits) == len(parts)
    return Output(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.radius for part in parts]),
        parts[0].squash,
        np.concatenate(logits) if there else None,
        np.concatenate([np.asarray(part.reach) for part in parts]) if there else 0.0,
    )


def without_reference(graph: Graph) -> Iterator[Node]:
    """Layers that the reference cannot compute."""
    return (node for node in graph.nodes if node.index not in graph.inputs and node.attrs is None)
