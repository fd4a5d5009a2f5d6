"""Scales computed from the data (alpha "auto" and "auto_po2"): as QKeras steps to them, and where they may lie.

QKeras alternates between rounding with a scale and the least-squares scale Σxq / (Σq² + ε) of what came out. The means
are float32 sums in an unknown order and the logarithm has an error, so every scale is an interval; it is one power of
two except where log2 comes that close to a tie.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.exactness import grid
from refconv.numerics.formats import FLOAT32
from refconv.numerics.moments import Moments
from refconv.quantizers.float32 import EPSILON, f32, log2, power

Axes = tuple[int, ...]
Pair = tuple[np.ndarray, np.ndarray]
U = FLOAT32.u


def scaling_axes(rank: int, scale_axis: int | None = None) -> Axes:
    """The axes that share a scale: all but `scale_axis`, all but the last where None.

    Raises:
        UnreadableModel: there is no such axis.
    """
    kept = rank - 1 if scale_axis is None else scale_axis
    if kept >= rank:
        raise UnreadableModel(f"scale_axis is {kept}, of a weight that has {rank} axes")
    return (*range(kept), *range(kept + 1, rank))


@dataclass(frozen=True)
class Search:
    """How a scale is found.

    Attributes:
        first: x → the scale to begin with, monotone in |x| (in x, where `signed`).
        round: (x, scale) → codes as float32, monotone in x, and in magnitude falling with the scale.
        axes: of the least-squares means; () where each element has its own scale.
        rounds: how often to round and fit.
        po2: the scale is rounded to a power of two.
        final: True where x is rounded once more with the last scale, False where the last codes stay.
        rounds_first: whether `first` rounds, so that a graph that divides by multiplying gives a neighbour.
    """

    first: Callable[[np.ndarray], np.ndarray]
    round: Callable[[np.ndarray, np.ndarray], np.ndarray]
    axes: Axes
    rounds: int
    po2: bool
    final: bool = False
    signed: bool = False
    rounds_first: bool = True

    def nominal(self, x: np.ndarray) -> Pair:
        """Codes and scale in float32."""
        scale = self.first(x)
        scale = _power_of_two(scale) if self.po2 else scale
        codes = self.round(x, scale)
        for k in range(self.rounds):
            codes = self.round(x, scale) if k else codes
            scale = _fit(x, codes, self.axes)
            scale = _power_of_two(scale) if self.po2 else scale
        return (self.round(x, scale) if self.final else codes), scale

    def bounds(self, low: np.ndarray, high: np.ndarray) -> tuple[Pair, Pair]:
        """(codes, codes), (scale, scale): least and greatest for low ≤ x ≤ high."""
        least, most = (low, high) if self.signed else _magnitudes(low, high)
        scale = self._po2(self._first(least, most))
        codes = self._round(low, high, scale)
        for k in range(self.rounds):
            codes = self._round(low, high, scale) if k else codes
            scale = self._po2(_fit_bounds((low, high), codes, self.axes))
        return (self._round(low, high, scale) if self.final else codes), scale

    def _first(self, least: np.ndarray, most: np.ndarray) -> Pair:
        """TensorFlow's graphs turn the division by a constant into a product: two roundings for one."""
        low, high = self.first(least), self.first(most)
        return (f32(low * (1 - 4 * U)), f32(high * (1 + 4 * U))) if self.rounds_first else (low, high)

    def _round(self, low: np.ndarray, high: np.ndarray, scale: Pair) -> Pair:
        corners = [self.round(x, s) for x in (low, high) for s in scale]
        # A scale of 0 gives NaN and so the code 0, but just above it every x ≠ 0 has its extreme code.
        corners += [self.round(x, np.maximum(scale[0], np.abs(x) * np.float32(2.0**-30))) for x in (low, high)]
        return np.minimum.reduce(corners), np.maximum.reduce(corners)

    def _po2(self, scale: Pair) -> Pair:
        if not self.po2:
            return scale
        return _power_of_two(scale[0], -1), _power_of_two(scale[1], +1)


def _magnitudes(low: np.ndarray, high: np.ndarray) -> Pair:
    return np.maximum(np.maximum(low, -high), np.float32(0)), np.maximum(np.abs(low), np.abs(high))


def _power_of_two(scale: np.ndarray, nudge: int = 0) -> np.ndarray:
    """2^round(log(scale + ε)/log 2), half to even; `nudge` moves the logarithm by its own error and that of the sum."""
    exponent = log2(scale + EPSILON, nudge)
    return power(np.rint(exponent + np.float32(2 * U * nudge)))


def _fit(x: np.ndarray, codes: np.ndarray, axes: Axes) -> np.ndarray:
    means = [f32((a * codes).mean(axis=axes, keepdims=True, dtype=np.float64)) for a in (x, codes)]
    return means[0] / (means[1] + EPSILON)


def _fit_bounds(x: Pair, codes: Pair, axes: Axes) -> Pair:
    """Interval of mean(x·q)/(mean(q²) + ε); x·q ≥ 0, as codes have the sign of x."""
    least, most = _products(x, codes)
    smallest, largest = _products(codes, codes)
    sums = [_mean(t, axes, side) for t, side in ((least, -1), (most, +1), (smallest, -1), (largest, +1))]
    epsilon = float(EPSILON)
    low, high = sums[0] / (sums[3] + epsilon), sums[1] / (sums[2] + epsilon)
    return f32(low * (1 - 8 * U)), f32(high * (1 + 8 * U))


def _products(a: Pair, b: Pair) -> Pair:
    corners = [p.astype(np.float64) * q for p in a for q in b]
    return np.maximum(np.minimum.reduce(corners), 0), np.maximum(np.maximum.reduce(corners), 0)


def _mean(terms: np.ndarray, axes: Axes, side: int) -> np.ndarray:
    """A mean of terms ≥ 0 moved to its probable end: NUMERICS, stage 1."""
    n = int(np.prod([terms.shape[a] for a in axes], dtype=np.int64))
    total, squares = (v.sum(axis=axes, keepdims=True) for v in (terms, terms**2))
    found = Arithmetic().close(Moments(total, Q=squares, n=n, A=total, grid=grid(terms)))
    return np.maximum(total + side * np.asarray(found.probable), 0) / n
