"""Rounded to bfloat16.

## What
Operands were rounded to bfloat16 (8 significant bits), or operands and results; sums are float32.

## Why
A mixed_bfloat16 policy that the file does not hold, oneDNN's fast-math mode (`ONEDNN_DEFAULT_FPMATH_MODE=BF16`), or
a device that keeps tensors in 16 bits.

## Example
0.1 is used as 0.10009765625.

## Fix
Compute in float32, or let check allow it (`--arithmetic bfloat16`, or `mixed_bfloat16` where results are rounded too).
"""

from collections.abc import Iterator

from refconv.compare.declared import mixed
from refconv.compare.declared import operands as rounded
from refconv.diagnose.precision import operands, results
from refconv.diagnose.rule import Change, Question, Rule
from refconv.numerics.formats import BFLOAT16


def propose(question: Question) -> Iterator[Change]:
    yield from operands(question, {"operands": rounded(BFLOAT16)})
    yield from results(question, mixed(BFLOAT16))


RULE = Rule("RC402", "rounded to bfloat16", __doc__, propose)
