"""Crossentropies and the Kullback-Leibler divergence, as each Keras computes them.

Where a softmax or a sigmoid gave the output, both Kerases take back what it was given (`_keras_logits`) and compute
from logits: nothing is clipped then. They do not look which of the two it was: the binary loss of a softmax's output is
that of σ(logits), the categorical loss of a sigmoid's output that of softmax(logits). Else a probability is clipped to
[ε, 1 − ε] in float32, ε = 1e-7, so that 1 − ε is 1 − 2⁻²³; Keras 2 adds ε once more inside the binary loss's
logarithms.
Formulas: keras.losses (https://keras.io/api/losses/probabilistic_losses/).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from refconv.numerics.formats import Field
from refconv.ops.functions.base import DIVISION, EXP, LOG, LOG1P
from refconv.scoring.predictions import Predictions, Unsettled, aligned, classes
from refconv.scoring.spread import Samples, Spread, U, by_sample

Parameters = Mapping[str, Any]

EPSILON = float(np.float32(1e-7))
MOST = float(np.float32(1) - np.float32(1e-7))


def binary(target: np.ndarray, p: Predictions, parameters: Parameters, keras: int) -> Samples:
    """mean −t·log y − (1 − t)·log(1 − y) along the last axis."""
    _plain_axis(parameters)
    t, p = aligned(np.asarray(target, np.float32), p)
    smoothing = float(np.float32(parameters["label_smoothing"]))
    t = t * (1 - smoothing) + smoothing / 2
    logits = _logits(p, parameters)
    values = _sigmoid_crossentropy(t, *logits) if logits else _binary_of_probabilities(t, p, keras)
    n = values.mid.shape[-1]
    mean = values.over(-1).times(1 / n)
    return Samples(*by_sample(mean.widen((n + 6) * U * (1 + n * U) * mean.largest)))


def _binary_of_probabilities(t: np.ndarray, p: Predictions, keras: int) -> Spread:
    added = EPSILON if keras == 2 else 0.0
    low, mid, high = (np.clip(v, EPSILON, MOST) for v in (p.low, p.mid, p.high))
    yes = _log(Spread(low + added, mid + added, high + added))
    no = _log(Spread(1 - high + added, 1 - mid + added, 1 - low + added))
    return yes.times(-t).plus(no.times(t - 1))


def _sigmoid_crossentropy(t: np.ndarray, z: np.ndarray, r: Field) -> Spread:
    """log(1 + eᶻ) − t·z, whose slope is σ(z) − t and bends by at most ¼."""
    bend = np.log1p(np.exp(-np.abs(z)))
    value = np.maximum(z, 0) - t * z + bend
    slope = np.abs(np.exp(np.minimum(z, 0)) / (1 + np.exp(-np.abs(z))) - t)
    rounding = U * (4 * np.abs(z) * (1 + np.abs(t)) + (LOG1P + EXP + 2) * bend)
    moved = r * (slope + r / 4)
    return Spread(value - moved, value, value + moved).widen(rounding)


def categorical(target: np.ndarray, p: Predictions, parameters: Parameters, keras: int) -> Samples:
    """−Σ t·log y along the last axis, y divided by its sum first."""
    _plain_axis(parameters)
    t, p = aligned(np.asarray(target, np.float32), p)
    smoothing = float(np.float32(parameters["label_smoothing"]))
    t = t * (1 - smoothing) + smoothing / t.shape[-1]
    logits = _logits(p, parameters)
    values = _softmax_crossentropy(t, *logits) if logits else _categorical_of_probabilities(t, p)
    return Samples(*by_sample(values))


def _softmax_crossentropy(t: np.ndarray, z: np.ndarray, reach: Field) -> Spread:
    """T·log Σeᶻ − Σ t·z with T = Σt; its slope in z_k is T·y_k − t_k, and y_k within e^±2r of its own value."""
    r = np.broadcast_to(reach, z.shape)[..., 0]
    shifted = z - z.max(axis=-1, keepdims=True)
    powers = np.exp(shifted)
    total = powers.sum(axis=-1, keepdims=True)
    T = t.sum(axis=-1)
    terms = t * (np.log(total) - shifted)
    slope = np.sum(np.abs(t - T[..., None] * powers / total), axis=-1) + np.abs(T) * np.expm1(2 * r)
    value = terms.sum(axis=-1)
    rounding = _softmax_rounding(t, shifted, powers / total, np.log(total))
    return Spread(value - r * slope, value, value + r * slope).widen(rounding)


def _softmax_rounding(t: np.ndarray, shifted: np.ndarray, y: np.ndarray, log_total: np.ndarray) -> np.ndarray:
    """What float32 adds to Σ t·(log Σ − z): the errors of the sum of exponentials, of its logarithm, and of the sum."""
    n = t.shape[-1]
    of_total = np.sum(y * np.abs(shifted), axis=-1) + EXP + n + LOG * np.abs(log_total[..., 0])
    weight = np.sum(np.abs(t), axis=-1)
    return U * (1 + n * U) * (weight * of_total + (n + 8) * np.sum(np.abs(t) * (np.abs(shifted) + log_total), axis=-1))


def _categorical_of_probabilities(t: np.ndarray, p: Predictions) -> Spread:
    n = p.shape[-1]
    low, high = np.maximum(p.low, 0.0), np.maximum(p.high, 0.0)
    if np.any(p.mid < -p.radius) or np.any(low.sum(axis=-1) <= 0):
        raise Unsettled("predictions that are no probabilities have no crossentropy to bound")
    share = p.mid / p.mid.sum(axis=-1, keepdims=True)
    rest_low, rest_high = (v.sum(axis=-1, keepdims=True) - v for v in (low, high))
    ends = low / np.maximum(low + rest_high, 1e-300), high / np.maximum(high + rest_low, 1e-300)
    blur = (n + DIVISION) * U
    least, most = ends[0] * (1 - blur), ends[1] * (1 + blur)
    logs = _log(Spread(*(np.clip(v, EPSILON, MOST) for v in (least, share, most))))
    found = logs.times(-t)
    magnitude = np.sum(found.largest, axis=-1)
    return found.over(-1).widen((n + 6) * U * magnitude)


def sparse(target: np.ndarray, p: Predictions, parameters: Parameters, keras: int) -> Samples:
    """−log y of the target's class, of probabilities that are clipped and then divided by their sum."""
    _plain_axis(parameters)
    if parameters["ignore_class"] is not None:
        raise Unsettled("ignore_class has no reference")
    one_hot = np.eye(p.shape[-1])[classes(target, p)]
    if logits := _logits(p, parameters):
        return Samples(*by_sample(_softmax_crossentropy(one_hot, *logits)))
    low, mid, high = (np.clip(v, EPSILON, MOST) for v in (p.low, p.mid, p.high))
    found = Spread(
        _of_class(one_hot, high, low),
        _of_class(one_hot, mid, mid),
        _of_class(one_hot, low, high),
    )
    logs = np.log(mid)
    top = logs.max(axis=-1, keepdims=True)
    total = np.exp(logs - top).sum(axis=-1, keepdims=True)
    blur = _softmax_rounding(one_hot, logs - top, np.exp(logs - top) / total, np.log(total))
    return Samples(*by_sample(found.widen(blur + U * (2 * LOG + 4) * np.abs(logs).max(axis=-1))))


