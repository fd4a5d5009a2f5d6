"""A model checked from file to verdict, and the reference run alone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
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
from refconv.pipeline.alone import reference_alone
from refconv.pipeline.code import trusted_files
from refconv.pipeline.elsewhere import explained
from refconv.pipeline.options import Given, OnLayer, Options, Progress, silent
from refconv.pipeline.parts import Parts
from refconv.pipeline.rebuilding import runnable
from refconv.pipeline.slices import Slices
from refconv.primitives import engines
from refconv.reference.alone import Run, run_alone
from refconv.reference.masks import with_known_masks
from refconv.reference.ranges import index_ranges
from refconv.reference.slicing import slice_size
from refconv.result import CheckResult, ModelInfo
from refconv.trace import Trace


def check(
    path: str | Path,
    inputs: Given = None,
    *,
    options: Options | None = None,
    progress: Progress = silent,
    on_layer: OnLayer | None = None,
    source: Source | None = None,
    **overrides: Any,
) -> CheckResult:
    """Verify every layer of the model in `path` against the framework's own outputs.

    Args:
        path: a .h5, .hdf5 or .keras file, or one with weights alone beside the option `architecture`.
        inputs: one array, or a sequence or mapping by input name for several inputs; None draws seeded samples.
        options: see Options; any of its fields may be given as a keyword instead.
        progress: called with what is being done and the share of it that is done, or None where unknown.
        on_layer: called with each layer's result as it becomes known.
        source: what `formats.accept` gave for `path`, where that was called before.

    Raises:
        UnreadableModel, BadInput, FrameworkError: see `refconv.errors`.
    """
    options = replace(options or Options(), **overrides)
    result = _checked(source or path, inputs, options, {}, progress, on_layer)
    if result.verdict != "fail" or not options.framework:
        return result

    def again(other: Options, switches: Mapping[str, str]) -> CheckResult:
        return _checked(path, inputs, other, switches, progress, None)

    return explained(result, options, again, progress)


def _checked(
    path: str | Path | Source,
    inputs: Given,
    options: Options,
    switches: Mapping[str, str],
    progress: Progress,
    on_layer: OnLayer | None,
) -> CheckResult:
    """One check, with the framework in an environment with these variables."""
    started = time.perf_counter()
    progress("reading the model", None)
    code = trusted_files(options.trust_code)
    source = path if isinstance(path, Source) else formats.accept(path, options.architecture, sha256=options.sha256)
    if options.framework and not options.rebuild:
        refuse(source, trusted=bool(code))
    graph = formats.load(source, subclassed=bool(code))
    select(graph, options.layers)
    if options.arithmetic and options.arithmetic not in NAMED:
        raise BadInput(f"no arithmetic is called {options.arithmetic!r}", where="--arithmetic", hint=", ".join(NAMED))
    if not options.framework:
        result, found = reference_alone(graph, inputs, options, draw_inputs, progress, on_layer)
        return _described(result, found, inputs, options, started)
    keras = graph.keras if options.keras == "auto" else int(options.keras)
    with (
        frameworks.Worker(keras, memory=options.memory, switches=switches) as worker,
        runnable(graph, inputs, options, keras, draw_inputs) as runs,
    ):
        arrays = runs.parts.arrays
        left, known = with_known_masks(runs.parts.graph, arrays)
        Thread(target=lambda: left.sha256, daemon=True).start()  # 0.3 s for 550 MB
        engine = engines.get(options.engine)  # imported beside the framework
        context = Context(engine, seeded=inputs is None, spread=options.spread)
        size = slice_size(left, known, context)
        stream = worker.stream(
            runs.path,
            arrays,
            mode=options.mode,
            device=options.device,
            qkeras=graph.qkeras,
            probes=options.thorough,
            samples=size,
            code=code,
            whole=graph.opaque,
            timeout=options.timeout,
            foreign=() if options.rebuild else [stranger.name for stranger in graph.strangers],
            progress=progress,
            names=runs.names,
            architecture="" if options.rebuild else options.architecture,
        )
        slices = Slices(left, stream, known, size, context, options, select(left, options.layers))
        result = _result(slices, progress, on_layer)
    return _described(runs.completed(result, graph), runs.parts, inputs, options, started)


def _described(result: CheckResult, found: Parts, given: Given, options: Options, started: float) -> CheckResult:
    """`result` with what the model was fed, and how long it took."""
    sources = given if found.sources is None else found.sources
    specs, arrays = found.graph.specs, found.arrays
    described = model_inputs.describe(specs, arrays, sources, options.samples, options.seed, options.preprocess)
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
    progress: Progress = silent,
    on_layer: OnLayer | None = None,
) -> CheckResult:
    """Judge a trace of the model by its graph; `arrays` are the model inputs that both were fed.

    `seeded` says that they were drawn at random: only then are a tensor's errors also judged together.
    """
    selected = select(graph, options.layers) if selected is None else selected
    graph, arrays = with_known_masks(graph, arrays)
    context = Context(engines.get(options.engine), seeded=seeded, spread=options.spread)
    slices = Slices(graph, frameworks.Whole(trace), arrays, len(arrays[0]), context, options, selected)
    return _result(slices, progress, on_layer)


def _result(slices: Slices, progress: Progress, on_layer: OnLayer | None) -> CheckResult:
    graph, options, judged = slices.graph, slices.options, slices.judge(progress, on_layer)
    trace, failure = slices.source.trace, slices.source.failure
    plain = plain_result(graph, trace.plain, judged.ends, judged.layers) if slices.determined else None
    return CheckResult(
        model=ModelInfo(graph.path, graph.format, graph.keras_version, graph.backend, graph.sha256),
        layers=judged.layers,
        plain=plain,
        environment=trace.environment,
        input={},
        partial=judged.stopped or len(slices.selected) < len(graph.nodes) - len(graph.inputs),
        policy=options.policy,
        notes=(*notes(graph, judged.layers, trace.environment), *([str(failure)] if failure else [])),
        quantized=tuple(quantized(graph)),
    )


def run(graph: Graph, x: Given, *, engine: str = "numba") -> Run:
    """The reference alone, chained from the model's input `x`, without a framework.

    Returns:
        a mapping from node name to the Enclosure of its first output; `.output` is the model's. `mid` holds the values;
        the radii are those of the layer's own rounding, given the reference's own inputs to it.

    Raises:
        UnreadableModel: a layer has no reference.
    """
    return run_alone(*with_known_masks(graph, draw_inputs(graph, x, Options())), Context(engines.get(engine)))
