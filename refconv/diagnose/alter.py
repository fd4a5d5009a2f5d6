"""Layer calls altered, for rules: by rows of the counterfactuals, before or after the layer's quantizers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.compare.counterfactuals.table import ROWS
from refconv.diagnose.rule import Change, Question
from refconv.numerics.enclosure import Enclosure
from refconv.ops.table import TABLE

Alter = Callable[[Case], Case]


def quantizes(case: Case) -> bool:
    """Whether the layer has weights that are quantized, and they are at hand as stored."""
    return TABLE[case.node.type].slots is not None and bool(case.stored)


def effective(case: Case) -> dict[str, Enclosure]:
    """The effective weights that the case's attributes make of its stored ones."""
    slots = TABLE[case.node.type].slots
    assert slots is not None
    with np.errstate(all="ignore"):
        return {name: slot.effective for name, slot in slots(case.attrs, case.stored).items()}


def requantized(case: Case) -> Case:
    """The case with the weights that its attributes make of its stored ones."""
    return replace(case, weights={name: e.mid.astype(np.float32) for name, e in effective(case).items()})


def with_stored(case: Case, alter: Alter) -> Case:
    """`alter` done to the weights of the file; a quantized layer then quantizes what comes out."""
    if not quantizes(case):
        return alter(case)
    raw = alter(replace(case, weights=case.stored))
    return requantized(replace(raw, stored=raw.weights))


def both(case: Case, alter: Alter) -> Iterator[Case]:
    """`alter` done to what is multiplied by and, in a quantized layer, to what is stored: quantizers may tell."""
    direct = alter(case)
    yield direct
    if quantizes(case) and any(direct.weights.get(n) is not w for n, w in case.weights.items()):
        yield with_stored(case, alter)


def by_rows(*names: str, label: str = "", fix: str = "", line: str = "") -> Callable[[Question], Iterator[Change]]:
    """Proposes what the counterfactuals of these names do."""
    rows = [row for row in ROWS if row.name in names]
    assert {row.name for row in rows} == set(names), names

    def propose(question: Question) -> Iterator[Change]:
        for row in rows:
            if row.concerns(question.case):
                for case in both(question.case, row.alter):
                    yield Change(label, case, fix, line)

    return propose


def is_a(case: Case, *families: Any) -> bool:
    return isinstance(case.attrs, families)
