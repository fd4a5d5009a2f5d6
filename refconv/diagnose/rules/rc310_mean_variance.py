"""Mean and variance swapped.

## What
The moving mean is taken for the moving variance and the other way round.

## Why
A BatchNormalization has four arrays of one length: gamma, beta, mean, variance in Keras; other libraries sort them
otherwise.

## Example
A mean below zero makes a root of a negative number: NaN in whole channels.

## Fix
Take them by name; in `get_weights()` their order is gamma, beta, moving_mean, moving_variance.
"""

from collections.abc import Iterator

from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.alter import both, by_rows, with_stored
from refconv.diagnose.rule import Change, Question, Rule

ROWS = by_rows("mean and variance swapped")
LINE = "gamma, beta, mean, variance = layer.get_weights()"


def propose(question: Question) -> Iterator[Change]:
    """As they are, and with a mean that was made positive."""
    case = question.case
    if {"moving_mean", "moving_variance"} <= set(case.stored):
        inside = "moving_mean" not in case.weights  # of a layer that folds them into its kernel
        for altered in [with_stored(case, _swapped)] if inside else both(case, _swapped):
            yield Change("", altered, line=LINE)
    for change in ROWS(question):
        yield Change("made positive", change.case, line=LINE)


def _swapped(case: Case) -> Case:
    return case.with_weights(moving_mean=case.weights["moving_variance"], moving_variance=case.weights["moving_mean"])


RULE = Rule("RC310", "mean and variance swapped", __doc__, propose)
