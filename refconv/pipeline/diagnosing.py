"""Findings for the first layer that fails; in later ones only what was found there is looked for again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.compare.declared import declare
from refconv.compare.recorded import seen_of
from refconv.diagnose.engine import diagnose
from refconv.diagnose.findings import findings
from refconv.diagnose.observation import Observation
from refconv.diagnose.rule import Question, Rule
from refconv.diagnose.rules.table import RULES, rule
from refconv.errors import RefconvError
from refconv.graph import IN_MEMORY, Graph, Node
from refconv.numerics.formats import is_real
from refconv.ops.base import Context
from refconv.pipeline.accepting import read_entries
from refconv.pipeline.options import Options
from refconv.reference.forward import step_names, weights_of
from refconv.result import FAILING, LayerResult, Verdict
from refconv.trace import Call, Trace

SECONDS = 2.0  # for pairs of rules: `explain` takes longer


class Diagnosing:
    """Asks why, of one model."""

    def __init__(self, graph: Graph, context: Context, options: Options) -> None:
        self._graph, self._context, self._options = graph, context, options
        self._rules: tuple[Rule, ...] | None = None  # what explained the first failing layer; None before there is one
        self._known = tuple(_accepted(options.accepted, graph.path))

    def of(self, node: Node, result: LayerResult, call: Call | None, trace: Trace) -> LayerResult:
        """The result; where they are wanted with findings, if the layer fails and its outputs or weights are wrong."""
        first, rules = self._rules is None, self._asked()
        if not rules or result.verdict not in FAILING or call is None or not _wrong(result):
            return result
        question = question_of(node, call, trace, self._graph, self._options)
        if not question.observed or not all(is_real(seen.values.dtype) for seen in question.observed):
            return result
        first &= self._options.explain
        try:
            found = diagnose(question, self._context, rules=rules, seconds=SECONDS if first else 0.0)
            told = findings(question, found, self._context, self._command(node)) if first or found.found else ()
        except RefconvError:  # the layer cannot be computed from what was recorded, which the result says
            return result
        if first:
            self._rules = tuple(dict.fromkeys(r for f in found.found for r in f.rules))
        return replace(result, findings=told)

    def _asked(self) -> tuple[Rule, ...]:
        """All rules of the first failing layer; then what explained it, and what somebody knows of this model."""
        wanted = RULES if self._rules is None else self._rules
        return tuple(dict.fromkeys((*(wanted if self._options.explain else ()), *self._known)))

    def _command(self, node: Node) -> str:
        """What shows it again, of a trace too where a framework is; nothing does so of a model that is no file."""
        if self._graph.format == IN_MEMORY:
            return ""
        options, model, layer = self._options, shlex.quote(self._graph.path), shlex.quote(node.name)
        fed = f" --samples {options.samples} --seed {options.seed}" if self._context.seeded else " --input …"
        return f"refconv check {model} --layer {layer}{fed}{''.join(_said(options))}"


def _said(options: Options) -> Iterator[str]:
    """What decides which framework runs, and how, where it is not the default."""
    usual = Options()
    for name in ("mode", "keras", "backend", "device", "python", "tf32", "arithmetic", "architecture"):
        if (value := getattr(options, name)) != getattr(usual, name):
            yield f" --{name} {shlex.quote(value)}"
    yield from (f" --{name}" for name in ("deterministic", "rebuild") if getattr(options, name))
    yield from (f" --trust-code {shlex.quote(file)}" for file in options.trust_code)


def _accepted(file: str, model: str) -> Iterator[Rule]:
    """The rules by which a file of accepted findings knows this model's."""
    for entry in read_entries(file) if file else ():
        if entry.of(model):
            yield from (found for code in entry.codes if (found := rule(code)) in RULES)


def _wrong(result: LayerResult) -> bool:
    """Not so of a layer whose probe alone differs."""
    compared = (*result.outputs, *result.weights.values())
    return any(c.verdict in FAILING for c in compared) or result.verdict is Verdict.MISMATCH and not result.probe


def question_of(node: Node, call: Call, trace: Trace, graph: Graph, options: Options) -> Question:
    seen, weights = seen_of(node, call, trace), weights_of(node)
    names = step_names(node)
    steps: dict[str, np.ndarray] = {name: seen.steps[name] for name in names if name in seen.steps}
    declared = declare(node, trace.environment, options.mode, options.arithmetic)
    return Question(
        Case(node, weights.applied, seen.inputs, weights.stored, steps),
        tuple(Observation(value) for value in (*seen.outputs, *steps.values())),
        effective=weights.effective,
        recorded=seen.weights,
        graph=graph,
        candidates=declared.candidates,
    )
