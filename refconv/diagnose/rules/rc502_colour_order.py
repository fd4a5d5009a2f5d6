"""Colours in the other order.

## What
The model was fed BGR where RGB is given, or RGB where BGR is.

## Why
OpenCV reads images as BGR, Pillow and TensorFlow as RGB; Keras's caffe preprocessing turns them itself.

## Example
A red pixel (255, 0, 0) is seen as a blue one.

## Fix
Turn the channel axis: `x[..., ::-1]`.
"""

from collections.abc import Iterator

from refconv.diagnose.fed import fed, rerun
from refconv.diagnose.rule import Change, Question, Rule


def propose(question: Question) -> Iterator[Change]:
    """Three channels at either end; of four, the last stays (alpha)."""
    x = fed(question)
    if x is None or x.ndim != 4:
        return
    for axis in (-1, 1):
        if x.shape[axis] in (3, 4):
            order = [2, 1, 0, *range(3, x.shape[axis])]
            yield from rerun(question, "", x.take(order, axis), line="x = x[..., ::-1]" if axis == -1 else "")


RULE = Rule("RC502", "colours in the other order", __doc__, propose, reruns=True)
