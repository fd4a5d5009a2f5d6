"""Numbers with the range that conforming executions may give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refconv.numerics.formats import FLOAT32

U = FLOAT32.u


@dataclass(frozen=True)
class Spread:
    """The least, the exact and the greatest value: three arrays of one shape, in float64."""

    low: np.ndarray
    mid: np.ndarray
    high: np.ndarray

    def widen(self, by: np.ndarray | float) -> Spread:
        return Spread(self.low - by, self.mid, self.high + by)

    def times(self, factor: np.ndarray | float) -> Spread:
        """Each end times `factor`, which may be negative."""
        ends = self.low * factor, self.high * factor
        return Spread(np.minimum(*ends), self.mid * factor, np.maximum(*ends))

    def plus(self, other: Spread) -> Spread:
        return Spread(self.low + other.low, self.mid + other.mid, self.high + other.high)

    def over(self, axis: int) -> Spread:
        """The sum along an axis."""
        return Spread(*(np.sum(v, axis=axis) for v in (self.low, self.mid, self.high)))

    @property
    def largest(self) -> np.ndarray:
        """The greatest magnitude within each range."""
        return np.maximum(np.abs(self.low), np.abs(self.high))


def exactly(values: np.ndarray) -> Spread:
    return Spread(values, values, values)


def zero() -> Spread:
    return exactly(np.zeros(()))


@dataclass(frozen=True)
class Samples:
    """What a loss or a metric gives for every sample.

    Attributes:
        values: (N,) each the mean over whatever a sample holds beside its last axis.
        terms: how many numbers the framework adds up for one sample, after those that `values` accounts for.
        counts: (N,) decisions per sample behind a fraction; None where the value is none.
        unit: what those decisions are: "samples", "decisions".
    """

    values: Spread
    terms: int = 1
    counts: np.ndarray | None = None
    unit: str = "samples"


def by_sample(values: Spread) -> tuple[Spread, int]:
    """(N, …) → (N,), the mean over all but the first axis, and how many numbers that is."""
    inner = int(np.prod(values.mid.shape[1:]))
    if values.mid.ndim == 1:
        return values, 1
    return Spread(*(v.reshape(len(v), -1).mean(axis=1) for v in (values.low, values.mid, values.high))), inner
