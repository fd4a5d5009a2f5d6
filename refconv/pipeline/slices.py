"""All layers judged, slice by slice of the samples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from refconv.compare.merge import merge
from refconv.compare.plain import Ends
from refconv.compare.probe import probed
from refconv.compare.recorded import under_masks
from refconv.compare.remarks import draws
from refconv.frameworks import Stream, Whole
from refconv.graph import Graph
from refconv.ops.base import Context
from refconv.pipeline.calls import Calls
from refconv.pipeline.diagnosing import Diagnosing
from refconv.pipeline.layer import Checking
from refconv.pipeline.options import OnLayer, OnOutputs, Options, Progress
from refconv.reference.masks import MASK
from refconv.reference.runs import Runs
from refconv.result import FAILING, LayerResult


@dataclass(frozen=True)
class Judged:
    """What the slices gave.

    Attributes:
        layers: the selected layers' results over all samples, up to the first that fails where no more are wanted.
        ends: the model's outputs, slice by slice; none where not every slice came to its end.
        stopped: a layer failed, and no more were wanted.
    """

    layers: tuple[LayerResult, ...]
    ends: tuple[Ends, ...]
    stopped: bool


@dataclass(frozen=True)
class Slices:
    """A model, its samples, and how many of them are judged together.

    Attributes:
        selected: the nodes whose results are wanted.
        on_outputs: called with each of them, the first sample of the slice, and what the framework gave.
    """

    graph: Graph
    source: Stream | Whole
    arrays: Sequence[np.ndarray]
    size: int
    context: Context
    options: Options
    selected: frozenset[int]
    on_outputs: OnOutputs | None = None

    @property
    def determined(self) -> bool:
        """Whether `predict` has one answer: only then is it judged, and does the reference run as runs that round."""
        return not any(map(draws, self.graph.nodes))

    def judge(self, progress: Progress, on_layer: OnLayer | None) -> Judged:
        """Judge all, and tell `on_layer` of each layer as its last samples are judged."""
        found: dict[int, list[LayerResult]] = defaultdict(list)
        starts, ends, failed = range(0, min(map(len, self.arrays)), self.size), list[Ends](), False
        asking = Diagnosing(self.graph, self.context, self.options)
        for number, start in enumerate(starts):
            if number and not self.source.following():
                break
            checking = self._begin(start)
            for result in self._layers(checking, asking, start, _part(progress, number, len(starts))):
                results = found[result.index]
                results.append(result)
                failed = self.options.fail_fast and result.verdict in FAILING
                if on_layer and (failed or number == len(starts) - 1):
                    on_layer(merge(results, starts))
            if failed:
                break
            exact, rounding = checking.runs.results()
            ends.append(Ends(exact, [self.source.trace.outputs, *rounding]))
        while not failed and self.source.more():  # to the end, where it stands that a layer could not run
            self.source.trace.tensors.clear()
        layers = tuple(merge(results, starts) for results in found.values())
        return Judged(layers, tuple(ends) if len(ends) == len(starts) else (), failed)

    def _begin(self, start: int) -> Checking:
        """What judges the slice from sample `start` on; for the first one the reference runs ahead of the framework."""
        runs = Runs(
            self.graph, [x[start : start + self.size] for x in self.arrays], self.context, shadows=self.determined
        )
        if start:  # faults are tried on the first samples
            self.source.more()
            return Checking(runs, self.context, replace(self.options, power=False))
        checking = Checking(runs, self.context, self.options)
        runs.ahead(checking.ready, self.source.ready)
        self.source.all() if self.options.thorough else self.source.more()  # probes are the last to arrive
        return checking

    def _masks(self, start: int) -> dict[int, np.ndarray]:
        """By their nodes, the masks of the slice from sample `start` on: inputs that no framework is fed."""
        each = zip(self.graph.inputs, self.arrays, strict=True)
        return {index: x[start : start + self.size] for index, x in each if self.graph.nodes[index].type == MASK}

    def _layers(self, checking: Checking, asking: Diagnosing, start: int, progress: Progress) -> Iterator[LayerResult]:
        """The results of the selected layers, up to the first that fails where no more are wanted."""
        calls, graph, masks = Calls(self.graph, self.source), self.graph, self._masks(start)
        for node in graph.nodes:
            if node.index in graph.inputs:
                continue
            progress(f"verifying {node.name}", node.index / len(graph.nodes))
            call = calls.of(node)
            call = under_masks(node, call, masks, self.source.trace) if call else None
            result = checking.layer(node, call, self.source.trace, wanted=node.index in self.selected)
            if node.index in self.selected:
                if call and self.on_outputs:
                    self.on_outputs(node, start, [self.source.trace.tensors[key] for key in call.outputs])
                result = probed(node, result, call, self.source.trace, checking.context)
                yield (result := asking.of(node, result, call, self.source.trace))
                if self.options.fail_fast and result.verdict in FAILING:
                    return
            if call:
                calls.forget(call)


def _part(progress: Progress, number: int, count: int) -> Callable[[str, float | None], None]:
    """Progress of one of `count` parts."""
    return lambda what, share: progress(what, None if share is None else (number + share) / count)
