"""Every counterfactual. To add one: a row in its family's file, and one in the tests."""

from __future__ import annotations

from refconv.compare.counterfactuals import (
    activations,
    attention,
    kernels,
    local,
    masks,
    moving,
    normalization,
    operators,
    quantization,
    recurrence,
    ties,
    windows,
)
from refconv.compare.counterfactuals.base import Case, Counterfactual

FAMILIES = (
    kernels,
    local,
    masks,
    windows,
    activations,
    normalization,
    moving,
    operators,
    quantization,
    ties,
    recurrence,
    attention,
)

ROWS: tuple[Counterfactual, ...] = tuple(row for family in FAMILIES for row in family.ROWS)


def applicable(case: Case) -> list[Counterfactual]:
    """The counterfactuals that the layer has what it needs for."""
    return [row for row in ROWS if row.concerns(case)]
