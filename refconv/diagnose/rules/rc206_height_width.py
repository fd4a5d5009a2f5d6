"""Height and width swapped.

## What
The image is transposed on its way into the layer, on its way out, or both.

## Why
Image libraries count x before y (PIL's `size` is width, height), MATLAB and Fortran store columns first.

## Example
`image[x, y]` in place of `image[y, x]`: the output of a square image is transposed, and nothing fails.

## Fix
Swap the two axes back.
"""

from collections.abc import Iterator

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.alter import spatial_axes
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.locally_connected import LocallyConnected

LINE = "x = x.swapaxes(1, 2)"


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    if not case.inputs or case.inputs[0].ndim != 4:
        return
    one, two = spatial_axes(case)

    def swap(v: np.ndarray) -> np.ndarray:
        return v.swapaxes(one, two) if v.ndim == 4 else v

    yield Change("of the output", case, line=LINE, after=swap)
    if isinstance(case.attrs, LocallyConnected):  # it has a kernel for each place, and so one shape
        return
    turned = case.with_input(swap(case.inputs[0]))
    yield Change("of the input", turned, line=LINE)
    if not _square_kernel(case):  # else it is that of the kernel alone (RC204)
        yield Change("of input and output", turned, line=LINE, after=swap)


def _square_kernel(case: Case) -> bool:
    size = getattr(case.attrs, "kernel_size", ())
    return len(set(size)) == 1


RULE = Rule("RC206", "height and width swapped", __doc__, propose)
