"""Stale weights.

## What
The layer computes with the weights of another checkpoint, or with some of them.

## Why
A file was exported before the last training step, or weights were loaded by name and one layer was renamed.

## Example
`load_weights(path, by_name=True)` skips what it does not find, and says nothing.

## Fix
Load the weights again, from the file that is checked.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.alter import with_stored
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.base import Weights


def propose(question: Question) -> Iterator[Change]:
    """All weights of the other file, then each alone."""
    case = question.case
    for file, others in question.also.items():
        fitting = {n: w for n, w in others.items() if n in case.stored and w.shape == case.stored[n].shape}
        if not fitting:
            continue
        yield Change(f"those of {file}", with_stored(case, partial(_with, others=fitting)))
        for name, value in fitting.items() if len(fitting) > 1 else ():
            yield Change(f"{name} of {file}", with_stored(case, partial(_with, others={name: value})))


def _with(case: Case, *, others: Weights) -> Case:
    return case.with_weights(**{name: np.asarray(w) for name, w in others.items()})


RULE = Rule("RC314", "stale weights", __doc__, propose)
