"""Ceil instead of floor.

## What
A last window that does not fit wholly into the input is computed all the same: the output is one longer.

## Why
Caffe rounds the number of windows up, and PyTorch's pooling does with `ceil_mode=True`; Keras's VALID rounds down.

## Example
Windows of 2 with stride 2 over 7 elements: three (Keras), or four, the last with one element.

## Fix
Take floor((n - extent)/stride) + 1 windows.
"""

from collections.abc import Iterator

import numpy as np

from refconv.compare.counterfactuals.windows import SLIDING, sliding
from refconv.diagnose.rule import Change, Question, Rule


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    if not isinstance(case.attrs, SLIDING) or case.attrs.padding != "valid":
        return
    where, widths = sliding(case), [(0, 0)] * case.inputs[0].ndim
    for axis, (n, size, stride, rate) in enumerate(
        zip(where.spatial, where.size, where.strides, where.dilation, strict=True), start=where.first
    ):
        extent = (size - 1) * rate + 1
        rest = (n - extent) % stride if n >= extent else 0
        widths[axis] = (0, stride - rest if rest else 0)
    if any(after for _, after in widths):
        fill = -np.inf if case.node.type.startswith("Max") else 0.0
        yield Change("", case.with_input(np.pad(case.inputs[0], widths, constant_values=fill)))


RULE = Rule("RC211", "ceil instead of floor", __doc__, propose)
