"""Input in the other layout.

## What
The numbers of the input were read in another order of axes: NCHW as NHWC or the other way round, or height and width
swapped.

## Why
A buffer has no axes. PyTorch and ONNX write images as NCHW, Keras as NHWC; image libraries say width before height.

## Example
A 32x32x3 image written as NCHW and read as NHWC shows three small grey images, each a third of the lines.

## Fix
Transpose before writing: `x.transpose(0, 2, 3, 1)` turns NCHW into NHWC.
"""

from collections.abc import Iterator

import numpy as np

from refconv.diagnose.fed import fed, rerun
from refconv.diagnose.rule import Change, Question, Rule

TO_LAST, TO_FIRST = "x = x.transpose(0, 2, 3, 1)", "x = x.transpose(0, 3, 1, 2)"


def propose(question: Question) -> Iterator[Change]:
    x = fed(question)
    if x is None or x.ndim not in (4, 5):
        return
    last, first = np.moveaxis(x, 1, -1), np.moveaxis(x, -1, 1)
    yield from rerun(question, "written as NCHW, read as NHWC", first.reshape(x.shape), line=TO_LAST)
    yield from rerun(question, "written as NHWC, read as NCHW", last.reshape(x.shape), line=TO_FIRST)
    if x.ndim == 4:
        yield from rerun(question, "height and width swapped", np.ascontiguousarray(x.swapaxes(1, 2)))


RULE = Rule("RC504", "input in the other layout", __doc__, propose, reruns=True)
