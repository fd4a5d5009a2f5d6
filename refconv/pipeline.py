"""check() and run(): the only module that names every stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from refconv import formats, frameworks
from refconv import inputs as model_inputs
from refconv.compare.declared import NAMED, Declared, declare
from refconv.compare.drift import apart, drift
from refconv.compare.layer import Judgement, judge
from refconv.compare.match import match
from refconv.compare.plain import judge_plain
from refconv.compare.power import with_power
from refconv.compare.probe import NOTE, attach, judge_probe
from refconv.errors import BadInput, UnreadableModel
from refconv.graph import Graph, Node
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.moments import Need
from refconv.ops.base import Context
from refconv.ops.slots import in_words, quantizers
from refconv.ops.table import TABLE
from refconv.primitives import engines
from refconv.reference.chained import Chain, mids
from refconv.reference.forward import NodeWeights, forward, weights_of
from refconv.reference.ranges import index_ranges
from refconv.reference.shadow import Shadow
from refconv.result import FAILING, CheckResult, LayerResult, ModelInfo, PlainResult, Policy, QuantizedLayer, Verdict
from refconv.trace import Call, Trace, accelerator

Given = None | np.ndarray | model_inputs.Source | Sequence[Any] | Mapping[str, Any]
Progress = Callable[[str, float | None], None]
SHADOWS = 2  # runs of the reference with errors drawn, beside which `predict` is judged

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
    engine: str = "numba"
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
    _refuse_code(graph)
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
    shadows = tuple(Shadow(graph, arrays, seed) for seed in range(SHADOWS)) if _has_plain(graph, trace) else ()
    runs = _Runs(Chain(graph, arrays), shadows)
    context = Context(engines.get(options.engine), seeded=seeded)
    layers: list[LayerResult] = []
    for node in graph.nodes:
        if node.index in graph.inputs:
            continue
        progress(f"verifying {node.name}", node.index / len(graph.nodes))
        wanted = node.index in selected
        result = _layer(node, calls.get(node.index), trace, runs, context, options, wanted)
        if wanted:
            result = _probed(node, result, calls.get(node.index), trace, context)
            layers.append(result)
            if on_layer:
                on_layer(result)
            if options.fail_fast and result.verdict in FAILING:
                break
    stopped = bool(layers) and options.fail_fast and layers[-1].verdict in FAILING
    return CheckResult(
        model=ModelInfo(graph.path, graph.format, graph.keras_version, graph.backend, graph.sha256),
        layers=tuple(layers),
        plain=None if stopped or not shadows else _plain(graph, trace, runs, layers),
        environment=trace.environment,
        input={},
        partial=stopped or len(selected) < len(graph.nodes) - len(graph.inputs),
        policy=options.policy,
        notes=(*graph.notes, *_notes(graph), *([NOTE] if trace.probes else [])),
        quantized=tuple(_quantized(graph)),
    )


def run(graph: Graph, x: Given, *, engine: str = "numba") -> Run:
    """The reference alone, chained from the model's input `x`, without a framework.

    Returns:
        a mapping from node name to the Enclosure of its first output; `.output` is the model's. `mid` holds the values;
        the radii are those of the layer's own rounding, given the reference's own inputs to it.

    Raises:
        UnreadableModel: a layer has no reference.
    """
    arrays = draw_inputs(graph, x, Options())
    chain, context = Chain(graph, arrays), Context(engines.get(engine))
    found: dict[str, Enclosure] = {}
    for node in graph.nodes:
        if node.index in graph.inputs:
            continue
        if node.attrs is None:
            raise UnreadableModel(node.reason or "no reference", where=f"layer {node.name}")
        enclosures = forward(node, weights_of(node).applied, chain.inputs(node) or (), context)
        chain.put(node, mids(enclosures))
        found[node.name] = enclosures[0]
    output = graph.nodes[graph.outputs[0].node].name
    return Run(found, found[output])


class Run(dict[str, Enclosure]):
    """Layer name → Enclosure; `output` is the model's first output."""

    def __init__(self, layers: Mapping[str, Enclosure], output: Enclosure) -> None:
        super().__init__(layers)
        self.output = output


def select(graph: Graph, globs: Sequence[str]) -> frozenset[int]:
    """Indices of the nodes whose name matches any glob; all of them without globs.

    Raises:
        BadInput: a glob matches no layer.
    """
    nodes = [n for n in graph.nodes if n.index not in graph.inputs]
    if not globs:
        return frozenset(n.index for n in nodes)
    for glob in globs:
        if not any(fnmatchcase(n.name, glob) for n in nodes):
            names = ", ".join(n.name for n in nodes[:5])
            raise BadInput(f"no layer matches {glob!r}", where="--layer", hint=f"the layers are {names}, …")
    return frozenset(n.index for n in nodes if any(fnmatchcase(n.name, glob) for glob in globs))


def _refuse_code(graph: Graph) -> None:
    for node in graph.nodes:
        if node.origin.class_name.split(">")[-1] == "Lambda":
            raise UnreadableModel(
                "a Lambda layer holds code from the file, which refconv does not run",
                where=f"{graph.path}: layer {node.name}",
                hint="save the model with the Lambda replaced by a layer",
            )


