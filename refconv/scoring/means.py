"""Values of samples into one number, batch by batch as Keras adds them up in float32."""

from __future__ import annotations

from math import ceil

import numpy as np

from refconv.scoring.spread import Samples, Spread, U


def loss_mean(found: Samples, weights: np.ndarray | None, batch: int, *, of_batches: bool = False) -> Spread:
    """Σ w·v / N over samples.

    With `of_batches` the mean of the batches' means, in which samples of a smaller last batch weigh more: so Keras 3
    reports the loss of each of several outputs (`CompileLoss.call` counts batches whose size is not known as 1).
    """
    values = found.values if weights is None else found.values.times(weights)
    share = _shares(len(values.mid), batch) if of_batches else np.full(len(values.mid), 1 / len(values.mid))
    return _summed(values.times(share), found.terms, len(values.mid), batch)


def metric_mean(found: Samples, weights: np.ndarray | None, batch: int) -> Spread:
    """Σ w·v / Σ w over samples."""
    n = len(found.values.mid)
    w = np.ones(n) if weights is None else np.asarray(weights, np.float64)
    total = w.sum()
    share = w / total if total else np.zeros(n)
    counted = found.counts is not None and weights is None  # ones and zeros: float32 adds them without error
    return _summed(found.values.times(share), 1 if counted else found.terms, n, batch)


def root(mean: Spread) -> Spread:
    found = Spread(*(np.sqrt(np.maximum(v, 0.0)) for v in (mean.low, mean.mid, mean.high)))
    return found.widen(6 * U * found.high)


def _shares(n: int, batch: int) -> np.ndarray:
    batches = ceil(n / batch)
    sizes = np.full(batches, batch)
    sizes[-1] = n - batch * (batches - 1)
    return np.repeat(1 / (sizes * batches), sizes)


def _summed(values: Spread, terms: int, n: int, batch: int) -> Spread:
    """Σ, with γ of as many additions as a batch and the number of batches need, in any order; and the division."""
    additions = terms * min(batch, n) + ceil(n / batch) + 6
    rounding = additions * U / (1 - additions * U) * np.sum(values.largest)
    return values.over(0).widen(rounding)
