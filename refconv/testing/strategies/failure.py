"""How a wrong output is told: where, what was expected, what was allowed, and what would explain it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.compare.declared import SINGLE
from refconv.diagnose.engine import diagnose
from refconv.diagnose.findings import findings
from refconv.diagnose.observation import Observation
from refconv.diagnose.rule import Question
from refconv.diagnose.words import times
from refconv.errors import RefconvError
from refconv.ops.base import Context
from refconv.primitives.numpy_engine import ENGINE
from refconv.result import Comparison, Element, Finding

if TYPE_CHECKING:
    from refconv.compare.layer import Judgement
    from refconv.testing.strategies.case import LayerCase

SECONDS = 1.0  # for pairs of rules
MOST = 3  # further explanations


class Mismatch(AssertionError):
    """An output is wrong. Its text is written when it is asked for: while an example shrinks, nobody asks.

    Attributes:
        case, output: what was asked, and what was got.
        arithmetic: what it may have been computed in.
    """

    def __init__(self, case: LayerCase, output: np.ndarray, arithmetic: str = "") -> None:
        super().__init__(case, output, arithmetic)
        self.case, self.output, self.arithmetic = case, output, arithmetic

    @cached_property
    def judgement(self) -> Judgement:
        """The verdict, and the comparison behind it."""
        return self.case.judged(self.output, self.arithmetic)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What explains the output, the simplest first."""
        return explain(self.case, self.output, self.judgement)

    @cached_property
    def text(self) -> str:
        found = self.judgement.outputs
        head = f"{self.case.keras} differs from the reference: {self.judgement.verdict}"
        return "\n    ".join([head, *(compared(found[0]) if found else [self.judgement.reason]), *told(self.findings)])

    def __str__(self) -> str:
        return self.text


def told(found: Sequence[Finding]) -> list[str]:
    """The first explanation, and beneath it the others that give the same output."""
    first, others = found[:1], found[1 : MOST + 1]
    return [line for f in first for line in (f"{f.code}  {f.title}", f"    {f.evidence}")] + [
        f"or {f.code}  {f.title}" for f in others if not f.code.startswith("RC9")
    ]


def compared(found: Comparison) -> list[str]:
    """The element that is farthest off, and how many are."""
    if found.worst is None:
        return [f"the output has shape {found.shape}, which is not the reference's"]
    return [element(found.worst, found.bound_used), f"{found.failing} of {int(np.prod(found.shape))} values are off"]


def element(worst: Element, used: float) -> str:
    at = ",".join(map(str, worst.index))
    share = f"±{worst.allowed:.2g} allowed, {times(used)}" if worst.allowed else "no rounding is allowed"
    return f"at [{at}] expected {worst.expected:.9g}, got {worst.got:.9g}; {share}"


def explain(case: LayerCase, output: np.ndarray, judgement: Judgement) -> tuple[Finding, ...]:
    """refconv's diagnosis; nothing where the layer cannot be computed with what was got."""
    question = Question(
        Case(case.node, case.weights, (case.x,), case.weights),
        (Observation(output),),
        candidates=tuple(dict.fromkeys((*judgement.candidates, SINGLE))),
    )
    context = Context(ENGINE)
    try:
        return findings(question, diagnose(question, context, seconds=SECONDS), context)
    except RefconvError:
        return ()
