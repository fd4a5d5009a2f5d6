"""Findings for the first layer that fails; in later ones only what was found there is looked for again."""

from __future__ import annotations

import shlex
from dataclasses import replace

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.compare.declared import declare
from refconv.compare.recorded import seen_of
from refconv.diagnose.engine import diagnose
from refconv.diagnose.findings import findings
from refconv.diagnose.observation import Observation
from refconv.diagnose.rule import Question, Rule
from refconv.diagnose.rules.table import RULES
from refconv.errors import RefconvError
from refconv.graph import Graph, Node
from refconv.ops.base import Context
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

    def of(self, node: Node, result: LayerResult, call: Call | None, trace: Trace) -> LayerResult:
        """The result, with findings where the layer fails and its outputs or its weights are wrong."""
        if result.verdict not in FAILING or call is None or not _wrong(result):
            return result
        question = _question(node, call, trace, self._graph, self._options)
        first, rules = self._rules is None, RULES if self._rules is None else self._rules
        try:
            found = diagnose(question, self._context, rules=rules, seconds=SECONDS if first else 0.0)
            told = findings(question, found, self._context, self._command(node)) if first or found.found else ()
        except RefconvError:  # the layer cannot be computed from what was recorded, which the result says
            return result
        self._rules = tuple(dict.fromkeys(r for f in found.found for r in f.rules)) if first else rules
        return replace(result, findings=told)

    def _command(self, node: Node) -> str:
        options = self._options
        how = f" --mode {options.mode}" if options.mode != "graph" else ""
        fed = f" --samples {options.samples} --seed {options.seed}" if self._context.seeded else " --input …"
        return f"refconv check {shlex.quote(self._graph.path)} --layer {shlex.quote(node.name)}{fed}{how}"


def _wrong(result: LayerResult) -> bool:
    """Not so of a layer whose probe alone differs."""
    compared = (*result.outputs, *result.weights.values())
    return any(c.verdict in FAILING for c in compared) or result.verdict is Verdict.MISMATCH and not result.probe


def _question(node: Node, call: Call, trace: Trace, graph: Graph, options: Options) -> Question:
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
