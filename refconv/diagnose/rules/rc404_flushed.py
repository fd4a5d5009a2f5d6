"""Denormals flushed to zero.

## What
Numbers too small for a format's normal range were taken as zero: below 2^-126 in float32, below 2^-14 in float16.

## Why
Processors and compilers flush denormals for speed (FTZ, DAZ, `-ffast-math`). In sums of float32 the bound allows for
that; in a layer that only moves or compares values, and in float16, whose normal range ends at 6.1e-5, it shows.

## Example
With weights around 3e-5 a float16 device without denormals computes with zeros.

## Fix
Keep denormals (no FTZ, no `-ffast-math`), or scale weights into the format's normal range.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.rule import Change, Question, Rule
from refconv.numerics.formats import FLOAT16, FLOAT32, Format


def propose(question: Question) -> Iterator[Change]:
    yield Change("float32's", _flushed(question.case, FLOAT32))
    yield Change("float16's, operands rounded to it", _flushed(question.case, FLOAT16))


def _flushed(case: Case, fmt: Format) -> Case:
    weights = {name: _flush(w, fmt) for name, w in case.weights.items()}
    return replace(case, weights=weights, inputs=tuple(_flush(x, fmt) for x in case.inputs))


def _flush(values: np.ndarray, fmt: Format) -> np.ndarray:
    if values.dtype.kind != "f":
        return values
    rounded = fmt.round(values)
    return np.where(np.abs(rounded) < 2.0**fmt.least, 0.0, rounded).astype(values.dtype)


RULE = Rule("RC404", "denormals flushed to zero", __doc__, propose)
