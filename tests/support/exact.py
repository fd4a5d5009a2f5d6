"""Exact dot products of float32 values, by integers; proved against fractions.Fraction in the tests."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

_LOWEST = -2 * 149  # exponent of the last place of a product of two subnormals
_WIDTH = 2 * (128 + 149) + 24  # exponents of last places that occur


@dataclass(frozen=True)
class ExactDots:
    """Exact results of many dot products, as fractions and as the unevaluated sum of two float64 values.

    `high` is the rounded result and `low` the rounded rest, so that high + low is off by 2⁻¹⁰⁶ at most; `size` is
    Σ|x·w|, rounded to float64.
    """

    values: tuple[Fraction, ...]
    high: np.ndarray
    low: np.ndarray
    size: np.ndarray

    def distance(self, got: np.ndarray) -> np.ndarray:
        """|got − exact|, to a relative error below 2⁻⁵⁰; `got` is float32 or float64.

        got − high is exact where they are within a factor of two of each other (Sterbenz); where they are not, the
        difference is at least half of `high`, so that its own rounding is relatively small.
        """
        return np.abs((got.astype(np.float64) - self.high) - self.low)


def dots(x: np.ndarray, w: np.ndarray, bias: np.ndarray | None = None) -> ExactDots:
    """Σ x·w (+ bias) over the first axis; x and w (n, dots) finite float32, bias (dots,)."""
    if bias is not None:
        x = np.concatenate([x, bias[None]])
        w = np.concatenate([w, np.ones_like(bias)[None]])
    signed, absolute = _exact(x, w), _exact(np.abs(x), np.abs(w))
    high = np.array([float(v) for v in signed])
    low = np.array([float(v - Fraction(h)) for v, h in zip(signed, high.tolist(), strict=True)])
    return ExactDots(tuple(signed), high, low, np.array([float(v) for v in absolute]))


def _exact(x: np.ndarray, w: np.ndarray) -> list[Fraction]:
    """Mantissas of the same exponent are summed as integers below 2⁵³, exact in float64; then shifted and added.

    A product of two mantissas has 48 bits and is cut into two halves of 24, so that 2²⁸ terms of one exponent fit.
    """
    (mx, ex), (mw, ew) = _integers(x), _integers(w)
    product = mx * mw
    top = product >> 24  # rounds down, so the rest is never negative
    bottom = product - (top << 24)
    place = (ex + ew - _LOWEST).astype(np.int64) + _WIDTH * np.arange(x.shape[1])
    sums = [
        np.bincount(place.ravel(), weights=half.ravel().astype(np.float64), minlength=_WIDTH * x.shape[1])
        for half in (bottom, top)
    ]
    return [_shifted(low, high) for low, high in zip(*(s.reshape(-1, _WIDTH) for s in sums), strict=True)]


def _integers(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integers of at most 24 bits and exponents: v = integer·2^exponent, exponents of subnormals as they are stored."""
    mantissa, exponent = np.frexp(v.astype(np.float64))
    exponent = np.maximum(exponent - 24, -149)
    return np.ldexp(v.astype(np.float64), -exponent).astype(np.int64), exponent


def _shifted(low: np.ndarray, high: np.ndarray) -> Fraction:
    total = sum(int(low[i]) << int(i) for i in np.flatnonzero(low))
    total += sum(int(high[i]) << (int(i) + 24) for i in np.flatnonzero(high))
    return Fraction(total) * Fraction(2) ** _LOWEST
