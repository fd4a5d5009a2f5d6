"""Plants every applicable fault into every layer of a model, and lets refconv and the other policies judge it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from support.live import capture_live, framework

from detection.baselines import Expected, magnitude_of, score_all
from detection.memo import Memo
from detection.models import Model
from detection.operators.base import Mutant, Operator
from detection.subject import Arrays, Subject, find_layer
from refconv.compare.declared import declare
from refconv.compare.layer import Judgement, judge
from refconv.compare.match import match
from refconv.compare.stage1 import deviate
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.moments import Need
from refconv.ops.base import Context
from refconv.pipeline import Options, draw_inputs
from refconv.primitives import engines
from refconv.reference.forward import forward, step_names, weights_of
from refconv.result import FAILING, Verdict

CLEAN = "none"  # the operator's name in the rows of faultless runs
Row = dict[str, Any]


@dataclass
class Measured:
    """A subject, what the clean layer gives, and the reference's answer for it."""

    subject: Subject
    context: Context
    original: Arrays = field(init=False)
    recorded: dict[str, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        self.original, self.recorded = self.subject.run(), self.subject.effective()
        self._expected = self._expect(self.subject.inputs)

    def row(self, mutant: Mutant) -> Row:
        """Verdict, scores and distances of one mutant (of the clean layer itself too)."""
        s = self.subject
        inputs = mutant.inputs or s.inputs
        original = mutant.original or self.original
        recorded = self.recorded if mutant.recorded is None else mutant.recorded
        judged = judge(s.node, s.weights, recorded, inputs, mutant.outputs, self.context, s.declared)
        enclosures, expected = self._expected if mutant.inputs is None else self._expect(inputs)
        if mutant.recorded and not _weights_found(judged):  # near a tie other codes are right too, and other outputs
            enclosures = self._enclose({**s.weights.applied, **recorded}, inputs)
        return {
            "equivalent": _same_bits(original, mutant.outputs),
            "signed_zero": _same_values(original, mutant.outputs),
            "verdict": judged.verdict.value,
            "found": judged.verdict in FAILING,
            **_use(judged),
            "ratio": _ratio(enclosures, mutant.outputs),
            "scores": _scores(expected, mutant.outputs),
        }

    def _expect(self, inputs: Arrays) -> tuple[Sequence[Enclosure], list[Expected]]:
        s, applied = self.subject, self.subject.weights.applied
        enclosures = self._enclose(applied, inputs)
        dot = magnitude_of(s.node, applied, inputs, self.context)
        magnitude, terms = dot or (None, 0)
        biased = "bias" in applied
        return enclosures, [Expected(_as_float32(e.mid), magnitude, terms, biased) for e in enclosures]

    def _enclose(self, weights: Mapping[str, np.ndarray], inputs: Arrays) -> Sequence[Enclosure]:
        return forward(self.subject.node, weights, inputs, replace(self.context, need=Need.WORST))


def measure(
    model: Model, operators: Sequence[Operator], *, seed: int, mode: str, samples: int, layers: int | None = None
) -> Iterator[Row]:
    """One row per clean layer and per mutant; `layers` limits how many layers of one type are taken."""
    memo = Memo(engines.get("numpy"))
    taken: dict[str, int] = {}
    for subject in subjects(model, seed=seed, mode=mode, samples=samples):
        memo.forget()
        node = subject.node
        taken[node.type] = taken.get(node.type, 0) + 1
        if layers is not None and taken[node.type] > layers:
            continue
        where = {"model": model.label, "layer": node.name, "type": node.type, "seed": seed, "mode": mode}
        measured = Measured(subject, Context(memo, seeded=True))
        clean = Mutant(measured.original, measured.recorded)
        yield {**where, "operator": CLEAN, "scope": "", "size": 0.0, **measured.row(clean)}
        for operator in operators:
            if node.type in operator.types:
                for row in _sizes(measured, operator, seed):
                    yield {**where, "operator": operator.name, "scope": operator.scope.value, **row}


def _sizes(measured: Measured, operator: Operator, seed: int) -> Iterator[Row]:
    s = measured.subject
    for size in operator.sizes:
        rng = np.random.default_rng([seed, zlib.crc32(f"{s.node.name} {operator.name}".encode())])
        mutant = operator.make(s, size, rng)
        if mutant is not None:
            yield {"size": size, **measured.row(mutant)}


def subjects(model: Model, *, seed: int, mode: str, samples: int) -> Iterator[Subject]:
    """Every layer call of a clean run that the reference judges, with its live layer."""
    options, graph = Options(samples=samples, seed=seed, mode=mode), model.graph
    arrays = draw_inputs(graph, None, options)
    trace = capture_live(model.live, arrays, keras=graph.keras, mode=mode)
    calls = match(graph, trace)
    outputs = {i: trace.tensors[call.outputs[0]] for i, call in calls.items() if call.outputs}
    for node in graph.nodes:
        call = calls.get(node.index)
        layer = find_layer(model.live, node.layer)
        if call is None or layer is None or node.attrs is None or len(call.inputs) < len(node.inputs):
            continue
        declared = declare(node, trace.environment, mode)
        if declared.reason or step_names(node):  # what has steps is judged step by step, which one layer alone has not
            continue
        fed = tuple(trace.tensors[key] for key in call.inputs[: len(node.inputs)])
        nearest = sorted((i for i in outputs if i != node.index), key=lambda i: (abs(i - node.index), i))
        others = [outputs[i] for i in nearest]
        yield Subject(node, weights_of(node), layer, fed, framework(graph.keras), mode, others, declared)


def _use(judged: Judgement) -> Row:
    compared = [*judged.outputs, *judged.weights.values()]
    return {
        "bound_used": max((c.bound_used for c in compared), default=float("inf")),
        "explained": sum(c.explained for c in judged.outputs),
        "sloped": any(c.slope is not None for c in judged.outputs),
        "weights_found": _weights_found(judged),
    }


def _weights_found(judged: Judgement) -> bool:
    return any(c.verdict in FAILING for c in judged.weights.values())


def _ratio(enclosures: Sequence[Enclosure], got: Arrays) -> float:
    """The largest deviation in units of the worst-case radius; infinite where that is 0 or nothing is comparable."""
    if [e.mid.shape for e in enclosures] != [g.shape for g in got]:
        return float("inf")
    largest = 0.0
    with np.errstate(all="ignore"):
        for enclosure, array in zip(enclosures, got, strict=True):
            deviation = deviate(enclosure, array)
            share = np.where(deviation.error > 0, deviation.error / deviation.limit, 0.0)
            largest = max(largest, float(np.max(share, initial=0.0)))
    return largest


def _scores(expected: Sequence[Expected], got: Arrays) -> dict[str, float | None]:
    """Policy → its largest score over the outputs."""
    each = [score_all(e, g) for e, g in zip(expected, got, strict=True)]
    known = {name: [s[name] for s in each if s[name] is not None] for name in each[0]}
    return {name: max(scores, default=None) for name, scores in known.items()}  # type: ignore[type-var]


def _as_float32(mid: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return mid.astype(np.float32) if mid.dtype.kind == "f" else mid


def _same_bits(a: Arrays, b: Arrays) -> bool:
    pairs = zip(a, b, strict=True)
    return all(x.shape == y.shape and x.dtype == y.dtype and x.tobytes() == y.tobytes() for x, y in pairs)


def _same_values(a: Arrays, b: Arrays) -> bool:
    """The same but for the signs of zeros (and the payloads of NaN)."""
    return all(x.shape == y.shape and np.array_equal(x, y, equal_nan=True) for x, y in zip(a, b, strict=True))


def is_alarm(verdict: str) -> bool:
    """Whether a verdict on a faultless layer is a false alarm; `unverified` is no agreement either."""
    return verdict in FAILING or verdict == Verdict.UNVERIFIED
