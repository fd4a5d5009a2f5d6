"""Every rule, by its code. To add one: a file, its row here, and a test that accepts and one that rejects."""

from __future__ import annotations

from refconv.diagnose.rule import Rule
from refconv.diagnose.rules import (
    rc101_stored_weights,
    rc203_kernel_flipped,
    rc301_bias_missing,
    rc401_tf32,
    rc402_bfloat16,
    rc403_float16,
    rc404_flushed,
    rc501_input_scaled,
    rc502_colour_order,
    rc503_preprocessing,
    rc504_input_layout,
    rc505_batch_order,
)

RULES: tuple[Rule, ...] = (
    rc101_stored_weights.RULE,
    rc203_kernel_flipped.RULE,
    rc301_bias_missing.RULE,
    rc401_tf32.RULE,
    rc402_bfloat16.RULE,
    rc403_float16.RULE,
    rc404_flushed.RULE,
    rc501_input_scaled.RULE,
    rc502_colour_order.RULE,
    rc503_preprocessing.RULE,
    rc504_input_layout.RULE,
    rc505_batch_order.RULE,
)


def rule(code: str) -> Rule | None:
    """The rule of that code, in any case of letters; None where there is none."""
    return next((row for row in RULES if row.code == code.upper()), None)
