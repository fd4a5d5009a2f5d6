"""SAME padding on the other side.

## What
Where SAME pads an odd number of zeros, the odd one stands before the input instead of after it. A transposed
convolution cuts its odd element off on the other side.

## Why
TensorFlow and Keras put it after, so that with stride 2 an even input is padded by (0, 1). PyTorch's padding=1, Caffe
and many handwritten kernels pad (1, 1) or (1, 0), which places every window one element earlier.

## Example
A 3×3 kernel with stride 2 on 32×32: Keras reads rows 0, 1, 2 for the first output, the other side 0 (zero), 0, 1.

## Fix
Pad total//2 before and the rest after, total = max((ceil(n/stride) - 1)*stride + extent - n, 0).
"""

from collections.abc import Iterator

import numpy as np

from refconv.compare.counterfactuals.windows import sliding
from refconv.diagnose.alter import by_rows, spatial_axes
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.pooling import Pooling
from refconv.ops.transposed import Transposed

LINE = "before = total // 2; after = total - before"
SIDES = by_rows("sides swapped", label="of a padding or cropping layer")
ROWS = by_rows("SAME's odd zero on the other side", line=LINE)


def propose(question: Question) -> Iterator[Change]:
    yield from ROWS(question)
    yield from SIDES(question)
    case = question.case
    averages = isinstance(case.attrs, Pooling) and "Average" in case.node.type
    if not (averages or isinstance(case.attrs, Transposed)) or case.attrs.padding != "same":
        return
    if averages and all(before == after for before, after in sliding(case).pads):
        return
    rank = len(case.attrs.pool_size if averages else case.attrs.kernel_size)
    axes = spatial_axes(case, rank)
    mirrored = case.with_input(np.flip(case.inputs[0], axes))
    if not averages:
        mirrored = mirrored.with_weights(kernel=np.flip(case.weights["kernel"], tuple(range(rank))))
    yield Change("", mirrored, line=LINE, after=lambda y: np.flip(y, axes))  # the same windows, seen from the other end


RULE = Rule("RC201", "SAME padding on the other side", __doc__, propose)
