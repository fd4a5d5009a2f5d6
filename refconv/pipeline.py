"""check() and run(): the only module that names every stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from refconv import formats, frameworks
from refconv import inputs as model_inputs
from refconv.compare.declared import NAMED, declare
from refconv.compare.drift import apart, drift
from refconv.compare.match import match
from refconv.compare.plain import SHADOWS, has_plain, plain_result
from refconv.compare.power import with_power
from refconv.compare.probe import probed
from refconv.compare.recorded import judge_call, seen_of
from refconv.compare.remarks import draws, notes, quantized
from refconv.compare.selection import select
from refconv.errors import BadInput
from refconv.formats.refusals import refuse_code
from refconv.graph import Graph, Node
from refconv.numerics.moments import Need
from refconv.ops.base import Context
from refconv.primitives import engines
from refconv.reference.alone import Run, run_alone
from refconv.reference.chained import mids
from refconv.reference.forward import forward, weights_of
from refconv.reference.ranges import index_ranges
from refconv.reference.runs import Runs
from refconv.result import FAILING, CheckResult, LayerResult, ModelInfo, Policy, Verdict
from refconv.trace import Call, Trace

Given = None | np.ndarray | model_inputs.Source | Sequence[Any] | Mapping[str, Any]
Progress = Callable[[str, float | None], None]

OnLayer = Callable[[LayerResult], None]


@dataclass(frozen=True)
class Options:
    """What a check may be asked; the command line's options, with the same defaults."""

    samples: int = 2
    seed: int = 0
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    preprocess: str = "none"
    layers: tuple[str, ...] = ()
    mode: str = "graph"
    keras: str = "auto"
    engine: str = "numpy"
    device: str = "auto"
    arithmetic: str = ""  # of compare.declared.NAMED, in place of what the environment declares
    policy: Policy = Policy()
    power: bool = False
    fail_fast: bool = False
    timeout: float = 600.0
    thorough: bool = False  # also probe linear layers with small integers


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
    graph = formats.load(path)
    selected = select(graph, options.layers)
    engines.get(options.engine)  # a wrong name is told before the framework runs
    if options.arithmetic and options.arithmetic not in NAMED:
        raise BadInput(f"no arithmetic is called {options.arithmetic!r}", where="--arithmetic", hint=", ".join(NAMED))
    refuse_code(graph)
    arrays = draw_inputs(graph, inputs, options)
    trace, failure = _capture(graph, arrays, options, progress)
    result = verify(
        graph,
        trace,
        arrays,
        options,
        selected=selected,
        seeded=inputs is None,
        progress=progress,
        on_layer=on_layer,
    )
    if failure:
        result = replace(result, notes=(*result.notes, failure))
    described = model_inputs.describe(graph.specs, arrays, inputs, options.samples, options.seed, options.preprocess)
    return replace(result, input=described, seconds=time.perf_counter() - started)


def _capture(graph: Graph, arrays: Sequence[np.ndarray], options: Options, progress: Progress) -> tuple[Trace, str]:
    """What the framework gave; where a layer cannot run on this machine, the calls before it, and what it said."""
    try:
        trace = frameworks.capture(
            graph.path,
            arrays,
            keras=graph.keras if options.keras == "auto" else int(options.keras),
            mode=options.mode,
            device=options.device,
            qkeras=graph.qkeras,
            probes=options.thorough,
            timeout=options.timeout,
            progress=progress,
        )
    except frameworks.LayerFailed as failure:
        if not failure.trace.calls:
            raise
        return failure.trace, str(failure)
    return trace, ""


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
    calls = match(graph, trace)
    runs = Runs.start(graph, arrays, shadows=SHADOWS if has_plain(graph, trace) else 0)
    context = Context(engines.get(options.engine), seeded=seeded)
    layers: list[LayerResult] = []
    for node in graph.nodes:
        if node.index in graph.inputs:
            continue
        progress(f"verifying {node.name}", node.index / len(graph.nodes))
        wanted = node.index in selected
        result = _layer(node, calls.get(node.index), trace, runs, context, options, wanted)
        if wanted:
            result = probed(node, result, calls.get(node.index), trace, context)
            layers.append(result)
            if on_layer:
                on_layer(result)
            if options.fail_fast and result.verdict in FAILING:
                break
    stopped = bool(layers) and options.fail_fast and layers[-1].verdict in FAILING
    return CheckResult(
        model=ModelInfo(graph.path, graph.format, graph.keras_version, graph.backend, graph.sha256),
        layers=tuple(layers),
        plain=None if stopped or not runs.shadows else plain_result(graph, trace, runs, layers),
        environment=trace.environment,
        input={},
        partial=stopped or len(selected) < len(graph.nodes) - len(graph.inputs),
        policy=options.policy,
        notes=tuple(notes(graph, trace)),
        quantized=tuple(quantized(graph)),
    )


def run(graph: Graph, x: Given, *, engine: str = "numpy") -> Run:
    """The reference alone, chained from the model's input `x`, without a framework.

    Returns:
        a mapping from node name to the Enclosure of its first output; `.output` is the model's. `mid` holds the values;
        the radii are those of the layer's own rounding, given the reference's own inputs to it.

    Raises:
        UnreadableModel: a layer has no reference.
    """
    return run_alone(graph, draw_inputs(graph, x, Options()), Context(engines.get(engine)))


def _layer(
    node: Node, call: Call | None, trace: Trace, runs: Runs, context: Context, options: Options, wanted: bool
) -> LayerResult:
    """One node's result; the runs get the reference's own values, or the framework's where there is no reference."""
    started = time.perf_counter()
    got = tuple(trace.tensors[key] for key in call.outputs) if call else ()
    own = runs.chain.inputs(node)
    result = LayerResult(node.index, node.name, node.layer, node.type, Verdict.UNVERIFIED, nondeterministic=draws(node))
    if node.attrs is None:
        runs.put(node, got)
        return replace(result, reason=node.reason or "no reference for this layer")
    weights, alone = weights_of(node), replace(context, need=Need.VALUES)
    values = mids(forward(node, weights.applied, own, alone)) if own is not None else got
    runs.chain.put(node, values)
    chained_seconds = time.perf_counter() - started
    declared = declare(node, trace.environment, options.mode, options.arithmetic)
    judged = judge_call(node, call if wanted else None, weights, declared, trace, context)
    isolated_seconds = time.perf_counter() - started - chained_seconds
    sigma = judged.sigma or apart(values, got)
    for shadow in runs.shadows:
        shadow.step(node, weights.applied, alone, sigma)
    result = replace(result, verdict=judged.verdict, reason=judged.reason)
    if call is None or not judged.outputs:
        return result
    result = replace(
        result,
        outputs=judged.outputs,
        weights=judged.weights,
        arithmetic=declared.name,
        chained=drift(values, got) if own is not None else None,
        seconds={"chained": chained_seconds, "isolated": isolated_seconds, "framework": call.seconds},
    )
    if not options.power:
        return result
    seen = seen_of(node, call, trace)
    return with_power(result, node, weights, seen.inputs, got, seen.steps, context, judged.candidates)
