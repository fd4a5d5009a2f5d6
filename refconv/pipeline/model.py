"""A model checked from file to verdict, and the reference run alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from refconv import formats, frameworks
from refconv import inputs as model_inputs
from refconv.compare.declared import NAMED
from refconv.compare.plain import plain_result
from refconv.compare.probe import probed
from refconv.compare.remarks import draws, notes, quantized
from refconv.compare.selection import select
from refconv.errors import BadInput
from refconv.formats.refusals import refuse_code
from refconv.graph import Graph
from refconv.ops.base import Context
from refconv.pipeline.calls import Calls
from refconv.pipeline.code import trusted_files
from refconv.pipeline.layer import Checking
from refconv.pipeline.options import Given, OnLayer, Options, Progress
from refconv.primitives import engines
from refconv.reference.alone import Run, run_alone
from refconv.reference.masks import without_idle_masks
from refconv.reference.ranges import index_ranges
from refconv.reference.runs import Runs
from refconv.result import FAILING, CheckResult, LayerResult, ModelInfo
from refconv.trace import Trace


def _silent(what: str, share: float | None) -> None:
    return None


def check(
    path: str | Path,
    inputs: Given = None,
    *,
    options: Options | None = None,
    progress: Progress = _silent,
    on_layer: OnLayer | None = None,
    **overrides: Any,
) -> CheckResult:
    """Verify every layer of the model in `path` against the framework's own outputs.

    Args:
        path: a .h5, .hdf5 or .keras file.
        inputs: one array, or a sequence or mapping by input name for several inputs; None draws seeded samples.
        options: see Options; any of its fields may be given as a keyword instead.
        progress: called with what is being done and the share of it that is done, or None where unknown.
        on_layer: called with each layer's result as it becomes known.

    Raises:
        UnreadableModel, BadInput, FrameworkError: see `refconv.errors`.
    """
    started = time.perf_counter()
    options = replace(options or Options(), **overrides)
    progress("reading the model", None)
    code = trusted_files(options.trust_code)
    graph = formats.load(path, subclassed=bool(code))
    selected = select(graph, options.layers)
    if options.arithmetic and options.arithmetic not in NAMED:
        raise BadInput(f"no arithmetic is called {options.arithmetic!r}", where="--arithmetic", hint=", ".join(NAMED))
    refuse_code(graph, trusted=bool(code))
    with frameworks.Worker(graph.keras if options.keras == "auto" else int(options.keras)) as worker:
        engines.get(options.engine)  # imported beside the framework; a wrong name is told before that runs
        arrays = draw_inputs(graph, inputs, options)
        source = worker.stream(
            graph.path,
            arrays,
            mode=options.mode,
            device=options.device,
            qkeras=graph.qkeras,
            probes=options.thorough,
            code=code,
            whole=graph.opaque,
            timeout=options.timeout,
            progress=progress,
        )
        result = _verify(graph, source, arrays, options, selected, inputs is None, progress, on_layer)
    described = model_inputs.describe(graph.specs, arrays, inputs, options.samples, options.seed, options.preprocess)
    return replace(result, input=described, seconds=time.perf_counter() - started)


def draw_inputs(graph: Graph, given: Given, options: Options) -> list[np.ndarray]:
    """The model's inputs, in its order: those given, read and checked, or seeded samples."""
    return model_inputs.prepare(
        graph.specs,
        given,
        samples=options.samples,
        seed=options.seed,
        shapes=options.shapes,
        preprocess=options.preprocess,
        ranges=index_ranges(graph),
    )


def verify(
    graph: Graph,
    trace: Trace,
    arrays: Sequence[np.ndarray],
    options: Options,
    *,
    selected: frozenset[int] | None = None,
    seeded: bool = False,
    progress: Progress = _silent,
    on_layer: OnLayer | None = None,
) -> CheckResult:
    """Judge a trace of the model by its graph; `arrays` are the model inputs that both were fed.

    `seeded` says that they were drawn at random: only then are a tensor's errors also judged together.
    """
    selected = select(graph, options.layers) if selected is None else selected
    return _verify(graph, frameworks.Whole(trace), arrays, options, selected, seeded, progress, on_layer)


def _verify(
    graph: Graph,
    source: frameworks.Stream | frameworks.Whole,
    arrays: Sequence[np.ndarray],
    options: Options,
    selected: frozenset[int],
    seeded: bool,
    progress: Progress,
    on_layer: OnLayer | None,
) -> CheckResult:
    graph = without_idle_masks(graph, arrays)
    context = Context(engines.get(options.engine), seeded=seeded)
    determined = not any(map(draws, graph.nodes))  # else predict has no one answer
    checking = Checking(Runs(graph, arrays, context, shadows=determined), context, options)
    checking.runs.ahead(checking.ready, source.ready)
    source.all() if options.thorough else source.more()  # probes are the last to arrive
    layers = tuple(_layers(graph, source, checking, selected, progress, on_layer))
    stopped = bool(layers) and options.fail_fast and layers[-1].verdict in FAILING
    return CheckResult(
        model=ModelInfo(graph.path, graph.format, graph.keras_version, graph.backend, graph.sha256),
        layers=layers,
        plain=plain_result(graph, source.trace, checking.runs, layers) if determined and not stopped else None,
        environment=source.trace.environment,
        input={},
        partial=stopped or len(selected) < len(graph.nodes) - len(graph.inputs),
        policy=options.policy,
        notes=(*notes(graph, source.trace), *([str(source.failure)] if source.failure else [])),
        quantized=tuple(quantized(graph)),
    )


def _layers(
    graph: Graph,
    source: frameworks.Stream | frameworks.Whole,
    checking: Checking,
    selected: frozenset[int],
    progress: Progress,
    on_layer: OnLayer | None,
) -> Iterator[LayerResult]:
    """The results of the selected layers, up to the first that fails where no more are wanted."""
    calls = Calls(graph, source)
    for node in graph.nodes:
        if node.index in graph.inputs:
            continue
        progress(f"verifying {node.name}", node.index / len(graph.nodes))
        call = calls.of(node)
        result = checking.layer(node, call, source.trace, wanted=node.index in selected)
        if node.index in selected:
            result = probed(node, result, call, source.trace, checking.context)
            if on_layer:
                on_layer(result)
            yield result
            if checking.options.fail_fast and result.verdict in FAILING:
                return
        if call:
            calls.forget(call)


def run(graph: Graph, x: Given, *, engine: str = "numba") -> Run:
    """The reference alone, chained from the model's input `x`, without a framework.

    Returns:
        a mapping from node name to the Enclosure of its first output; `.output` is the model's. `mid` holds the values;
        the radii are those of the layer's own rounding, given the reference's own inputs to it.

    Raises:
        UnreadableModel: a layer has no reference.
    """
    arrays = draw_inputs(graph, x, Options())
    return run_alone(without_idle_masks(graph, arrays), arrays, Context(engines.get(engine)))
