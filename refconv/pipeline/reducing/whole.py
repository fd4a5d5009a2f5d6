"""reduce(): a model checked, and its first failing layer made small."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from refconv import frameworks
from refconv.compare.declared import declare
from refconv.compare.recorded import judge_call, seen_of
from refconv.errors import BadInput, FrameworkError, RefconvError
from refconv.formats.source import Source
from refconv.formats.writer import Written
from refconv.graph import Graph, Node, Ref
from refconv.ops.registered import Custom
from refconv.pipeline.by_hand import beside
from refconv.pipeline.calls import Calls
from refconv.pipeline.code import trusted_files
from refconv.pipeline.model import checked
from refconv.pipeline.options import Given, OnLayer, Options, Progress, silent
from refconv.pipeline.reducing.case import Inputs, case_of
from refconv.pipeline.reducing.judging import Form, Framework, Outcome, outside, worst
from refconv.pipeline.reducing.pieces import Computed, Piece, Pieces, expectation, smallest
from refconv.pipeline.reducing.result import Reduced, Saved
from refconv.pipeline.reducing.shrinking import Shrinking, described
from refconv.pipeline.reducing.values import simplify
from refconv.pipeline.running import manner
from refconv.pipeline.slices import Slices
from refconv.reference.forward import weights_of
from refconv.reference.masks import MASK
from refconv.result import FAILING, CheckResult, LayerResult, Verdict
from refconv.trace import Call, Trace

SECONDS = 60.0  # the default of how long smaller cases are looked for
NO_SCRIPT = "no case of it could be saved: run `refconv check` on the whole model"
TREND = "all its errors lie in one direction, and none alone leaves its bound: no smaller case would show it"
ALONE = "the layer by itself, in a file of its own"


@dataclass(frozen=True)
class Failing:
    """The first layer that fails, and what the framework's call of it took."""

    node: Node
    inputs: Inputs
    result: LayerResult


def reduce(
    path: str | Path,
    inputs: Given = None,
    *,
    seconds: float = SECONDS,
    options: Options | None = None,
    progress: Progress = silent,
    on_layer: OnLayer | None = None,
    source: Source | None = None,
    **overrides: Any,
) -> Reduced:
    """Check a model, and make the first layer that fails as small as it can be while it fails in the same way.

    Args:
        path, inputs: as of `check`.
        seconds: for how long smaller cases are tried, once the check has found the layer.
        options: see Options; any of its fields may be given as a keyword instead.
        source: what `formats.accept` gave for `path`, where that was called before.

    Raises:
        UnreadableModel, BadInput, FrameworkError: see `refconv.errors`.
    """
    started = time.perf_counter()
    options = replace(options or Options(), **overrides)
    if not options.framework:
        raise BadInput("only a framework shows what fails in it", where="--no-framework")
    if options.trace:
        raise BadInput("a trace cannot be run again, and smaller", where="option trace")
    options = replace(options, fail_fast=True, power=False, thorough=False, spread=False)
    failing: list[Failing] = []
    found: list[Reduced] = []

    def keep(node: Node, call: Call, trace: Trace, result: LayerResult) -> None:
        failing.append(Failing(node, seen_of(node, call, trace).inputs, result))

    def search(worker: frameworks.Worker, slices: Slices, result: CheckResult) -> None:
        if result.verdict == "fail":
            with suppress(FrameworkError):  # a worker that is lost is noticed by the next job
                while slices.source.following():
                    pass
            reducing = Reducing(worker, slices, seconds, progress)
            found.append(reducing.run(failing[0] if failing else None, result))

    result = checked(source or path, inputs, options, {}, progress, on_layer, on_failure=keep, after=search)
    reduced = found[0] if found else Reduced(result)
    return replace(reduced, check=result, seconds=time.perf_counter() - started)


