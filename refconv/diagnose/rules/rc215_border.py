"""Border filled with something else than zeros.

## What
Where the window reaches over the border, the image goes on: mirrored, or with its edge repeated, or round to the other
side; a maximum takes zeros for its padding.

## Why
Image libraries (OpenCV, SciPy) mirror or repeat by default, Fourier transforms wrap round. Keras pads with zeros, and
its maximum never takes the padding.

## Example
3 taps of 1 over 5, 7 with SAME: zeros give 12, 12; the mirrored border 17, 19.

## Fix
Pad with zeros before a convolution, with minus infinity before a maximum.
"""

from collections.abc import Iterator

import numpy as np

from refconv.compare.counterfactuals.windows import SLIDING, sliding
from refconv.diagnose.alter import by_rows
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.identity import Nothing
from refconv.ops.padding import Padding

ROWS = by_rows("padding's zeros may win")
MODES = {"symmetric": "mirrored", "edge": "repeated", "reflect": "mirrored about its edge", "wrap": "wrapped round"}


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    for change in ROWS(question):
        yield Change("zeros in a maximum", change.case)
    x = case.inputs[0] if case.inputs else np.zeros(())
    if isinstance(case.attrs, SLIDING) and case.attrs.padding == "same" and any(map(any, sliding(case).pads)):
        pads, first = sliding(case).pads, sliding(case).first
        unpadded = case.with_attrs(padding="valid")
    elif isinstance(case.attrs, Padding):
        pads, first = case.attrs.padding, 2 if getattr(case.attrs, "data_format", "") == "channels_first" else 1
        unpadded = case.as_type("Identity", Nothing())
    else:
        return
    widths = [(0, 0)] * first + list(pads)
    widths += [(0, 0)] * (x.ndim - len(widths))
    for mode, label in MODES.items():
        yield Change(label, unpadded.with_input(np.pad(x, widths, mode=mode)))  # type: ignore[call-overload]


RULE = Rule("RC215", "border filled with something else", __doc__, propose)
