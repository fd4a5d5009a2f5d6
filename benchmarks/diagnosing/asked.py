"""One planted fault asked of the rules, as `check` would ask."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from detection.measure import subjects
from detection.memo import Memo
from detection.models import Model
from detection.operators.base import Mutant, Operator
from detection.subject import Subject

from diagnosing.described import NEIGHBOURS, stale, true_rule
from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.engine import Diagnosis, diagnose
from refconv.diagnose.observation import Observation
from refconv.diagnose.rule import Question
from refconv.graph import Graph
from refconv.numerics.moments import Need
from refconv.ops.base import Context
from refconv.primitives import engines

CLEAN = "none"
Row = dict[str, Any]


def ask(
    model: Model,
    operators: Sequence[tuple[Operator, str]],
    *,
    seed: int,
    mode: str,
    samples: int,
    layers: int | None = None,
) -> Iterator[Row]:
    """One row per clean layer and per fault that changes a bit; `layers` limits how many of one type are taken."""
    memo, taken = Memo(engines.get("numba")), dict[str, int]()
    context = Context(memo, seeded=True)  # type: ignore[arg-type]
    for subject in subjects(model, seed=seed, mode=mode, samples=samples):
        memo.forget()
        kind = subject.node.type
        taken[kind] = taken.get(kind, 0) + 1
        if layers is not None and taken[kind] > layers:
            continue
        original = subject.run()
        where = {"model": model.label, "layer": subject.node.name, "type": kind, "seed": seed}
        clean = Mutant(original, subject.effective())
        yield {**where, "operator": CLEAN, "truth": "", **_row(subject, clean, model.graph, context, "")}
        _remember(subject, model.graph)
        for operator, code in operators:
            truth = true_rule(code, subject)
            if kind not in operator.types or truth is None:
                continue
            rng = np.random.default_rng([seed, zlib.crc32(f"{subject.node.name} {operator.name}".encode())])
            mutant = operator.make(subject, operator.sizes[0], rng)
            if mutant is None or _same(mutant.original or original, mutant.outputs, mutant, subject):
                continue
            row = _row(subject, mutant, model.graph, context, truth)
            yield {**where, "operator": operator.name, "truth": truth, **row}


def _remember(s: Subject, graph: Graph) -> None:
    others = sorted(graph.nodes, key=lambda node: abs(node.index - s.node.index))
    held = [n.weights["bias"] for n in others if n.layer != s.node.layer and "bias" in n.weights]
    NEIGHBOURS[s.node.index] = [w.value for w in held]


def _same(a: Sequence[np.ndarray], b: Sequence[np.ndarray], mutant: Mutant, s: Subject) -> bool:
    """Whether nothing changed: the outputs to the last bit, but for signs of zeros, and the weights recorded."""
    outputs = all(x.shape == y.shape and np.array_equal(x, y, equal_nan=True) for x, y in zip(a, b, strict=True))
    held = s.effective()
    weights = all(np.array_equal(w, held[name]) for name, w in (mutant.recorded or {}).items() if name in held)
    return outputs and weights


def question_of(s: Subject, mutant: Mutant, graph: Graph, truth: str) -> Question:
    recorded = s.effective() if mutant.recorded is None else dict(mutant.recorded)
    also = {"other.h5": stale(s)} if truth == "RC314" else {}
    return Question(
        Case(s.node, s.weights.applied, mutant.inputs or s.inputs, s.weights.stored),
        tuple(Observation(y) for y in mutant.outputs),
        effective=s.weights.effective,
        recorded={name: w for name, w in recorded.items() if name in s.weights.effective},
        graph=graph,
        also=also,
        candidates=s.declared.candidates,
    )


def _row(s: Subject, mutant: Mutant, graph: Graph, context: Context, truth: str) -> Row:
    question, started = question_of(s, mutant, graph, truth), time.perf_counter()
    found = diagnose(question, context, seconds=2.0)
    codes = ["+".join(rule.code for rule in one.rules) for one in found.found]
    return {
        "failed": not found.before.good,
        "codes": codes,
        "tied": _tied(found, question, context, truth),
        "nearest": [(a.rule.code, a.label, a.left) for a in found.tried if a.rule.code == truth][:2],
        "equivalent": truth in [same.rule.code for same in found.same],
        "seconds": time.perf_counter() - started,
    }


def _tied(found: Diagnosis, question: Question, context: Context, truth: str) -> bool:
    """Whether the rule that came first and the true one give the same values to the last bit: nobody could tell."""
    true = next((f for f in found.found if [r.code for r in f.rules] == [truth]), None)
    if true is None or true is found.found[0]:
        return False
    quick = Context(context.engine, need=Need.VALUES)
    first, own = (f.last.case.enclose(quick)[0].mid for f in (found.found[0], true))
    plain = found.found[0].last.plain and true.last.plain
    return plain and first.shape == own.shape and np.array_equal(first, own, equal_nan=True)
