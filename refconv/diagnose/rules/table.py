"""Every rule, by its code. To add one: a file, its row here, and a test that accepts and one that rejects."""

from __future__ import annotations

from refconv.diagnose.rule import Rule
from refconv.diagnose.rules import rc101_stored_weights, rc203_kernel_flipped, rc301_bias_missing

RULES: tuple[Rule, ...] = (
    rc101_stored_weights.RULE,
    rc203_kernel_flipped.RULE,
    rc301_bias_missing.RULE,
)


def rule(code: str) -> Rule | None:
    """The rule of that code, in any case of letters; None where there is none."""
    return next((row for row in RULES if row.code == code.upper()), None)
