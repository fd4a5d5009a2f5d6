"""Loss and metrics of a model on labelled data, recomputed from the reference's predictions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from refconv import formats, frameworks
from refconv import inputs as model_inputs
from refconv.compare.remarks import draws
from refconv.errors import BadInput
from refconv.formats.refusals import refuse
from refconv.formats.training import read_training
from refconv.graph import Graph
from refconv.inputs.labelled import Labelled, read_labelled
from refconv.ops.base import Context
from refconv.pipeline.code import trusted_files
from refconv.pipeline.options import Options, Progress, silent
from refconv.primitives import engines
from refconv.reference.masks import with_known_masks
from refconv.reference.predict import Output, predict, without_reference
from refconv.scoring.compiled import Compiled, OutputTerms, by_output
from refconv.scoring.predictions import Predictions, Unsettled
from refconv.scoring.regularizers import penalty
from refconv.scoring.result import EvaluateResult, PredictionsResult
from refconv.scoring.scores import Framework, OutputData, readings, scores, unverified
from refconv.scoring.spread import Spread

MASKING = "the predictions may carry a mask, under which Keras leaves samples out"


def evaluate(
    path: str | Path,
    data: str | Path | Mapping[str, np.ndarray],
    *,
    loss: Any = None,
    metrics: Any = None,
    weighted_metrics: Any = None,
    loss_weights: Any = None,
    batch: int = 32,
    first: int | None = None,
    options: Options | None = None,
    progress: Progress = silent,
    **overrides: Any,
) -> EvaluateResult:
    """Compute loss and metrics from the reference's own predictions, beside the framework's `evaluate`.

    Args:
        path: a .h5, .hdf5 or .keras file.
        data: an .npz with x, y and, if there are, sample_weight and class_weight (x/NAME, y/NAME, sample_weight/NAME
            where there are several), a table whose last column is the label, or such arrays by key.
        loss, metrics, weighted_metrics, loss_weights: as `compile` takes them, names only; where neither loss nor
            metrics are given, what the file was compiled with.
        batch: samples per batch.
        first: how many samples to take; None for all.
        options: see Options; any of its fields may be given as a keyword instead.

    Raises:
        UnreadableModel, BadInput, FrameworkError: see `refconv.errors`.
    """
    started = time.perf_counter()
    options = replace(options or Options(), **overrides)
    progress("reading the model", None)
    given = {"loss": loss, "metrics": metrics, "weighted_metrics": weighted_metrics, "loss_weights": loss_weights}
    asked = _asked(path, data, given, batch, first, options)
    with frameworks.Worker(asked.keras) as worker:
        outputs, missing = _reference(asked.graph, asked.arrays, options, batch, progress)
        found = _framework(worker, asked, options, progress)
    each = [
        OutputData(name, _predictions(output), y, w, terms)
        for name, output, y, w, terms in zip(
            asked.names, outputs, asked.labelled.targets, asked.labelled.weights, asked.terms, strict=False
        )
    ]
    return replace(
        _judged(asked, each, missing, found, options),
        predictions=tuple(_beside(asked.names, outputs, found.predictions)),
        seconds=time.perf_counter() - started,
    )


@dataclass(frozen=True)
class _Asked:
    """An evaluation: the model, what it was compiled with, and the data, read and checked.

    Attributes:
        keras: the major version that runs it.
        names: of the outputs.
        terms: of the loss and the metrics, by output.
        arrays: the model's inputs, in its order.
    """

    graph: Graph
    keras: int
    code: tuple[str, ...]
    compiled: Compiled
    names: tuple[str, ...]
    terms: tuple[OutputTerms, ...]
    labelled: Labelled
    arrays: list[np.ndarray]
    batch: int


def _asked(
    path: str | Path,
    data: str | Path | Mapping[str, np.ndarray],
    given: Mapping[str, Any],
    batch: int,
    first: int | None,
    options: Options,
) -> _Asked:
    code = trusted_files(options.trust_code)
    source = formats.accept(path, options.architecture)
    refuse(source, trusted=bool(code))
    graph = formats.load(source)
    compiled, names = _compiled(graph, given, trusted=bool(code)), output_names(graph)
    terms = by_output(compiled, names)
    labelled = read_labelled(data, graph.specs, names, first)
    arrays = _inputs(graph, labelled, options)
    keras = graph.keras if options.keras == "auto" else int(options.keras)
    return _Asked(graph, keras, code, compiled, names, terms, labelled, arrays, batch)


def _framework(worker: frameworks.Worker, asked: _Asked, options: Options, progress: Progress) -> frameworks.Evaluation:
    graph = asked.graph
    return worker.evaluate(
        graph.path,
        asked.arrays,
        asked.labelled.targets,
        asked.labelled.weights,
        batch=asked.batch,
        compiled=asked.compiled.arguments,
        stored=asked.compiled.source == FROM_FILE,
        device=options.device,
        qkeras=graph.qkeras,
        code=asked.code,
        foreign=[stranger.name for stranger in graph.strangers],
        timeout=options.timeout,
        progress=progress,
    )


def _judged(
    asked: _Asked, each: Sequence[OutputData], missing: str, found: frameworks.Evaluation, options: Options
) -> EvaluateResult:
    """All but the predictions and the time; `missing` says why there is no reference, where there is none."""
    graph, keras, batch = asked.graph, asked.keras, asked.batch
    framework = Framework(found.values, found.reason, found.metrics)
    regularization = _regularization(graph, keras)
    judged = unverified(framework, missing) if missing else scores(each, regularization, framework, keras, batch)
    return EvaluateResult(
        path=graph.path,
        keras=keras,
        written_by=graph.keras_version,
        compiled_by=asked.compiled.source,
        samples=len(asked.arrays[0]),
        batch=batch,
        scores=judged,
        readings=readings(each, keras, batch, graph.keras_version),
        predictions=(),
        environment=found.environment,
        notes=tuple(_notes(graph, found, keras)),
        policy=options.policy,
    )


FROM_FILE, FROM_USER = "file", "options"


def _compiled(graph: Graph, given: Mapping[str, Any], *, trusted: bool) -> Compiled:
    if any(value is not None for value in given.values()):
        return Compiled(**given, source=FROM_USER)
    stored = read_training(graph.path, trusted=trusted)
    if not stored:
        what = "holds no loss and no metrics: the model was saved without being compiled"
        raise BadInput(what, where=graph.path, hint="give them with --loss and --metrics")
    return Compiled(**stored, source=FROM_FILE)


def _notes(graph: Graph, found: frameworks.Evaluation, keras: int) -> Iterator[str]:
    yield from graph.notes
    if found.refused:
        yield f"Keras {keras} cannot compile the model as the file says ({found.refused}): done anew, by the same names"
    if found.reason:
        yield f"Keras {keras} cannot evaluate the model: {found.reason}"


def output_names(graph: Graph) -> tuple[str, ...]:
    """As Keras calls them: by the layer, or the nested model, that gives each."""
    names = [graph.nodes[ref.node].layer.split("/")[0] for ref in graph.outputs]
    return tuple(n if names.count(n) == 1 else f"{n}_{names[:i].count(n)}" for i, n in enumerate(names))


def _inputs(graph: Graph, labelled: Labelled, options: Options) -> list[np.ndarray]:
    """In the model's order, checked.

    Raises:
        BadInput: an array does not fit its input, or targets and samples are not as many.
    """
    arrays = model_inputs.prepare(
        graph.specs,
        labelled.inputs,
        samples=options.samples,
        seed=options.seed,
        shapes=options.shapes,
        preprocess=options.preprocess,
    )
    for y in (*labelled.targets, *labelled.weights):
        if y is not None and len(y) != len(arrays[0]):
            raise BadInput(f"{len(arrays[0])} samples, and targets or weights of {len(y)}", where="the data")
    return arrays


def _reference(
    graph: Graph, arrays: Sequence[np.ndarray], options: Options, batch: int, progress: Progress
) -> tuple[tuple[Output, ...], str]:
    """The reference's outputs, or none and why."""
    left, known = with_known_masks(graph, arrays)
    if node := next(without_reference(left), None):
        return (), f"layer {node.name} has no reference: {node.reason or 'unknown class'}"
    if node := next(filter(draws, left.nodes), None):
        return (), f"layer {node.name} draws numbers at every call"
    found = predict(left, known, Context(engines.get(options.engine)), batch, progress)
    masked = any(node.type == "Masking" or node.origin.config.get("mask_zero") for node in graph.nodes)
    return ((), MASKING) if masked and any(output.values.ndim > 2 for output in found) else (found, "")


