"""One fraction bit.

## What
The grid is twice as coarse, or twice as fine, over the same range: one bit less, or one more.

## Why
The sign bit is one of `bits`; where it is counted besides them there is one bit too many. An accumulator or a file
format that is one bit short does the opposite.

## Example
`quantized_bits(4, 0)` has the step 1/8; with three bits it is 1/4, with five 1/16.

## Fix
Count the sign bit among `bits`, and no other bit.
"""

from collections.abc import Iterator
from dataclasses import replace

from refconv.diagnose.alter import by_quantizer, has
from refconv.diagnose.rule import Rule
from refconv.quantizers.base import Quantizer


def turn(q: Quantizer) -> Iterator[tuple[str, Quantizer]]:
    if has(q, "bits"):
        bits = q.bits  # type: ignore[attr-defined]
        if bits > 1:
            yield "one bit less", replace(q, bits=bits - 1)  # type: ignore[call-arg]
        yield "one bit more", replace(q, bits=bits + 1)  # type: ignore[call-arg]


RULE = Rule("RC106", "one fraction bit", __doc__, by_quantizer(turn))
