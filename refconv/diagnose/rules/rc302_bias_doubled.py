"""Bias doubled.

## What
The bias is added twice.

## Why
An accumulator that starts from the bias, and a bias added after the sum as well; or a bias folded into the next layer
and kept here.

## Example
y = relu(x·w + 2b) in place of relu(x·w + b).

## Fix
Add the bias once, before the activation.
"""

from collections.abc import Iterator

from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.alter import both, by_rows
from refconv.diagnose.rule import Change, Question, Rule

ROWS = by_rows("bias doubled")


def _twice(case: Case) -> Case:
    return case.with_weights(beta=2 * case.weights["beta"])


def propose(question: Question) -> Iterator[Change]:
    yield from ROWS(question)
    if "beta" in question.case.weights:
        for case in both(question.case, _twice):
            yield Change("beta", case)


RULE = Rule("RC302", "bias doubled", __doc__, propose)