def _predictions(output: Output) -> Predictions:
    return Predictions(output.values, output.radius, output.squash, output.logits, output.reach)


def _regularization(graph: Graph, keras: int) -> Spread | Unsettled:
    try:
        return penalty(graph, keras)
    except Unsettled as unsettled:
        return unsettled


def _beside(names: Sequence[str], outputs: Sequence[Output], got: Sequence[np.ndarray]) -> list[PredictionsResult]:
    """The framework's predictions; of the element that used most of what its sample allows, how much."""
    found = []
    for name, output, array in zip(names, outputs, got, strict=False):
        apart, allowed = np.array([np.inf]), np.zeros(1)
        if array.shape == output.values.shape:
            with np.errstate(all="ignore"):
                apart = np.abs(array.astype(np.float64) - output.values)
            same = (np.isnan(array) & np.isnan(output.values)) | (array == output.values)
            apart = np.where(same, 0.0, np.nan_to_num(apart, nan=np.inf))
            allowed = np.broadcast_to(output.radius, apart.shape)
        with np.errstate(all="ignore"):
            used = np.where(apart == 0, 0.0, apart / allowed)
        largest, most = float(np.max(apart, initial=0.0)), float(np.max(used, initial=0.0))
        found.append(PredictionsResult(name, tuple(array.shape), largest, most))
    return found
