"""Every operator. To add one: a function and a row in its family's file, or the family here."""

from __future__ import annotations

from detection.operators import geometry, moving, quantized, values, weights
from detection.operators.base import Operator

OPERATORS: tuple[Operator, ...] = (
    *weights.OPERATORS,
    *geometry.OPERATORS,
    *values.OPERATORS,
    *moving.OPERATORS,
    *quantized.OPERATORS,
)


def named(names: list[str]) -> tuple[Operator, ...]:
    """The operators of those names; all without any. KeyError where there is none of a name."""
    by_name = {operator.name: operator for operator in OPERATORS}
    return tuple(by_name[name] for name in names) if names else OPERATORS
