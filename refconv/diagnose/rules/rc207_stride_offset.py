"""Strided windows start elsewhere.

## What
With a stride above one, every window lies one element later, or earlier, than it should.

## Why
Decimating a full convolution keeps every s-th output from the first on, or from the middle of the kernel on; where that
is not the layer's first window, all are shifted.

## Example
Stride 2 over x0 … x7: windows start at x0, x2, x4; one late they start at x1, x3, x5.

## Fix
Start the first window at minus the padding that stands before the input.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from refconv.compare.counterfactuals.windows import SLIDING
from refconv.diagnose.alter import spatial_axes
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.pooling import Pooling
from refconv.ops.transposed import Transposed


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    if not isinstance(case.attrs, (*SLIDING, Transposed)):
        return
    attrs: Any = case.attrs
    size = attrs.pool_size if isinstance(attrs, Pooling) else attrs.kernel_size
    strides = case.attrs.strides or size
    axes = dict(zip(spatial_axes(case, len(size)), strides, strict=True))
    strided = [axis for axis, stride in axes.items() if stride > 1]
    for some in dict.fromkeys((tuple(strided), tuple(axes) if strided else ())):
        for label, step in (("one element late", 1), ("one element early", -1)):
            if some:
                yield Change(label, case.with_input(shifted(case.inputs[0], some, step)))


def shifted(x: np.ndarray, axes: tuple[int, ...], step: int) -> np.ndarray:
    """x with its elements moved against the axes by `step`, zeros coming in at the end."""
    for axis in axes:
        rest = x.take(range(1, x.shape[axis]) if step > 0 else range(x.shape[axis] - 1), axis)
        zeros = np.zeros_like(x.take([0], axis))
        x = np.concatenate([rest, zeros] if step > 0 else [zeros, rest], axis)
    return x


RULE = Rule("RC207", "strided windows start elsewhere", __doc__, propose)
