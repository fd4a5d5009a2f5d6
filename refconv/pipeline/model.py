"""A model checked from file to verdict, and the reference run alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from refconv import formats, frameworks
from refconv import inputs as model_inputs
from refconv.compare.declared import NAMED
from refconv.compare.plain import plain_result
from refconv.compare.remarks import notes, quantized
from refconv.compare.selection import select
from refconv.errors import BadInput
from refconv.formats.refusals import refuse
from refconv.formats.source import Source
from refconv.graph import Graph
from refconv.ops.base import Context
from refconv.pipeline.accepting import accepted, read_entries
from refconv.pipeline.alone import reference_alone
from refconv.pipeline.code import trusted_files
from refconv.pipeline.elsewhere import explained
from refconv.pipeline.options import Given, OnLayer, OnOutputs, Options, Progress, silent
from refconv.pipeline.parts import Parts
from refconv.pipeline.rebuilding import runnable
from refconv.pipeline.replayed import described, replayed, untried
from refconv.pipeline.running import streamed
from refconv.pipeline.slices import Judged, OnFailure, Slices
from refconv.primitives import engines
from refconv.reference.alone import Run, run_alone
from refconv.reference.masks import with_known_masks
from refconv.reference.ranges import index_ranges
from refconv.reference.slicing import slice_size
from refconv.result import FAILING, CheckResult, ModelInfo, PlainResult
from refconv.trace import Trace

UNASKED = "why it fails was not looked for (--no-explain)"
After = Callable[[frameworks.Worker, Slices, CheckResult], None]


def check(
    path: str | Path | Any,
    inputs: Given = None,
    *,
    options: Options | None = None,
    progress: Progress = silent,
    on_layer: OnLayer | None = None,
    source: Source | None = None,
    pool: frameworks.Pool | None = None,
    on_outputs: OnOutputs | None = None,
    **overrides: Any,
) -> CheckResult:
    """Verify every layer of the model in `path` against the framework's own outputs.

    Args:
        path: a .h5, .hdf5 or .keras file, or one with weights alone beside the option `architecture`; or a model of
            Keras 2, Keras 3 or QKeras that lives in this process, which is recorded here and left as it was.
        inputs: one array, or a sequence or mapping by input name for several inputs; None draws seeded samples.
        options: see Options; any of its fields may be given as a keyword instead.
        progress: called with what is being done and the share of it that is done, or None where unknown.
        on_layer: called with each layer's result as it becomes known.
        source: what `formats.accept` gave for `path`, where that was called before.
        pool: keeps the framework's process for the next check, which then need not import it.
        on_outputs: called with each selected layer, the first sample of a slice, and the framework's outputs there.

    Raises:
        UnreadableModel, BadInput, FrameworkError: see `refconv.errors`.
    """
    options = replace(options or Options(), **overrides)

    def again(
        other: Options,
        switches: Mapping[str, str],
        told: OnLayer | None = None,
        outputs: OnOutputs | None = None,
    ) -> CheckResult:
        if not isinstance(path, (str, Path)):
            from refconv.pipeline.living import check_live, refuse_switches  # only here is a framework at hand

            refuse_switches(switches)
            return check_live(path, inputs, other, progress, told, outputs)
        return checked(source or path, inputs, other, switches, progress, told, None if switches else pool, outputs)

    known = read_entries(options.accepted) if options.accepted else ()
    if known:  # the first layer that fails may be a known one, and the others are not
        options = replace(options, fail_fast=False)
    if options.trace and isinstance(path, (str, Path)):
        result = _replayed(source or path, inputs, options, progress, on_layer, on_outputs)
    else:
        result = again(options, {}, on_layer, on_outputs)
    if result.verdict == "fail" and options.framework and options.explain and not options.trace:
        result = explained(result, options, again, progress)
    return accepted(result, known) if known else result


def checked(
    path: str | Path | Source,
    inputs: Given,
    options: Options,
    switches: Mapping[str, str],
    progress: Progress,
    on_layer: OnLayer | None,
    pool: frameworks.Pool | None = None,
    on_outputs: OnOutputs | None = None,
    on_failure: OnFailure | None = None,
    after: After | None = None,
) -> CheckResult:
    """One check, with the framework in an environment with these variables.

    Args:
        on_failure: as in Slices.
        after: called with the result while the worker still serves.
    """
    started = time.perf_counter()
    progress("reading the model", None)
    code = trusted_files(options.trust_code)
    source = path if isinstance(path, Source) else formats.accept(path, options.architecture, sha256=options.sha256)
    if options.framework and not options.rebuild:
        refuse(source, trusted=bool(code))
    graph = formats.load(source, subclassed=bool(code))
    select(graph, options.layers)
    _demand_arithmetic(options)
    if not options.framework:
        result, found = reference_alone(graph, inputs, options, draw_inputs, progress, on_layer)
        return _described(result, found, inputs, options, started)
    keras = frameworks.keras_for(graph.keras, options.keras, options.backend, qkeras=graph.qkeras)
    with (
        frameworks.Worker(
            keras,
            backend=options.backend,
            python=options.python or None,
            memory=options.memory,
            switches=switches,
            pool=pool,
            device=options.device,
            deterministic=options.deterministic,
        ) as worker,
        runnable(graph, inputs, options, keras, draw_inputs) as runs,
    ):
        arrays = runs.parts.arrays
        left, known = with_known_masks(runs.parts.graph, arrays)
        Thread(target=lambda: left.sha256, daemon=True).start()  # 0.3 s for 550 MB
        engine = engines.get(options.engine)  # imported beside the framework
        context = Context(engine, seeded=inputs is None, spread=options.spread)
        size = slice_size(left, known, context)
        stream = streamed(worker, graph, runs, options, size, code, progress)
        selected = select(left, options.layers)
        slices = Slices(left, stream, known, size, context, options, selected, on_outputs, on_failure)
        result = _result(slices, progress, on_layer)
        if after:
            after(worker, slices, result)
    result = _of_another_keras(result, graph, keras, options)
    return _described(runs.completed(result, graph), runs.parts, inputs, options, started)


def _replayed(
    path: str | Path | Source,
    inputs: Given,
    options: Options,
    progress: Progress,
    on_layer: OnLayer | None,
    on_outputs: OnOutputs | None,
) -> CheckResult:
    """A check of what was captured before, with no framework."""
    begun = time.perf_counter()
    progress("reading the model", None)
    source = path if isinstance(path, Source) else formats.accept(path, options.architecture, sha256=options.sha256)
    _demand_arithmetic(options)
    with replayed(source, inputs, options, progress, draw_inputs) as found:
        select(found.graph, options.layers)
        left, known = with_known_masks(found.runs.parts.graph, found.runs.parts.arrays)
        engine = engines.get(options.engine)
        context = Context(engine, seeded=found.about.seeded, spread=options.spread)
        selected = select(left, options.layers)
        slices = Slices(left, found.stream, known, found.size, context, found.options, selected, on_outputs)
        result = untried(_result(slices, progress, on_layer), found.options)
    result = _of_another_keras(result, found.graph, found.about.keras, found.options)
    result = found.runs.completed(result, found.graph)
    return replace(result, input=described(found.about, found.runs.parts), seconds=time.perf_counter() - begun)


def _of_another_keras(result: CheckResult, graph: Graph, keras: int, options: Options) -> CheckResult:
    """With a note where the Keras that wrote the file is not on the backend that ran it."""
    if options.keras != "auto" or keras == graph.keras:
        return result
    said = f"a file of Keras {graph.keras}, run by Keras {keras}: on {options.backend} there is no other"
    return replace(result, notes=(*result.notes, said))


def _demand_arithmetic(options: Options) -> None:
    if options.arithmetic and options.arithmetic not in NAMED:
        raise BadInput(f"no arithmetic is called {options.arithmetic!r}", where="--arithmetic", hint=", ".join(NAMED))


def _described(result: CheckResult, found: Parts, given: Given, options: Options, started: float) -> CheckResult:
    """`result` with what the model was fed, and how long it took."""
    return replace(result, input=fed(found, given, options), seconds=time.perf_counter() - started)


def fed(found: Parts, given: Given, options: Options) -> dict[str, Any]:
    """The "input" object of the report: what the model was fed, and where that is from."""
    sources = given if found.sources is None else found.sources
    specs, arrays = found.graph.specs, found.arrays
    return model_inputs.describe(specs, arrays, sources, options.samples, options.seed, options.preprocess)


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
    trace: Trace | frameworks.Stream,
    arrays: Sequence[np.ndarray],
    options: Options,
    *,
    selected: frozenset[int] | None = None,
    seeded: bool = False,
    progress: Progress = silent,
    on_layer: OnLayer | None = None,
    on_outputs: OnOutputs | None = None,
    size: int = 0,
) -> CheckResult:
    """Judge a trace of the model by its graph; `arrays` are the model inputs that both were fed.

    `seeded` says that they were drawn at random: only then are a tensor's errors also judged together. A trace that
    arrives call by call is of slices of `size` samples.
    """
    selected = select(graph, options.layers) if selected is None else selected
    graph, arrays = with_known_masks(graph, arrays)
    context = Context(engines.get(options.engine), seeded=seeded, spread=options.spread)
    stream = frameworks.Whole(trace) if isinstance(trace, Trace) else trace
    slices = Slices(graph, stream, arrays, size or len(arrays[0]), context, options, selected, on_outputs)
    return _result(slices, progress, on_layer)


def _result(slices: Slices, progress: Progress, on_layer: OnLayer | None) -> CheckResult:
    graph, options, judged = slices.graph, slices.options, slices.judge(progress, on_layer)
    trace, failure = slices.source.trace, slices.source.failure
    plain = plainest(graph, trace, judged) if slices.determined else None
    fails = any(layer.verdict in FAILING for layer in judged.layers) or plain is not None and not plain.ok
    return CheckResult(
        model=ModelInfo(graph.path, graph.format, graph.keras_version, graph.backend, graph.sha256),
        layers=judged.layers,
        plain=plain,
        environment=trace.environment,
        input={},
        partial=judged.stopped or len(slices.selected) < len(graph.nodes) - len(graph.inputs),
        policy=options.policy,
        notes=(
            *notes(graph, judged.layers, trace.environment),
            *([UNASKED] if fails and not options.explain else []),
            *([str(failure)] if failure else []),
        ),
        quantized=tuple(quantized(graph)),
    )


def plainest(graph: Graph, trace: Trace, judged: Judged) -> PlainResult | None:
    """The plain run that drifts farthest, of those that gave other bits."""
    runs = [trace.plain, *trace.plain_again.values()]
    found = [result for run in runs if (result := plain_result(graph, run, judged.ends, judged.layers))]
    return max(found, key=lambda result: (not result.ok, result.bound_used), default=None)


def run(graph: Graph, x: Given, *, engine: str = "numba") -> Run:
    """The reference alone, chained from the model's input `x`, without a framework.

    Returns:
        a mapping from node name to the Enclosure of its first output; `.output` is the model's. `mid` holds the values;
        the radii are those of the layer's own rounding, given the reference's own inputs to it.

    Raises:
        UnreadableModel: a layer has no reference.
    """
    return run_alone(*with_known_masks(graph, draw_inputs(graph, x, Options())), Context(engines.get(engine)))