@dataclass(frozen=True)
class _Runs:
    """The reference on its own values, and as runs that round."""

    chain: Chain
    shadows: tuple[Shadow, ...]

    def put(self, node: Node, outputs: Sequence[np.ndarray]) -> None:
        """Go on with the framework's outputs of a layer without a reference."""
        self.chain.put(node, outputs)
        for shadow in self.shadows:
            shadow.put(node, outputs)


def _layer(
    node: Node, call: Call | None, trace: Trace, runs: _Runs, context: Context, options: Options, wanted: bool
) -> LayerResult:
    """One node's result; the runs get the reference's own values, or the framework's where there is no reference."""
    started = time.perf_counter()
    got = tuple(trace.tensors[key] for key in call.outputs) if call else ()
    own = runs.chain.inputs(node)
    result = LayerResult(
        node.index, node.name, node.layer, node.type, Verdict.UNVERIFIED, nondeterministic=_draws(node)
    )
    if node.attrs is None:
        runs.put(node, got)
        return replace(result, reason=node.reason or "no reference for this layer")
    weights, alone = weights_of(node), replace(context, need=Need.VALUES)
    values = mids(forward(node, weights.applied, own, alone)) if own is not None else got
    runs.chain.put(node, values)
    chained_seconds = time.perf_counter() - started
    declared = declare(node, trace.environment, options.mode, options.arithmetic)
    judged = _judged(node, call if wanted else None, weights, declared, trace, context)
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
    seen, judging = _seen(node, call, trace), replace(context, arithmetic=declared.candidates[0])
    return with_power(result, node, weights, seen.inputs, got, seen.steps, judging)


def _judged(
    node: Node, call: Call | None, weights: NodeWeights, declared: Declared, trace: Trace, context: Context
) -> Judgement:
    """The layer on the framework's own inputs to it, or why that cannot be had."""
    if call is None:
        return Judgement(Verdict.UNVERIFIED, reason="the framework gave no output for this layer")
    if declared.reason:
        return Judgement(Verdict.UNVERIFIED, reason=declared.reason)
    if len(call.inputs) < len(node.inputs):
        return Judgement(Verdict.UNVERIFIED, reason="the framework's inputs to this layer could not be matched")
    seen = _seen(node, call, trace)
    return judge(node, weights, seen.weights, seen.inputs, seen.outputs, context, declared, seen.steps)


@dataclass(frozen=True)
class _Seen:
    """What the framework's call took, gave, multiplied by and left after its steps."""

    inputs: tuple[np.ndarray, ...]
    outputs: tuple[np.ndarray, ...]
    weights: Mapping[str, np.ndarray]
    steps: Mapping[str, np.ndarray]


def _seen(node: Node, call: Call, trace: Trace) -> _Seen:
    inputs, outputs = (
        tuple(trace.tensors[key] for key in keys) for keys in (call.inputs[: len(node.inputs)], call.outputs)
    )
    weights, steps = ({name: trace.tensors[key] for name, key in named} for named in (call.weights, call.steps))
    return _Seen(inputs, outputs, weights, steps)


def _probed(node: Node, result: LayerResult, call: Call | None, trace: Trace, context: Context) -> LayerResult:
    """The result with that of the layer's probe, where there is one for its path and input shape."""
    if node.attrs is None or call is None or not call.inputs:
        return result
    shape, gpu = trace.tensors[call.inputs[0]].shape, accelerator(trace.environment) is not None
    for probe in trace.probes:
        if (probe.layer, probe.shape) == (node.layer, shape):
            return attach(result, judge_probe(node, probe, trace.tensors, context, gpu=gpu))
    return result


def _draws(node: Node) -> bool:
    """Whether the framework draws random numbers in this layer at inference."""
    return node.attrs is not None and any(quantizer.random for quantizer in quantizers(node.attrs).values())


def _quantized(graph: Graph) -> Iterator[QuantizedLayer]:
    for node in graph.nodes:
        if node.attrs is not None and node.call == 0 and (said := in_words(node.attrs)):
            yield QuantizedLayer(node.layer, said)


def _notes(graph: Graph) -> Iterator[str]:
    for node in graph.nodes:
        if _draws(node):
            yield f"{node.name} draws numbers at every call, so predict has no one answer and is not judged"
        if node.attrs is not None and node.index not in graph.inputs and (note := TABLE[node.type].note):
            yield f"{node.name}: {note}"


def _has_plain(graph: Graph, trace: Trace) -> bool:
    """Whether there is an un-instrumented run, and one right answer to it."""
    return bool(trace.plain) and not any(map(_draws, graph.nodes))


def _plain(graph: Graph, trace: Trace, runs: _Runs, layers: Sequence[LayerResult]) -> PlainResult | None:
    reference, others = runs.chain.results(), [shadow.results() for shadow in runs.shadows]
    if reference is None:
        return None
    last = {ref.node for ref in graph.outputs}
    allowed = [c.worst.allowed for r in layers if r.index in last for c in r.outputs if c.worst and not c.name]
    rounding = [trace.outputs, *(other for other in others if other is not None)]
    return judge_plain(trace.plain, rounding, reference, slack=max(allowed, default=0.0))
