"""Losses of a difference or of a margin: squared and absolute errors, Huber, the hinges.

Each is convex in the prediction, so that over an interval it is greatest at an end and least where the interval comes
nearest to its minimum. What float32 adds is a hard bound: n additions in any order cost γ(n) of the magnitudes.
Formulas: keras.losses (https://keras.io/api/losses/), the same in Keras 2 and 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from refconv.scoring.predictions import Predictions, aligned
from refconv.scoring.spread import Samples, Spread, U, by_sample

Parameters = Mapping[str, Any]


def squared(target: np.ndarray, p: Predictions, parameters: Parameters, keras: int) -> Samples:
    """mean (t − y)²."""
    return _of_error(target, p, np.square, np.square)


def absolute(target: np.ndarray, p: Predictions, parameters: Parameters, keras: int) -> Samples:
    """mean |t − y|."""
    return _of_error(target, p, np.abs, np.abs)


def huber(target: np.ndarray, p: Predictions, parameters: Parameters, keras: int) -> Samples:
    """mean ½e² where |e| ≤ δ, else δ|e| − ½δ²."""
    d = float(np.float32(parameters["delta"]))

    def value(e: np.ndarray) -> np.ndarray:
        return np.where(np.abs(e) <= d, e * e / 2, d * np.abs(e) - d * d / 2)

    return _of_error(target, p, value, lambda e: np.where(np.abs(e) <= d, e * e / 2, d * np.abs(e) + d * d / 2))


def _of_error(
    target: np.ndarray,
    p: Predictions,
    value: Callable[[np.ndarray], np.ndarray],
    magnitude: Callable[[np.ndarray], np.ndarray],
) -> Samples:
    """A convex function of y − t that is least at 0; `magnitude` is the sum of what it adds up, in absolute value."""
    t, p = aligned(np.asarray(target, np.float32), p)
    error = p.mid - t
    r = p.radius + U * (np.abs(p.mid) + np.abs(t) + p.radius)  # the difference is rounded
    low, high = error - r, error + r
    nearest = np.clip(0.0, low, high)
    ends = np.maximum(value(low), value(high))
    rounding = 6 * U * np.maximum(magnitude(low), magnitude(high))
    return _mean(Spread(value(nearest), value(error), ends).widen(rounding))


def hinge(target: np.ndarray, p: Predictions, parameters: Parameters, keras: int) -> Samples:
    """mean max(1 − t·y, 0), where targets of 0 and 1 stand for −1 and 1."""
    return _of_margin(target, p, lambda m: np.maximum(m, 0.0))


def squared_hinge(target: np.ndarray, p: Predictions, parameters: Parameters, keras: int) -> Samples:
    """mean max(1 − t·y, 0)²."""
    return _of_margin(target, p, lambda m: np.maximum(m, 0.0) ** 2)


def _of_margin(target: np.ndarray, p: Predictions, value: Callable[[np.ndarray], np.ndarray]) -> Samples:
    t, p = aligned(np.asarray(target, np.float32), p)
    t = 2 * t - 1 if np.isin(t, (0, 1)).all() else t
    margin = 1 - t * p.mid
    r = np.abs(t) * p.radius + 2 * U * (1 + np.abs(t * p.mid) + np.abs(t) * p.radius)
    high = value(margin + r)
    return _mean(Spread(value(margin - r), value(margin), high).widen(3 * U * high))


def categorical_hinge(target: np.ndarray, p: Predictions, parameters: Parameters, keras: int) -> Samples:
    """max(max (1 − t)·y − Σ t·y + 1, 0) along the last axis."""
    t, p = aligned(np.asarray(target, np.float32), p)
    right, wrong = np.sum(t * p.mid, axis=-1), np.max((1 - t) * p.mid, axis=-1)
    moved = p.row_radius * (np.sum(np.abs(t), axis=-1) + np.max(np.abs(1 - t), axis=-1))
    terms = np.sum(np.abs(t) * (np.abs(p.mid) + p.radius), axis=-1)
    r = moved + U * ((t.shape[-1] + 3) * terms + 4 * (np.abs(wrong) + moved + 1))
    value = wrong - right + 1
    found = Spread(*(np.maximum(v, 0.0) for v in (value - r, value, value + r)))
    return Samples(*by_sample(found))


def _mean(values: Spread) -> Samples:
    """The mean along the last axis, whose n terms may be added in any order, and over what else a sample holds."""
    n = values.mid.shape[-1]
    mean = values.over(-1).times(1 / n)
    return Samples(*by_sample(mean.widen((n + 1) * U * (1 + n * U) * mean.largest)))
