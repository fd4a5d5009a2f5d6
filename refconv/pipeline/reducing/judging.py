"""Does a case still fail in the framework, and in the same way? All cases are asked of one worker."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from refconv.compare.declared import SINGLE, declare
from refconv.compare.operands import prepare
from refconv.compare.recorded import judge_call
from refconv.compare.stage1 import deviate
from refconv.diagnose.engine import diagnose
from refconv.errors import RefconvError
from refconv.formats.writer import ENDINGS, Written, write
from refconv.frameworks import Stream
from refconv.graph import Graph, Node
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure
from refconv.ops.base import Context
from refconv.pipeline.calls import Calls
from refconv.pipeline.diagnosing import question_of
from refconv.pipeline.options import Options
from refconv.pipeline.reducing.case import Case, Inputs
from refconv.reference.forward import forward, weights_of
from refconv.result import FAILING, LayerResult, Verdict
from refconv.trace import Call, Trace

RIGHT = "it computes what it should"
ONLY_RECORDED = "it fails only where it is recorded, and `predict` shows nothing"
Run = Callable[[Written, Sequence[np.ndarray]], Stream]


@dataclass(frozen=True)
class Fault:
    """What has to stay the same while a case shrinks.

    Attributes:
        verdict: of the layer.
        codes: rules of which each alone explains it; empty where none does, and then none may explain a smaller case.
    """

    verdict: Verdict
    codes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Form:
    """How a case is written: the spelling of which Keras, and the backend that the file says wrote it."""

    keras: int
    backend: str = "tensorflow"

    @property
    def ending(self) -> str:
        return ENDINGS[self.keras]


@dataclass(frozen=True)
class Outcome:
    """A case as the framework computed it.

    Attributes:
        got: what `predict` gave, nothing recorded.
        expected, allowed: the reference's first output, and how far a conforming execution may be off.
        result: the layer judged by what was recorded, on its effective weights.
    """

    case: Case
    got: np.ndarray
    expected: np.ndarray
    allowed: np.ndarray
    result: LayerResult
    fault: Fault
    environment: dict[str, Any] = field(default_factory=dict)

    @property
    def index(self) -> tuple[int, ...]:
        """The element that is farthest outside what is allowed."""
        return worst(self.got, self.expected, self.allowed)


class Judge(Protocol):
    """Runs a case; None where it cannot be computed or run, or `predict` shows nothing wrong."""

    def __call__(self, case: Case) -> Outcome | None: ...


@dataclass(frozen=True)
class Framework:
    """Judges by one worker.

    Attributes:
        run: starts a job of the worker: what was written, inputs → its stream.
        like: the model that the layer is from.
        folder: where candidates are written.
    """

    run: Run
    like: Graph
    form: Form
    options: Options
    context: Context
    folder: Path

    def __call__(self, case: Case) -> Outcome | None:
        found = self.told(case)
        return found if isinstance(found, Outcome) else None

    def told(self, case: Case) -> Outcome | str:
        """The outcome, or in words why there is none."""
        try:
            return self._judged(case)
        except RefconvError as error:
            return str(error)

    def _judged(self, case: Case) -> Outcome | str:
        graph = case.graph(self.like)
        node = graph.nodes[-1]
        enclosed(node, case.inputs, {}, self.options, self.context)  # before a run is wasted
        path = Path(tempfile.mkstemp(suffix=self.form.ending, dir=self.folder)[1])
        try:
            written = write(graph, path, keras=self.form.keras, backend=self.form.backend)
            stream = self.run(written, case.inputs)
            trace = stream.all()
        finally:
            path.unlink(missing_ok=True)
        call = Calls(graph, stream).of(node)
        if call is None or not trace.plain or stream.failure:
            return str(stream.failure or "the framework gave no output")
        declared = declare(node, trace.environment, self.options.mode, self.options.arithmetic)
        judged = judge_call(node, call, weights_of(node), declared, trace, self.context)
        if judged.verdict not in FAILING:
            return RIGHT
        enclosure, arithmetic = enclosed(node, case.inputs, trace.environment, self.options, self.context)
        got, mismatch = trace.plain[0], judged.verdict is Verdict.MISMATCH
        allowed = allowance(enclosure, got, arithmetic, hard=mismatch)
        if not outside(got, enclosure.mid, allowed).any():
            return ONLY_RECORDED
        result = LayerResult(
            *(node.index, node.name, node.layer, node.type, judged.verdict, judged.outputs),
            weights=judged.weights,
            reason=judged.reason,
            arithmetic=declared.name,
        )
        codes = explaining(node, call, trace, graph, self.options, self.context)
        fault = Fault(judged.verdict, codes)
        return Outcome(case, got, enclosure.mid, allowed, result, fault, dict(trace.environment))


def enclosed(
    node: Node, inputs: Inputs, environment: dict[str, Any], options: Options, context: Context
) -> tuple[Enclosure, Arithmetic]:
    """The layer's first output as the model says, and the arithmetic that bounds it.

    Raises:
        UnreadableModel: it cannot be computed.
    """
    declared = declare(node, environment, options.mode, options.arithmetic)
    arithmetic = declared.candidates[0] if declared.candidates else SINGLE
    weights, values = prepare(node, weights_of(node).applied, inputs, arithmetic)
    return forward(node, weights, values, replace(context, arithmetic=arithmetic))[0], arithmetic


def allowance(enclosure: Enclosure, got: np.ndarray, arithmetic: Arithmetic, *, hard: bool) -> np.ndarray:
    """How far each element may be off: to the limit that no conforming execution leaves, or to the probable one.

    Where a quantizer may give a neighbour of the nearest value, that one is within too.
    """
    if got.shape != enclosure.mid.shape:
        return np.zeros(enclosure.mid.shape)
    deviation = deviate(enclosure, got, arithmetic.format)
    radius = deviation.limit if hard else deviation.probable
    size = np.abs(enclosure.mid).astype(np.float32)
    rounding = np.where(size > 0, np.spacing(size).astype(np.float64) / 2, 0.0)
    allowed = np.maximum(np.broadcast_to(radius, got.shape), rounding)  # the nearest float32 is right in any case
    return np.where(np.isfinite(allowed), allowed, 0.0)


def outside(got: np.ndarray, expected: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Where `got` is wrong, as the script that repeats it asks; everywhere, where it has another shape."""
    if got.shape != expected.shape:
        return np.ones(expected.shape, bool)
    values = got.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return ~(
            (np.abs(values - expected) <= allowed) | (values == expected) | (np.isnan(values) & np.isnan(expected))
        )


def worst(got: np.ndarray, expected: np.ndarray, allowed: np.ndarray) -> tuple[int, ...]:
    if got.shape != expected.shape or not got.size:
        return (0,) * expected.ndim
    wrong = outside(got, expected, allowed)
    with np.errstate(all="ignore"):
        error = np.nan_to_num(np.abs(got.astype(np.float64) - expected), nan=np.inf, posinf=np.inf)
    return tuple(map(int, np.unravel_index(int(np.argmax(np.where(wrong, error, -1.0))), got.shape)))


def explaining(
    node: Node, call: Call, trace: Trace, graph: Graph, options: Options, context: Context
) -> frozenset[str]:
    """Codes of the rules of which each alone explains what the framework gave."""
    try:
        found = diagnose(question_of(node, call, trace, graph, options), context, seconds=0.0)
    except RefconvError:
        return frozenset()
    return frozenset(one.rules[0].code for one in found.found if len(one.rules) == 1)


def same_fault(fault: Fault, other: Fault) -> bool:
    """Whether `other` is no other fault: the same verdict, and explained by nothing that did not explain the first."""
    if other.verdict is not fault.verdict:
        return False
    return other.codes <= fault.codes and bool(other.codes) == bool(fault.codes)