class Reducing:
    """One model's search, by the worker that has just checked it."""

    def __init__(self, worker: frameworks.Worker, slices: Slices, seconds: float, progress: Progress) -> None:
        self._worker, self._slices, self._progress = worker, slices, progress
        self._options, self._context = slices.options, replace(slices.context, seeded=False)
        graph = slices.graph
        self._graph, self._code = graph, trusted_files(slices.options.trust_code)
        how = self._options
        self._keras = frameworks.keras_for(graph.keras, how.keras, how.backend, qkeras=graph.qkeras)
        self._deadline = time.monotonic() + seconds
        self._why: list[str] = []  # what was tried first, and did not fail

    def run(self, failing: Failing | None, result: CheckResult) -> Reduced:
        with tempfile.TemporaryDirectory(prefix="refconv-") as folder:
            if failing is None:
                return self._fused(result, Path(folder))
            if _only_a_trend(failing.result):
                return Reduced(result, failing.result, notes=(TREND,))
            return self._layer(failing, result, Path(folder)) or self._around(failing, result, Path(folder))

    def _forms(self) -> Iterator[Form]:
        """As this Keras writes a file; then with what the model's own file has of its own."""
        yield Form(self._keras)
        own = Form(self._graph.keras, self._graph.backend)
        if own != Form(self._keras) and not self._options.rebuild:
            yield own

    def _job(self, written: Written, inputs: Sequence[np.ndarray], architecture: str = "") -> frameworks.Stream:
        how = manner(self._graph, self._options, self._code)
        return self._worker.stream(written.path, inputs, names=written.names, architecture=architecture, **how)

    def _layer(self, failing: Failing, result: CheckResult, folder: Path) -> Reduced | None:
        """The layer by itself, reduced; None where it fails in no form."""
        for form in self._forms():
            judge = Framework(self._job, self._graph, form, self._options, self._context, folder)
            self._progress(f"reducing {failing.node.name}: by itself", None)
            try:
                case = case_of(failing.node, failing.inputs, form.keras, understood=self._options.rebuild)
            except RefconvError as error:
                self._why.append(f"{ALONE}: {error}")
                continue
            found = judge.told(case)
            start = found if isinstance(found, str) else _begun(found, failing.result)
            if isinstance(start, str):
                self._why.append(f"{ALONE}: {start}")
            else:
                search = Shrinking(judge, start, self._deadline, self._progress)
                search.sizes()
                simplify(search)
                search.sizes()
                return self._reduced(failing, result, form, start, search)
        return None

    def _reduced(self, failing: Failing, result: CheckResult, form: Form, start: Outcome, search: Shrinking) -> Reduced:
        best = search.best
        graph = best.case.graph(self._graph)
        node, pixel = graph.nodes[-1], None
        with suppress(RefconvError):  # not every kind can be shown
            pixel = beside(graph, node, best.case.inputs, best.got, best.index, best.environment, self._context)
        saved = self._saved(graph, form, best.case.inputs, best.got, best.expected, best.allowed, best.environment)
        notes = []
        if form.backend != "tensorflow":
            notes.append(
                f"the file says that it was written on {form.backend}, and holds kernels as that stores them: "
                "written anew without that, the layer is right"
            )
        return Reduced(
            result,
            failing.result,
            saved,
            reduced=replace(best.result, name=failing.result.name, path=failing.result.path),
            before=start.case.elements,
            after=best.case.elements,
            sizes=(described(start.case), described(best.case)),
            pixel=pixel,
            notes=tuple(notes),
            cases=search.cases,
            complete=search.spent.complete,
        )

    def _saved(
        self,
        graph: Graph | None,
        form: Form,
        inputs: Inputs,
        got: np.ndarray,
        expected: np.ndarray,
        allowed: np.ndarray,
        environment: dict[str, Any],
        at: str = "",
    ) -> Saved:
        inside = self._graph if graph is None else graph
        own = [node for node in inside.nodes if isinstance(node.attrs, Custom) or _own(node)]
        names = tuple(dict.fromkeys(node.origin.class_name for node in own))
        return Saved(
            graph,
            self._graph.path,
            self._keras,
            form.keras,
            form.backend,
            self._options.mode,
            inputs,
            got,
            expected,
            allowed,
            worst(got, expected, allowed),
            environment,
            tuple(Path(file) for file in self._code),
            names,
            inside.qkeras,
            at,
        )

    def _around(self, failing: Failing, result: CheckResult, folder: Path) -> Reduced:
        """The layer is right by itself: with the layers before it, or in the file itself."""
        notes = list(dict.fromkeys(self._why))
        if (again := self._again(failing)) is not None:
            notes.append(again)
        for form in self._forms():
            self._progress(f"reducing {failing.node.name}: with the layers before it", None)
            pieces = Pieces(self._job, form, self._options, self._context, folder, failing.result.verdict)
            with suppress(RefconvError):
                found = smallest(pieces, self._graph, failing.node, self._slices.arrays, alone=False)
                if found is not None:
                    return self._part(found, form, failing.result, result, notes)
        return self._whole(failing, result, notes)

    def _again(self, failing: Failing) -> str | None:
        """Says so where the layer is right when the model runs once more."""
        if self._options.rebuild:
            return None
        judged = self._judged_in_file(failing.node, self._slices.arrays)[1]
        if judged in FAILING or judged is Verdict.UNVERIFIED:
            return None
        return f"run once more, it is {judged.value}: it is not deterministic"

    def _judged_in_file(self, node: Node, arrays: Sequence[np.ndarray]) -> tuple[Trace, Verdict, np.ndarray | None]:
        """The user's file run again: what the framework sent, the node's verdict, and its first output."""
        stream = self._job(Written(Path(self._graph.path), {}), arrays, self._options.architecture)
        trace = stream.all()
        call = Calls(self._graph, stream).of(node)
        declared = declare(node, trace.environment, self._options.mode, self._options.arithmetic)
        judged = judge_call(node, call, weights_of(node), declared, trace, self._context)
        return trace, judged.verdict, trace.tensors[call.outputs[0]] if call else None

    def _part(
        self, found: Computed, form: Form, layer: LayerResult | None, result: CheckResult, notes: list[str]
    ) -> Reduced:
        size = found.piece.layers
        names = ", ".join(node.name for node in found.piece.graph.nodes if node.index not in found.piece.graph.inputs)
        notes.append(f"it fails with what is kept here: {size} {'layer' if size == 1 else 'layers'} ({names})")
        saved = self._saved(
            found.piece.graph, form, found.piece.arrays, found.got, found.expected, found.allowed, found.environment
        )
        return Reduced(result, layer, saved, "part", notes=tuple(notes))

    def _whole(self, failing: Failing, result: CheckResult, notes: list[str]) -> Reduced:
        """The user's own file, on one sample if that is enough."""
        with suppress(RefconvError):
            for arrays in self._fewer():
                if (case := self._in_file(failing, arrays)) is not None:
                    notes.append("it fails only in the model's own file, which is kept as it is")
                    return Reduced(result, failing.result, case, "model", notes=tuple(notes))
        return Reduced(result, failing.result, None, "model", notes=(*notes, NO_SCRIPT))

    def _fewer(self) -> Iterator[Inputs]:
        arrays = tuple(self._slices.arrays)
        fixed = any(spec.shape and spec.shape[0] is not None for spec in self._graph.specs)
        if min(map(len, arrays)) > 1 and not fixed:
            yield tuple(x[:1] for x in arrays)
        yield arrays

    def _in_file(self, failing: Failing, arrays: Inputs) -> Saved | None:
        """None where the layer does not fail so, or no script can take its output."""
        node, graph = failing.node, self._graph
        alone = len(graph.outputs) == 1 and graph.outputs[0] == Ref(node.index)
        if (
            self._options.architecture
            or self._options.rebuild
            or not (alone or ("/" not in node.layer and node.call == 0))
        ):
            return None
        if any(graph.nodes[index].type == MASK for index in graph.inputs):
            return None
        trace, verdict, recorded = self._judged_in_file(node, arrays)
        got = trace.plain[0] if alone and trace.plain else recorded
        if verdict is not failing.result.verdict or got is None:
            return None
        environment = dict(trace.environment)
        found = Piece(graph, arrays, node)
        expected, allowed = expectation(found, environment, self._options, self._context, got)
        if not outside(got, expected, allowed).any():
            return None
        form = Form(graph.keras, graph.backend)
        return self._saved(None, form, arrays, got, expected, allowed, environment, "" if alone else node.layer)

    def _fused(self, result: CheckResult, folder: Path) -> Reduced:
        """Every layer is right when it is recorded, and `predict` differs."""
        notes = ["every layer is right where it is recorded: only the graph that `predict` fuses is wrong"]
        for form in self._forms():
            for ref in self._graph.outputs:
                target = self._graph.nodes[ref.node]
                pieces = Pieces(self._job, form, self._options, self._context, folder, None)
                with suppress(RefconvError):
                    found = smallest(pieces, self._graph, target, self._slices.arrays, alone=True)
                    if found is not None:
                        return self._part(found, form, None, result, notes)
        return Reduced(result, notes=tuple(notes), scope="model")


def _begun(start: Outcome, layer: LayerResult) -> Outcome | str:
    """The layer by itself as the case to begin with; or that it fails in another way than in the model."""
    if start.fault.verdict is not layer.verdict:
        return f"it is {start.fault.verdict.value}, and in the model it is {layer.verdict.value}"
    told = {finding.code for finding in layer.findings if not finding.code.startswith("RC9")}
    single = {code for code in told if "+" not in code}
    codes = start.fault.codes & single
    if bool(single) != bool(codes):
        return f"{' or '.join(sorted(single))} does not explain it any more"
    return replace(start, fault=replace(start.fault, codes=frozenset(codes)))


def _only_a_trend(layer: LayerResult) -> bool:
    """Whether some output fails, and no element of any alone."""
    wrong = [c for c in (*layer.outputs, *layer.weights.values()) if c.verdict in FAILING]
    return bool(wrong) and all(c.slope is not None and not c.failing for c in wrong)


def _own(node: Node) -> bool:
    """Whether its class is a user's, for which there is no reference."""
    said = str(node.origin.own.get("registered_name") or "")
    return node.attrs is None and (">" in node.origin.class_name or ">" in said)
