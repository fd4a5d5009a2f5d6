"""Batch instead of moving statistics.

## What
The layer is normalised by mean and variance of the batch at hand, as in training.

## Why
The model was called with `training=True`, or left in training mode (PyTorch needs `eval()`).

## Example
One image normalised by its own mean comes out the same whatever its brightness.

## Fix
Run the layer for inference: `model(x, training=False)` or `predict`.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.compare.counterfactuals.table import ROWS
from refconv.diagnose.rule import Change, Question, Rule
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.formats import gamma
from refconv.ops.base import Context

(BATCH,) = [row for row in ROWS if row.name == "statistics of the batch"]


def propose(question: Question) -> Iterator[Change]:
    """Mean and variance are sums of their own, which round: that belongs to what is computed then."""
    case = question.case
    if BATCH.concerns(case):
        yield Change("", BATCH.alter(case), then=lambda e, context: summed(case, e, context))


def summed(case: Case, e: Enclosure, context: Context) -> Enclosure:
    """y = (x − m)·inv + β, where m and v are rounded means of n terms.

    δy = |inv|·δm + |x − m|·|inv|/(2(v + ε))·δv; of a mean of t, σ² = u²((n+1)(t̄²/3 + Σt²/(6n²)) + t̄²) and the worst
    case is γ(n + 2, u)·Σ|t|/n (`ops.mean`); a term (x − m)² has three roundings more, and δm moves v by δm² alone.
    """
    x, u = case.inputs[0].astype(np.float64), context.arithmetic.u
    others = tuple(axis for axis in range(x.ndim) if axis != case.attrs.axis % x.ndim)
    n = x.size // max(x.shape[case.attrs.axis], 1)

    def mean(t: np.ndarray) -> np.ndarray:
        return np.asarray(t.mean(axis=others, keepdims=True))

    def spread(t: np.ndarray) -> np.ndarray:
        return np.asarray(u * np.sqrt((n + 1) * (mean(t) ** 2 / 3 + mean(t * t) / (6 * n)) + mean(t) ** 2))

    m = mean(x)
    squares = (x - m) ** 2
    v = mean(squares)
    shape = [n if axis == case.attrs.axis % x.ndim else 1 for axis, n in enumerate(x.shape)]
    scale = case.weights["gamma"].reshape(shape) if "gamma" in case.weights else 1.0
    inverse = np.abs(scale) / np.sqrt(v + case.attrs.epsilon)
    share = np.abs(x - m) * inverse / (2 * (v + case.attrs.epsilon))
    worst_m, worst_v = gamma(n + 2, u) * mean(np.abs(x)), gamma(n + 5, u) * v
    sigma = np.hypot(inverse * spread(x), share * (spread(squares) + 3 * u * v))
    worst = inverse * worst_m + share * (worst_v + worst_m**2)
    return replace(e, sigma=np.hypot(e.sigma, sigma), worst=np.asarray(e.worst) + worst)


RULE = Rule("RC309", "batch instead of moving statistics", __doc__, propose)
