"""Flattened in another order.

## What
Elements are flattened or reshaped with the channels first where they stand last (or the other way round), or column by
column.

## Why
PyTorch flattens (C, H, W), Keras (H, W, C); MATLAB and Fortran run down the columns. A dense layer after it then
multiplies every weight by another element.

## Example
Two channels of two pixels, a0 b0 a1 b1 in Keras, are a0 a1 b0 b1 with channels first.

## Fix
Transpose to height, width, channels before flattening, or reorder the rows of the next kernel.
"""

from collections.abc import Iterator

import numpy as np

from refconv.diagnose.alter import by_rows
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.shaping import Flatten, Reshape
from refconv.ops.spatial import CHANNELS_FIRST, CHANNELS_LAST

ROWS = by_rows("channels flattened in the other order", "channels taken first")
LINE = "x = x.transpose(0, 2, 3, 1).reshape(len(x), -1)  # NCHW → Keras's order"


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    if not isinstance(case.attrs, (Flatten, Reshape)):
        return
    x = case.inputs[0]
    plain = case if isinstance(case.attrs, Reshape) else case.with_attrs(data_format=CHANNELS_LAST)
    if x.ndim > 2:
        for change in ROWS(question):
            yield Change("channels first", change.case, line=LINE)
        if getattr(case.attrs, "data_format", "") == CHANNELS_FIRST:
            yield Change("as they lie", plain)
        yield Change("channels first", plain.with_input(np.moveaxis(x, -1, 1)), line=LINE)
        yield Change("channels last", plain.with_input(np.moveaxis(x, 1, -1)), line=LINE)
        yield Change("column by column", plain.with_input(x.transpose(0, *range(x.ndim - 1, 0, -1))))
    if isinstance(case.attrs, Reshape):
        yield Change("column by column", case, after=_by_columns)


def _by_columns(y: np.ndarray) -> np.ndarray:
    if y.ndim < 3:
        return y
    return y.reshape(len(y), *y.shape[:0:-1]).transpose(0, *range(y.ndim - 1, 0, -1))


RULE = Rule("RC212", "flattened in another order", __doc__, propose)
