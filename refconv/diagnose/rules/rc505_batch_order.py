"""Samples in another order.

## What
The outputs are right, but of other samples: the batch was shuffled, reversed, or one sample given several times.

## Why
A data loader shuffles, a folder is read in another order of names (img10 before img2), threads finish out of order.

## Example
The outputs of samples 0, 1, 2 are those of samples 2, 0, 1.

## Fix
Compare outputs by the sample that they belong to.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.observation import Observation
from refconv.diagnose.rule import Change, Question, Rule
from refconv.numerics.moments import Need
from refconv.ops.base import Context
from refconv.primitives import engines

MOST = 256  # samples


def propose(question: Question) -> Iterator[Change]:
    """For each observed sample the one whose output is nearest; one alternative, to be computed like any other."""
    case, seen = question.case, question.observed[0]
    count = len(case.inputs[0]) if case.inputs and case.inputs[0].ndim else 0
    if not 1 < count <= MOST or any(len(x) != count for x in case.inputs) or case.steps:
        return
    expected = case.enclose(Context(engines.get("numba"), need=Need.VALUES))[0].mid
    if len(expected) != count or not seen.fits(expected.shape):
        return
    nearest = np.arange(count)
    places = np.arange(count) if seen.at is None else seen.at[0]
    nearest[places] = _nearest(seen, expected)
    if not np.array_equal(nearest, np.arange(count)):
        label = "" if len(places) > 8 else f"{_listed(places)} are those of {_listed(nearest[places])}"
        yield Change(label, _reordered(case, nearest))


def _nearest(seen: Observation, expected: np.ndarray) -> np.ndarray:
    part = expected if seen.at is None else expected[np.ix_(np.arange(len(expected)), *seen.at[1:])]
    mine, theirs = (v.reshape(len(v), -1).astype(np.float64) for v in (seen.values, part))
    return np.array([int(np.argmin(np.abs(theirs - one).sum(1))) for one in mine])


def _reordered(case: Case, order: np.ndarray) -> Case:
    return replace(case, inputs=tuple(x[order] for x in case.inputs))


def _listed(samples: np.ndarray) -> str:
    return ", ".join(str(int(n)) for n in samples)


RULE = Rule("RC505", "samples in another order", __doc__, propose)
