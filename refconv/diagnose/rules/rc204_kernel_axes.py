"""Kernel axes in another order.

## What
The kernel's numbers are read, or were written, as if its axes stood in another order: the same bytes in another
layout, or height and width swapped.

## Why
Keras keeps kernels as height, width, in, out (HWIO; of a depthwise layer height, width, channel, multiplier); PyTorch
and ONNX as OIHW, TFLite as OHWI.

## Example
`kernel.reshape(out, in, h, w)` of an HWIO array has the right shape and wrong numbers: `kernel.transpose(3, 2, 0, 1)`
is meant.

## Fix
Transpose the kernel, do not reshape it.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import permutations

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.compare.counterfactuals.kernels import SPATIAL, spatial
from refconv.diagnose.alter import both
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.depthwise import Depthwise
from refconv.ops.transposed import Transposed

Read = Callable[[np.ndarray, tuple[int, ...]], np.ndarray]


def propose(question: Question) -> Iterator[Change]:
    """Written in the other order and read as Keras's, and the other way round; alike where lengths are alike."""
    case = question.case
    if not isinstance(case.attrs, SPATIAL):
        return
    name = spatial(case.attrs)
    letters = _letters(question, case.weights[name].ndim)
    for order in permutations(range(len(letters))):
        if order == tuple(range(len(letters))):
            continue
        layout = "".join(letters[i] for i in order)
        line = f"kernel = kernel.transpose{order}  # {letters} → {layout}"
        for read in (_written, _taken):
            for altered in both(case, partial(_reordered, name=name, read=read, order=order)):
                yield Change(layout, altered, line=line)


def _reordered(case: Case, *, name: str, read: Read, order: tuple[int, ...]) -> Case:
    return case.with_weights(**{name: read(case.weights[name], order)})


def _letters(question: Question, rank: int) -> str:
    """One letter for each axis of the kernel."""
    ends = "OI" if isinstance(question.attrs, Transposed) else "CM" if isinstance(question.attrs, Depthwise) else "IO"
    return "DHW"[-(rank - 2) :] + ends if rank > 3 else "W" + ends


def _written(w: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """Written in that order, its bytes read as they should have been written."""
    return w.transpose(order).reshape(w.shape)


def _taken(w: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """Written as it should be, its bytes read in that order."""
    back = tuple(int(i) for i in np.argsort(order))
    return w.reshape([w.shape[i] for i in order]).transpose(back)


RULE = Rule("RC204", "kernel axes in another order", __doc__, propose)
