"""One integer bit.

## What
The binary point lies one place to the left or to the right: one integer bit more or less, of as many bits in all.

## Why
QKeras's `integer` leaves out the sign bit; `ap_fixed<W, I>` and many tools count it.

## Example
`quantized_bits(8, 2)` reaches to 4, `ap_fixed<8, 2>` to 2: the same numbers are `ap_fixed<8, 3>`.

## Fix
Use I = integer + 1 where the sign counts, and I = integer where it does not.
"""

from collections.abc import Iterator
from dataclasses import replace

from refconv.diagnose.alter import by_quantizer, has
from refconv.diagnose.rule import Rule
from refconv.quantizers.base import Quantizer


def turn(q: Quantizer) -> Iterator[tuple[str, Quantizer]]:
    if has(q, "integer"):
        yield "one integer bit more", replace(q, integer=q.integer + 1)  # type: ignore[attr-defined,call-arg]
        yield "one integer bit less (the sign counted)", replace(q, integer=q.integer - 1)  # type: ignore[attr-defined,call-arg]


RULE = Rule("RC105", "one integer bit", __doc__, by_quantizer(turn))
