"""Another arithmetic, for rules: the reference rounds what it says is rounded, and keeps its own bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from refconv.compare.operands import distinct
from refconv.diagnose.rule import Change, Question
from refconv.numerics.arithmetic import Arithmetic
from refconv.ops.table import TABLE


def operands(question: Question, candidates: Mapping[str, Arithmetic], line: str = "") -> Iterator[Change]:
    """Operands of products rounded, by what to call it; none where these operands are numbers of the format already."""
    case = question.case
    if not TABLE[case.node.type].core(case.node.attrs)[0].operands:
        return
    for label, arithmetic in candidates.items():
        kept = distinct(case.node, case.weights, case.inputs, (arithmetic,))
        if arithmetic not in question.candidates and kept == (arithmetic,):
            yield Change(label, case, arithmetic=arithmetic, line=line)


def results(question: Question, candidates: Sequence[Arithmetic]) -> Iterator[Change]:
    """Operands and results rounded; a bias is added to the rounded sum, or before.

    None of layers whose bound is known in float32 alone.
    """
    row = TABLE[question.case.node.type].core(question.case.node.attrs)[0]
    if row.single or row.slots is not None:
        return
    for arithmetic in candidates:
        if arithmetic not in question.candidates:
            yield Change("operands and results", question.case, arithmetic=arithmetic)
