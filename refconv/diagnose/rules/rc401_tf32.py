"""Operands rounded to TF32.

## What
Inputs and weights of the products were rounded to 11 significant bits (TF32), to nearest or by cutting off; sums and
results are float32.

## Why
NVIDIA GPUs of compute capability 8.0 and later multiply float32 matrices in TF32 where the library allows it, which
TensorFlow does by default. The same values are also those of operands in float16 where none of them is very small.

## Example
0.1 is used as 0.0999756: 1 + 2^-12 and 1 are one number.

## Fix
Switch it off, or let check allow it (`--arithmetic tf32`).
"""

from collections.abc import Iterator

from refconv.compare.declared import TF32S
from refconv.diagnose.precision import operands
from refconv.diagnose.rule import Change, Question, Rule

LINE = "tf.config.experimental.enable_tensor_float_32_execution(False)"


def propose(question: Question) -> Iterator[Change]:
    return operands(question, dict(zip(("to nearest", "halves away from zero", "cut off"), TF32S, strict=True)), LINE)


RULE = Rule("RC401", "operands rounded to TF32", __doc__, propose)
