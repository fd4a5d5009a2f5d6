"""Denormals of float16 flushed to zero.

## What
Operands were rounded to float16, and what is below its normal range (2^-14, about 6.1e-5) was taken as zero.

## Why
Processors and compilers flush denormals for speed (FTZ, DAZ, `-ffast-math`). float16 has few exponents, so that small
weights of a trained layer are denormals there. In float32, whose range ends at 1e-38, flushing is what TensorFlow does
too: it is within the bound, and no finding.

## Example
With weights around 3e-5 such a device computes with zeros.

## Fix
Keep denormals (no FTZ, no `-ffast-math`), or scale weights into the format's normal range.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from refconv.diagnose.rule import Change, Question, Rule
from refconv.numerics.formats import FLOAT16, Format


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    weights = {name: _flush(w, FLOAT16) for name, w in case.weights.items()}
    yield Change("", replace(case, weights=weights, inputs=tuple(_flush(x, FLOAT16) for x in case.inputs)))


def _flush(values: np.ndarray, fmt: Format) -> np.ndarray:
    if values.dtype.kind != "f":
        return values
    rounded = fmt.round(values)
    return np.where(np.abs(rounded) < 2.0**fmt.least, 0.0, rounded).astype(values.dtype)


RULE = Rule("RC404", "float16 denormals flushed to zero", __doc__, propose)
