"""Sign bit taken for another bit.

## What
Values are quantized as if they had no sign (`keep_negative=False`) or as if they had one: the bit that is freed makes
the grid twice as fine, and negative values become 0.

## Why
`keep_negative` is the fourth argument of `quantized_bits`, and defaults to true; after a relu codes need no sign.

## Example
Four bits are -1 … 0.875 in steps of 1/8 with a sign, 0 … 0.9375 in steps of 1/16 without.

## Fix
Use signed codes where `keep_negative` is true.
"""

from collections.abc import Iterator
from dataclasses import replace

from refconv.diagnose.alter import by_quantizer, has
from refconv.diagnose.rule import Rule
from refconv.quantizers.base import Quantizer


def turn(q: Quantizer) -> Iterator[tuple[str, Quantizer]]:
    if has(q, "keep_negative"):
        signed = q.keep_negative  # type: ignore[attr-defined]
        yield "unsigned" if signed else "signed", replace(q, keep_negative=not signed)  # type: ignore[call-arg]


RULE = Rule("RC109", "sign bit taken for another bit", __doc__, by_quantizer(turn))
