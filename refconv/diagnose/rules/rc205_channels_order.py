"""Channels first taken for channels last.

## What
The layer's input or output is laid out with its channels before height and width, and read with them after, or the
other way round: the bytes are right, the axes are not.

## Why
Keras defaults to channels last (NHWC); PyTorch, ONNX and Theano put channels first (NCHW). Where the lengths allow it,
a reshape passes without an error.

## Example
`x.reshape(n, h, w, c)` of an array (n, c, h, w) has the right shape; `x.transpose(0, 2, 3, 1)` is meant.

## Fix
Transpose the tensor, do not reshape it.
"""

from collections.abc import Callable, Iterator

import numpy as np

from refconv.compare.sampling import channels_axis
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.spatial import CHANNELS_FIRST, CHANNELS_LAST

LINE = "x = x.transpose(0, 2, 3, 1)  # NCHW → NHWC"


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    x = case.inputs[0] if case.inputs else np.zeros(())
    if x.ndim < 3 or channels_axis(case) is None:
        return
    for label, read in READINGS:
        yield Change(f"input, {label}", case.with_input(read(x)), line=LINE)
    for label, read in READINGS:
        yield Change(f"output, {label}", case, line=LINE, after=read)
        yield Change(f"input and output, {label}", case.with_input(read(x)), line=LINE, after=read)
    yield Change("output, its axes moved", case, line=LINE, after=lambda y: np.moveaxis(y, -1, 1))
    yield Change("output, its axes moved", case, line=LINE, after=lambda y: np.moveaxis(y, 1, -1))
    if hasattr(case.attrs, "data_format"):
        other = CHANNELS_LAST if case.attrs.data_format == CHANNELS_FIRST else CHANNELS_FIRST
        yield Change(f"computed in {other}", case.with_attrs(data_format=other))


def _as_first(x: np.ndarray) -> np.ndarray:
    """Channels last, its bytes read as if channels stood first."""
    return np.moveaxis(x.reshape(x.shape[0], x.shape[-1], *x.shape[1:-1]), 1, -1)


def _as_last(x: np.ndarray) -> np.ndarray:
    """Channels put first, its bytes read as if they stood last."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1)).reshape(x.shape)


READINGS: tuple[tuple[str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("channels last read as first", _as_first),
    ("channels first read as last", _as_last),
)

RULE = Rule("RC205", "channels first taken for channels last", __doc__, propose)