def _of_class(one_hot: np.ndarray, own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """log Σy − log y of the class, whose own y is from `own` and the rest from `others`."""
    y = np.where(one_hot == 1, own, others)
    return np.log(y.sum(axis=-1)) - np.log(np.sum(y * one_hot, axis=-1))


def divergence(target: np.ndarray, p: Predictions, parameters: Parameters, keras: int) -> Samples:
    """Σ t·log(t/y) along the last axis, both clipped to [ε, 1]."""
    t, p = aligned(np.asarray(target, np.float32), p)
    t = np.clip(t, EPSILON, 1.0)
    low, mid, high = (np.clip(v, EPSILON, 1.0) for v in (p.low, p.mid, p.high))
    quotient = U * DIVISION
    logs = _log(Spread(t / high, t / mid, t / low)).widen(quotient)
    found = logs.times(t)
    n = t.shape[-1]
    return Samples(*by_sample(found.over(-1).widen((n + 2) * U * np.sum(found.largest, axis=-1))))


def _log(x: Spread) -> Spread:
    """log x in float32: the argument was rounded twice."""
    found = Spread(*(np.log(v) for v in (x.low, x.mid, x.high)))
    return found.widen(2 * U + LOG * U * found.largest)


def _logits(p: Predictions, parameters: Parameters) -> tuple[np.ndarray, Field] | None:
    """What a crossentropy takes instead of probabilities, and its radius; None where it takes probabilities."""
    if p.logits is not None:
        return p.logits, p.reach
    return (p.mid, p.radius) if parameters["from_logits"] else None


def _plain_axis(parameters: Parameters) -> None:
    if parameters.get("axis", -1) != -1:
        raise Unsettled("an axis other than the last has no reference")
