"""Which pixels of a line an output takes, with what weights, and how far a kernel's weights may lie from them.

Every output's centre is c = (i + ½)·length/target, in pixels from the line's beginning; pixel k's is k + ½.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np

from refconv.numerics.formats import gamma
from refconv.ops.filters import FILTERS, KEYS, Filter
from refconv.ops.interpolation import half_pixel

STEPS = 1024  # of a pixel: the positions that TensorFlow's bicubic kernel keeps weights for
LEAST = 2.0**-64  # so that weights of which nothing is known give a radius, and no NaN
SECOND_ORDER = 1 + 2.0**-16  # what errors of errors add to a sum of a few hundred u


@dataclass(frozen=True)
class Taps:
    """Weights of a line's pixels in each output, arrays of shape (target, length).

    Attributes:
        weights: exact, to float64 accuracy.
        spread: the largest error of a kernel's weight, before what `resampling` counts: roundings relative to each,
            and those of the sum that all are divided by.
        taken: pixels that a kernel may multiply, by 0 too.
        condition: Σ|w|/|Σw| of the weights before they were divided by their sum; 0 where they are not.
    """

    weights: np.ndarray
    spread: np.ndarray
    taken: np.ndarray
    condition: np.ndarray

    @property
    def count(self) -> np.ndarray:
        return np.count_nonzero(self.taken, axis=1)


def taps(method: str, length: int, target: int, *, antialias: bool, u: float) -> Taps:
    """By the name that `tf.image.resize` gives a method.

    Bicubic without antialiasing has a kernel of its own, and area averages cells, which needs no other filter.
    """
    if method == "area":
        return averaged(length, target, u)
    if method == "bicubic" and not antialias:
        return tabled(length, target, u)
    return filtered(FILTERS[method], length, target, antialias=antialias, u=u)


def filtered(filter: Filter, length: int, target: int, *, antialias: bool, u: float) -> Taps:
    """w(|k + ½ − c|/s), divided by their sum over the line; s = length/target if `antialias` makes an image smaller.

    TensorFlow's ScaleAndTranslate. Positions: the scale rounds, and its inverse, and its product with i + ½; the
    distance and, if it is divided by s, that quotient in four steps. Ratios of a power of two round nothing.
    """
    centre, pixels = _centres(length, target), np.arange(length) + 0.5
    scale = max(length / target, 1.0) if antialias else 1.0
    distance = np.abs(pixels - centre)
    x = distance / scale
    drift = (gamma(3, u) * centre + gamma(1, u) * distance) / scale + (gamma(4, u) * x if scale > 1 else 0.0)
    drift = drift * (0.0 if _power_of_two(length, target) else SECOND_ORDER)
    taken = x <= filter.radius + drift
    weights, error = filter.near(np.where(taken, x, filter.radius + 1), np.where(taken, drift, 0.0), u)
    return _divided(weights, np.where(taken, error, 0.0), taken)


def tabled(length: int, target: int, u: float) -> Taps:
    """Keys's cubic at the nearest of 1,024 positions in a pixel, half to even, divided by the sum over the line.

    TensorFlow's ResizeBicubic with half-pixel centres keeps a table of weights, correctly rounded. What it rounds is a
    position that errs (`interpolation.half_pixel`, and the fraction's own rounding): where another entry may be
    nearest, the weight errs by the difference. Other backends of Keras 3 compute the cubic itself, or another one.
    """
    grid = half_pixel(length, target, u)
    position = (_centres(length, target) - 0.5) * STEPS
    drift = np.where(grid.drift > 0, grid.drift + u, 0.0)[:, None] * STEPS
    index = np.rint(position)
    weights = _keys(index, length)
    error = np.zeros_like(weights)
    ends = [np.rint(position + side * drift) - index for side in (-1, 1)]
    for step in range(int(ends[0].min()), int(ends[1].max()) + 1):
        reached = (ends[0] <= step) & (step <= ends[1])
        error = np.maximum(error, np.where(reached, np.abs(_keys(index + step, length) - weights), 0.0))
    distance = np.abs(index / STEPS - np.arange(length))
    taken = distance <= KEYS.radius + drift / STEPS
    return _divided(weights, error + np.where(taken, u * np.abs(weights), 0.0), taken | (error > 0))


def _keys(index: np.ndarray, length: int) -> np.ndarray:
    x = np.abs(index / STEPS - np.arange(length))
    return KEYS(x, 0.0)[0]


def averaged(length: int, target: int, u: float) -> Taps:
    """The share of each pixel in the output's cell [i·s, (i + 1)·s], s = length/target.

    TensorFlow's ResizeArea. A cell's ends err by two roundings each, which moves weight between what touches them;
    nothing where a pixel holds the whole cell, which then weighs s/s.
    """
    s, first = length / target, np.arange(target)[:, None] * (length / target)
    last, pixel = first + s, np.arange(length)
    below = target // gcd(length, target)
    drift = [0.0 if below & (below - 1) == 0 else gamma(2, u) * end * SECOND_ORDER for end in (first, last)]
    overlap = np.clip(np.minimum(last, pixel + 1) - np.maximum(first, pixel), 0.0, None)
    touched = [
        (pixel <= end + r) & (pixel + 1 >= end - r) & (r > 0) for end, r in zip((first, last), drift, strict=True)
    ]
    whole = (pixel + drift[0] < first) & (last < pixel + 1 - drift[1])
    error = np.sum([np.where(at & ~whole, r, 0.0) for at, r in zip(touched, drift, strict=True)], axis=0)
    return Taps(overlap / s, error / s, (overlap > 0) | (error > 0), np.zeros(target))


def _divided(weights: np.ndarray, error: np.ndarray, taken: np.ndarray) -> Taps:
    """By their sum S, which is at least S − Σe in a kernel.

    A common factor is `resampling`'s to count, so that a weight's own error e becomes e/(S − Σe).
    """
    total = weights.sum(axis=1, keepdims=True)
    least = np.maximum(np.abs(total) - error.sum(axis=1, keepdims=True), LEAST)
    return Taps(weights / total, SECOND_ORDER * error / least, taken, np.abs(weights / total).sum(axis=1))


def _centres(length: int, target: int) -> np.ndarray:
    """(target, 1)."""
    return ((np.arange(target) + 0.5) * length / target)[:, None]


def _power_of_two(length: int, target: int) -> bool:
    """Whether length/target, or its inverse, is one."""
    least = min(length, target) == gcd(length, target)
    ratio = max(length, target) // min(length, target)
    return least and ratio & (ratio - 1) == 0
