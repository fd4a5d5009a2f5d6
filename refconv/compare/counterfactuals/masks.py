"""Faults of layers under a mask: what it hides is seen."""

from __future__ import annotations

from dataclasses import replace

from refconv.compare.counterfactuals.base import Case, Counterfactual
from refconv.ops.attention import Called
from refconv.ops.bidirectional import Bidirectional
from refconv.ops.global_pooling import GlobalPooling
from refconv.ops.recurrent import Recurrent


def _bare(case: Case) -> Case:
    count = len(case.inputs) - len(case.attrs.masks)
    return replace(case.with_attrs(masks=()), inputs=case.inputs[:count])


def _masked(case: Case) -> bool:
    return bool(case.attrs.masks)


ROWS = (Counterfactual("mask left out", (Called, Recurrent, Bidirectional, GlobalPooling), _bare, _masked),)
