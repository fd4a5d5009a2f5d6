"""Faults of operators of two operands: one left out, or the two in each other's place."""

from __future__ import annotations

from refconv.compare.counterfactuals.base import Case, Counterfactual
from refconv.ops.operators.arithmetic import Binary
from refconv.ops.operators.elementwise import Unary
from refconv.ops.operators.operands import Operand

UNLIKE = ("ops.subtract", "ops.divide")


def _swapped(case: Case) -> Case:
    return case.with_attrs(x=case.attrs.y, y=case.attrs.x)


def _unlike(case: Case) -> bool:
    return case.node.type in UNLIKE


def _alone(case: Case) -> Case:
    """The first tensor as it is: without the constant, or the other tensor."""
    kept = next(value for value in (case.attrs.x, case.attrs.y) if isinstance(value, Operand))
    return case.as_type("ops.identity", Unary(kept))


def _of_one_shape(case: Case) -> bool:
    constants = [value for value in (case.attrs.x, case.attrs.y) if not isinstance(value, Operand)]
    return len({x.shape for x in case.inputs}) == 1 and not any(isinstance(value, tuple) for value in constants)


ROWS = (
    Counterfactual("operands swapped", (Binary,), _swapped, _unlike),
    Counterfactual("other operand missing", (Binary,), _alone, _of_one_shape),
)
