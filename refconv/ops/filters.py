"""Resampling filters: w(|x|), how far a float32 kernel's value may lie from it, and how steep it is.

Source: the kernels of TensorFlow's sampling_kernels.h, which tf.image.resize names; the papers are named beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import pi

import numpy as np

from refconv.ops.functions.base import DIVISION, EXP

SIN = 8  # units of u|sin|: OpenCL's full profile, as in `functions.base`
# Largest |w''|: Keys's cubic 9x − 5 at 0; Mitchell's and the Gauss curve 4; Lanczos π²/3·(1 + 1/a²) + 2·1.371²/a, below
# 4.92, because sin(πx)/(πx) is nowhere steeper than 1.371.
BEND = 5.0
NEAR = 1e-3  # below it a Lanczos kernel takes sin(x)/x for 1

Valued = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Filter:
    """One filter, symmetric and 0 beyond `radius`.

    Attributes:
        weigh: (x ≥ 0, u) → w(x) before it is cut off, and the largest error of a kernel that is given exactly x.
        radius: where it ends.
    """

    weigh: Callable[[np.ndarray, float], Valued]
    radius: float

    def __call__(self, x: np.ndarray, u: float) -> Valued:
        value, error = self.weigh(np.minimum(x, self.radius), u)
        return np.where(x < self.radius, value, 0.0), np.where(x < self.radius, error, 0.0)

    def near(self, x: np.ndarray, drift: np.ndarray, u: float) -> Valued:
        """w(x), and how far a kernel may lie from it whose x lies within `drift`.

        Between the ends no piece of w leaves what the ends span by more than BEND·drift²/2, and a jump shows at one of
        them; to which comes the kernel's own error, there or at an end.
        """
        value, error = self(x, u)
        moved = np.zeros_like(value)
        for end in (np.abs(x - drift), x + drift):
            there, own = self(end, u)
            moved, error = np.maximum(moved, np.abs(there - value)), np.maximum(error, own)
        return value, error + moved + BEND / 2 * drift**2


def horner(coefficients: Sequence[float], x: np.ndarray, u: float) -> Valued:
    """Σ cₖxᵏ, highest first, and the running error bound of Horner's scheme with every cₖ rounded (Higham, §5.1)."""
    value = np.full_like(x, coefficients[0])
    error = u * np.abs(value)
    for c in coefficients[1:]:
        product = value * x
        value = product + c
        error = error * x + u * (np.abs(product) + np.abs(value) + abs(c))
    return value, error


def _pieces(inner: Sequence[float], outer: Sequence[float]) -> Callable[[np.ndarray, float], Valued]:
    """One polynomial below 1, another from there on."""

    def weigh(x: np.ndarray, u: float) -> Valued:
        near, far = horner(inner, x, u), horner(outer, x, u)
        return np.where(x < 1, near[0], far[0]), np.where(x < 1, near[1], far[1])

    return weigh


def _triangle(x: np.ndarray, u: float) -> Valued:
    return 1 - x, u * np.abs(1 - x)


def _gaussian(x: np.ndarray, u: float) -> Valued:
    """exp(−x²/2σ²), σ = ½: x² rounds, and the quotient and its exponential."""
    exponent = 2 * x * x
    w = np.exp(-exponent)
    return w, u * w * (exponent * (1 + DIVISION) + EXP)


def _lanczos(a: int) -> Callable[[np.ndarray, float], Valued]:
    """sinc(x)·sinc(x/a), as a·sin(πx)·sin(πx/a)/(π·π·x·x); 1 up to x = 10⁻³.

    π errs by u/2. The arguments round once and twice, the numerator twice, the denominator 3 times with π² twice over.
    """

    def weigh(x: np.ndarray, u: float) -> Valued:
        near = x <= NEAR
        safe = np.where(near, 1.0, x)
        first, second = np.sin(pi * safe), np.sin(pi * safe / a)
        below = pi * pi * safe * safe
        w = a * first * second / below
        errors = u * (1.5 * pi * safe + SIN * np.abs(first)), u * (2.5 * pi * safe / a + SIN * np.abs(second))
        error = a * (errors[0] * np.abs(second) + np.abs(first) * errors[1]) / below + u * (6 + DIVISION) * np.abs(w)
        return np.where(near, 1.0, w), np.where(near, 0.0, error)

    return weigh


KEYS_INNER, KEYS_OUTER = (1.5, -2.5, 0.0, 1.0), (-0.5, 2.5, -4.0, 2.0)
MITCHELL_INNER, MITCHELL_OUTER = (7 / 6, -2.0, 0.0, 8 / 9), (-7 / 18, 2.0, -10 / 3, 16 / 9)

TRIANGLE = Filter(_triangle, 1.0)
# R. G. Keys, Cubic convolution interpolation for digital image processing, 1981: a = −½.
KEYS = Filter(_pieces(KEYS_INNER, KEYS_OUTER), 2.0)
# D. P. Mitchell and A. N. Netravali, Reconstruction filters in computer graphics, 1988: B = C = ⅓.
MITCHELL = Filter(_pieces(MITCHELL_INNER, MITCHELL_OUTER), 2.0)
GAUSSIAN = Filter(_gaussian, 1.5)  # three standard deviations, where e⁻⁴·⁵ are left

FILTERS = {
    "bilinear": TRIANGLE,
    "bicubic": KEYS,
    "lanczos3": Filter(_lanczos(3), 3.0),
    "lanczos5": Filter(_lanczos(5), 5.0),
    "gaussian": GAUSSIAN,
    "mitchellcubic": MITCHELL,
}
