"""Symmetric clip.

## What
The most negative code is there where the quantizer leaves it out, or the other way round.

## Why
Two's complement has one negative code more than positive ones. `symmetric=1` leaves it out; with a scale from the data
("auto", "auto_po2", and a kernel's alpha=None) codes are symmetric whatever is asked for.

## Example
Four bits are -8 … 7, symmetric -7 … 7: a weight of -1 becomes -1, or -0.875.

## Fix
Clip to the range that `refconv weights MODEL LAYER` names.
"""

from collections.abc import Iterator
from dataclasses import replace

from refconv.diagnose.alter import by_quantizer, has
from refconv.diagnose.rule import Rule
from refconv.quantizers.base import Quantizer


def turn(q: Quantizer) -> Iterator[tuple[str, Quantizer]]:
    if has(q, "symmetric"):
        label = "with the most negative code" if q.symmetric else "without the most negative code"  # type: ignore[attr-defined]
        yield label, replace(q, symmetric=not q.symmetric)  # type: ignore[attr-defined,call-arg]


RULE = Rule("RC104", "symmetric clip", __doc__, by_quantizer(turn))
