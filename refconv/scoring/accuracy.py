"""Fractions of right decisions. A decision that the predictions' radius leaves open counts both ways.

Definitions: keras.metrics (https://keras.io/api/metrics/accuracy_metrics/); ties go to the first class (argmax), and
`in_top_k` counts only classes that are strictly greater.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from refconv.scoring.predictions import Predictions, Unsettled, aligned, classes
from refconv.scoring.spread import Samples, Spread, by_sample

Parameters = Mapping[str, Any]


def binary(target: np.ndarray, p: Predictions, parameters: Parameters, keras: int) -> Samples:
    """Of all elements: t equals 1 where y > threshold, else 0."""
    t, p = aligned(target, p)
    threshold = float(np.float32(parameters["threshold"]))
    never, is_, always = ((v > threshold).astype(np.float64) for v in (p.low, p.mid, p.high))
    sure = never == always
    right = (t == is_).astype(np.float64)
    possible = (t == 0) | (t == 1)
    found = Spread(np.where(sure, right, 0.0), right, np.where(sure, right, possible))
    return _counted(found, "samples" if p.mid[0].size == 1 else "decisions")


def categorical(target: np.ndarray, p: Predictions, parameters: Parameters, keras: int) -> Samples:
    """The greatest of y stands where the greatest of t stands."""
    return _counted(_matches(_highest(target, p), p))


def sparse_categorical(target: np.ndarray, p: Predictions, parameters: Parameters, keras: int) -> Samples:
    """The greatest of y stands at t."""
    return _counted(_matches(classes(target, p), p))


def top_k(target: np.ndarray, p: Predictions, parameters: Parameters, keras: int) -> Samples:
    """Fewer than k of y are greater than that where the greatest of t stands."""
    return _counted(_among(_highest(target, p), p, int(parameters["k"])))


def sparse_top_k(target: np.ndarray, p: Predictions, parameters: Parameters, keras: int) -> Samples:
    """Fewer than k of y are greater than that at t."""
    if parameters.get("from_sorted_ids"):
        raise Unsettled("predictions that are sorted class numbers have no reference")
    return _counted(_among(classes(target, p), p, int(parameters["k"])))


def _highest(target: np.ndarray, p: Predictions) -> np.ndarray:
    """The place of the greatest target. Of a single column that is always 0, and Keras takes it so."""
    if target.ndim != p.mid.ndim:
        raise Unsettled(f"targets of shape {target.shape} are not one-hot for predictions of shape {p.shape}")
    return np.argmax(target, axis=-1)


def _matches(label: np.ndarray, p: Predictions) -> Spread:
    if label.shape != p.shape[:-1]:
        raise Unsettled(f"targets of shape {label.shape} do not fit predictions of shape {p.shape}")
    right = np.argmax(p.mid, axis=-1) == label
    own = np.take_along_axis(p.mid, label[..., None], axis=-1)[..., 0]
    others = np.where(np.arange(p.shape[-1]) == label[..., None], -np.inf, p.mid).max(axis=-1)
    gap, r = own - others, 2 * p.row_radius
    sides = np.where(r == 0, right, gap > r), right, np.where(r == 0, right, gap >= -r)
    return Spread(*(v.astype(np.float64) for v in sides))


def _among(label: np.ndarray, p: Predictions, k: int) -> Spread:
    if label.shape != p.shape[:-1]:
        raise Unsettled(f"targets of shape {label.shape} do not fit predictions of shape {p.shape}")
    own = np.take_along_axis(p.mid, label[..., None], axis=-1)
    other = np.arange(p.shape[-1]) != label[..., None]
    sides = (2 * p.radius, 0.0, -2 * p.radius)
    greater = [np.sum(other & (p.mid + side > own), axis=-1) for side in sides]
    return Spread(*((count < k).astype(np.float64) for count in greater))


def _counted(right: Spread, unit: str = "") -> Samples:
    inner = int(np.prod(right.mid.shape[1:]))
    counts = right.mid.reshape(len(right.mid), -1).sum(axis=1)
    values, terms = by_sample(right)
    return Samples(values, terms, counts, unit or ("samples" if inner == 1 else "positions"))
