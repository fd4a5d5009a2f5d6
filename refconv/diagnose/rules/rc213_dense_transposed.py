"""Dense kernel transposed.

## What
The kernel's numbers are read as (out, in) where Keras keeps (in, out), or the other way round.

## Why
PyTorch's Linear and ONNX's Gemm with transB keep (out, in); a reshape, or a square kernel, lets it pass unnoticed.

## Example
`kernel.reshape(out, in)` has the right shape and wrong numbers: `kernel.T` is meant.

## Fix
Transpose the kernel, do not reshape it.
"""

from collections.abc import Iterator
from functools import partial

from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.alter import both
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.dense import Dense

LINE = "y = x @ kernel  # kernel (in, out); PyTorch's weight is kernel.T"


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    if isinstance(case.attrs, Dense):
        for taken in (False, True):
            for altered in both(case, partial(_turned, taken=taken)):
                yield Change("", altered, line=LINE)


def _turned(case: Case, *, taken: bool) -> Case:
    """Its bytes read as (out, in), or the bytes of (out, in) read as Keras's."""
    w = case.weights["kernel"]
    return case.with_weights(kernel=w.reshape(w.shape[::-1]).T if taken else w.T.reshape(w.shape))


RULE = Rule("RC213", "dense kernel transposed", __doc__, propose)
