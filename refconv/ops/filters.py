"""Resampling filters: w(|x|), how far a float32 kernel's value may lie from it, and how steep it is.

Source: the kernels of TensorFlow's sampling_kernels.h, which tf.image.resize names; the papers are named beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, pi

import numpy as np

SIN = 8  # units of u|sin|: OpenCL's full profile, as in `functions.base`
DIVISION, EXP = 5, 6
SINC_SLOPE = 1.371  # largest |d/dx sin(πx)/(πx)|, 0.4362·π at πx = 2.0816

Valued = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Filter:
    """One filter, symmetric and 0 beyond `radius`.

    Attributes:
        weigh: (x ≥ 0, u) → w(x) before it is cut off, and the largest error of a kernel that is given exactly x.
        radius: where it ends.
        slope: the largest |w'|.
        jumps: position and height of every discontinuity.
    """

    weigh: Callable[[np.ndarray, float], Valued]
    radius: float
    slope: float
    jumps: tuple[tuple[float, float], ...] = ()


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


NEAR = 1e-3  # below it a Lanczos kernel takes sin(x)/x for 1


def lanczos(a: int) -> Filter:
    step = 1 - float(np.sinc(NEAR) * np.sinc(NEAR / a))
    return Filter(_lanczos(a), float(a), SINC_SLOPE * (1 + 1 / a), ((NEAR, step),))


KEYS_INNER, KEYS_OUTER = (1.5, -2.5, 0.0, 1.0), (-0.5, 2.5, -4.0, 2.0)
MITCHELL_INNER, MITCHELL_OUTER = (7 / 6, -2.0, 0.0, 8 / 9), (-7 / 18, 2.0, -10 / 3, 16 / 9)

TRIANGLE = Filter(_triangle, 1.0, 1.0)
# R. G. Keys, Cubic convolution interpolation for digital image processing, 1981: a = −½.
KEYS = Filter(_pieces(KEYS_INNER, KEYS_OUTER), 2.0, 25 / 18)
# D. P. Mitchell and A. N. Netravali, Reconstruction filters in computer graphics, 1988: B = C = ⅓.
MITCHELL = Filter(_pieces(MITCHELL_INNER, MITCHELL_OUTER), 2.0, 8 / 7)
GAUSSIAN = Filter(_gaussian, 1.5, 2 * exp(-0.5), ((1.5, exp(-4.5)),))

FILTERS = {
    "bilinear": TRIANGLE,
    "bicubic": KEYS,
    "lanczos3": lanczos(3),
    "lanczos5": lanczos(5),
    "gaussian": GAUSSIAN,
    "mitchellcubic": MITCHELL,
}
