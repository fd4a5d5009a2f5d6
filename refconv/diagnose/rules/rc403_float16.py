"""Rounded to float16.

## What
Operands were rounded to float16 (11 significant bits, nothing beyond 65504), or operands and results; sums are
float32.

## Why
A mixed_float16 policy that the file does not hold, weights exported in half precision, or tensors kept in 16 bits
between layers.

## Example
0.1 is used as 0.0999755859375, and 1e-8 as 0.

## Fix
Compute in float32, or let check allow it (`--arithmetic float16`, or `mixed_float16` where results are rounded too).
"""

from collections.abc import Iterator
from dataclasses import replace

from refconv.compare.declared import mixed
from refconv.compare.declared import operands as rounded
from refconv.diagnose.precision import operands, results
from refconv.diagnose.rule import Change, Question, Rule
from refconv.numerics.formats import FLOAT16


def propose(question: Question) -> Iterator[Change]:
    """Operands; weights alone, as an export leaves them; operands and results."""
    yield from operands(question, {"operands": rounded(FLOAT16)})
    case = question.case
    weights = {name: FLOAT16.round(w).astype(w.dtype) if w.dtype.kind == "f" else w for name, w in case.weights.items()}
    yield Change("weights alone", replace(case, weights=weights))
    yield from results(question, mixed(FLOAT16))


RULE = Rule("RC403", "rounded to float16", __doc__, propose)
