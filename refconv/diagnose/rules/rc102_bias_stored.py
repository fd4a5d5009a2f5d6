"""Bias not quantized.

## What
The stored bias is added, where the layer adds what its bias quantizer makes of it.

## Why
The kernel's quantizer is remembered, the bias's is a second one, with bits of its own.

## Example
With `bias_quantizer=quantized_bits(4,0,1)` a stored bias of 0.3 is added as 0.25.

## Fix
Add the effective bias.
`refconv weights MODEL LAYER --codes` prints it.
"""

from collections.abc import Iterator

from refconv.diagnose.alter import quantizes
from refconv.diagnose.rule import Change, Question, Rule
from refconv.diagnose.rules.rc101_stored_weights import RAW


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    if quantizes(case) and "bias" in case.weights:
        raw = RAW.alter(case).weights["bias"]
        line = f"bias = refconv.weights(MODEL)[{case.node.layer!r}].bias.effective"
        yield Change("", case.with_weights(bias=raw), line=line)


RULE = Rule("RC102", "bias not quantized", __doc__, propose)
