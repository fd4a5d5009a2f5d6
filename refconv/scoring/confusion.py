"""Precision and recall at one threshold.

Definitions: keras.metrics (https://keras.io/api/metrics/classification_metrics/). A target counts as positive where it
is not 0, a prediction where it is above the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from refconv.scoring.predictions import Predictions, Unsettled, aligned
from refconv.scoring.spread import Spread

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Share:
    """`part` of `whole`, weighted; `value` is their quotient, 0 of nothing is 0."""

    value: Spread
    part: float
    whole: float
    unit: str


def precision(target: np.ndarray, p: Predictions, parameters: Parameters, weights: np.ndarray | None) -> Share:
    """True positives of all predicted ones."""
    true, false = _positives(target, p, parameters, weights)
    return Share(_share(true, false), float(true.mid), float(true.mid + false.mid), "predicted positives")


def recall(target: np.ndarray, p: Predictions, parameters: Parameters, weights: np.ndarray | None) -> Share:
    """True positives of all that are positive."""
    true, _ = _positives(target, p, parameters, weights)
    t, w = _weighted(target, p, weights)
    everything = float(np.sum(w * (t != 0)))
    missed = Spread(everything - true.high, everything - true.mid, everything - true.low)
    return Share(_share(true, missed), float(true.mid), everything, "positives")


def _positives(
    target: np.ndarray, p: Predictions, parameters: Parameters, weights: np.ndarray | None
) -> tuple[Spread, Spread]:
    """Σ of true and of false positives; undecided ones count both ways."""
    threshold = _threshold(parameters)
    t, w = _weighted(target, p, weights)
    above = [(v.reshape(t.shape) > threshold) for v in (p.low, p.mid, p.high)]
    true = Spread(*(np.sum(w * (t != 0) * v) for v in above))
    return true, Spread(*(np.sum(w * (t == 0) * v) for v in above))


def _weighted(target: np.ndarray, p: Predictions, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    t, p = aligned(target, p)
    w = np.ones(len(t)) if weights is None else np.asarray(weights, np.float64)
    return t, np.broadcast_to(w.reshape(-1, *(1,) * (t.ndim - 1)), t.shape)


def _threshold(parameters: Parameters) -> float:
    for name in ("top_k", "class_id"):
        if parameters[name] is not None:
            raise Unsettled(f"{name} has no reference")
    given = parameters["thresholds"]
    if isinstance(given, (list, tuple)):
        if len(given) != 1:
            raise Unsettled("several thresholds have no reference")
        given = given[0]
    return float(np.float32(0.5 if given is None else given))


def _share(part: Spread, rest: Spread) -> Spread:
    def quotient(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray(a / (a + b) if a + b else 0.0)

    return Spread(quotient(part.low, rest.high), quotient(part.mid, rest.mid), quotient(part.high, rest.low))
