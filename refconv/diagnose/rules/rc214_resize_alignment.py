"""Resized with another alignment.

## What
Output positions fall elsewhere on the input: corners on corners (`align_corners`), or the first on the first without
the half pixel, or by another interpolation.

## Why
TensorFlow 1, Caffe and ONNX's default of old aligned otherwise; Keras 2 and 3 use half-pixel centres. PyTorch offers
both.

## Example
Four pixels made of two, 0 and 8: half-pixel centres give 0, 2, 6, 8; aligned corners 0, 2.67, 5.33, 8; neither,
0, 4, 8, 8.

## Fix
Take the source position (i + 0.5)·n/m - 0.5, held inside the image.
"""

from collections.abc import Iterator
from dataclasses import replace

from refconv.diagnose.alter import by_rows
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.resizing import Resizing, UpSampling2D

ROWS = by_rows("the other interpolation", "antialiased, or not", "the other of two equally near")
LINE = "source = (i + 0.5) * n / m - 0.5"


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    if isinstance(case.attrs, (Resizing, UpSampling2D)):
        for label, alignment in (("corners aligned", "corners"), ("without the half pixel", "first")):
            node = replace(case.node, attrs=replace(case.attrs, alignment=alignment))
            yield Change(label, replace(case, node=node), line=LINE)
    for change in ROWS(question):
        yield Change("another interpolation", change.case)


RULE = Rule("RC214", "resized with another alignment", __doc__, propose)
