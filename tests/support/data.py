"""Data for dot products: kinds that ordinary layers see, and kinds made to break a bound.

Every kind is (generator, n, dots) → x and w in float32, of shape (n, dots). The six of TOSA follow the formulas of its
conformance data ("tosa_mi_data"), each with its own aim; their bound B is that of float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Pair = tuple[np.ndarray, np.ndarray]
Make = Callable[[np.random.Generator, int, int], Pair]

B = 2.0**64 - 2.0**40


@dataclass(frozen=True)
class Kind:
    """One kind of data; `ordered` where neighbours have something in common, so that stage 1 does not hold."""

    name: str
    make: Make
    ordered: bool = False

    def __call__(self, rng: np.random.Generator, n: int, dots: int) -> Pair:
        with np.errstate(all="ignore"):
            x, w = (np.broadcast_to(v, (n, dots)).astype(np.float32) for v in self.make(rng, n, dots))
        return x, w


def uniform(rng: np.random.Generator, n: int, dots: int) -> np.ndarray:
    return rng.uniform(-1, 1, (n, dots))


def position(n: int) -> np.ndarray:
    """0 … n−1 as a column."""
    return np.arange(n)[:, None]


def tosa_zeros(rng, n, dots):  # the sum of products with zero is zero
    s, one = uniform(rng, n, dots), uniform(rng, n, dots)
    return np.where(s < 0, 0, one), np.where(s < 0, one, 0)


def tosa_large(rng, n, dots):  # large exponents, all of one sign
    return tuple(B / np.sqrt(n + 1) * (0.75 + 0.25 * uniform(rng, n, dots)) for _ in range(2))


def tosa_one_large(rng, n, dots):  # small values onto a large one
    return tuple(np.where(position(n) == 0, 1.0, uniform(rng, n, dots) / np.sqrt(n)) for _ in range(2))


def tosa_one_large_varied(rng, n, dots):  # small values of many magnitudes onto a large one
    draws = [np.exp(2 * uniform(rng, n, dots)) * uniform(rng, n, dots) for _ in range(2)]
    return tuple(np.where(position(n) == 0, 16.0, v) for v in draws)


def tosa_mixed(rng, n, dots):  # zero products of large values, and one that is not zero
    s, scale = uniform(rng, n, dots), B / np.sqrt(n)
    large = [scale * uniform(rng, n, dots) for _ in range(2)]
    middle = position(n) == n // 2
    return np.where(middle, 0.5, np.where(s < 0, 0, large[0])), np.where(middle, -0.5, np.where(s < 0, large[1], 0))


def tosa_signed(rng, n, dots):  # signed values of large range
    return tuple(B / np.sqrt(n + 1) * uniform(rng, n, dots) for _ in range(2))


def normal(rng, n, dots):
    return rng.normal(size=(n, dots)), rng.normal(size=(n, dots))


def rectified(rng, n, dots):
    return np.maximum(rng.normal(size=(n, dots)), 0), rng.normal(size=(n, dots)) / np.sqrt(n)


def positive(rng, n, dots):
    return rng.random((n, dots)), rng.random((n, dots))


def heavy_tailed(rng, n, dots):
    return rng.standard_cauchy((n, dots)).clip(-1e9, 1e9), rng.standard_t(2, (n, dots))


def scaled(rng, n, dots):
    return tuple(rng.normal(size=(n, dots)) * 10.0 ** rng.uniform(-8, 8, (n, dots)) for _ in range(2))


def cancelling(rng, n, dots):
    """Each term and its opposite, in a random order, and one small term that remains."""
    x, w = normal(rng, n, dots)
    half = n // 2
    x[half : 2 * half], w[half : 2 * half] = -x[:half], w[:half]
    order = rng.random((n, dots)).argsort(axis=0)
    x, w = (np.take_along_axis(v, order, axis=0) for v in (x, w))
    x[rng.integers(n)] *= 1 + 1e-6
    return x, w


def subnormal(rng, n, dots):
    return rng.normal(size=(n, dots)) * 1e-38, rng.normal(size=(n, dots))


def subnormal_products(rng, n, dots):
    return rng.normal(size=(n, dots)) * 1e-20, rng.normal(size=(n, dots)) * 1e-19


def small_integers(rng, n, dots):
    return rng.integers(-8, 9, (n, dots)), rng.integers(-8, 9, (n, dots))


def falling(rng, n, dots):
    x, w = normal(rng, n, dots)
    order = np.argsort(-(x * w), axis=0)
    return tuple(np.take_along_axis(v, order, axis=0) for v in (x, w))


def rising_size(rng, n, dots):
    x, w = normal(rng, n, dots)
    order = np.argsort(np.abs(x * w), axis=0)
    return tuple(np.take_along_axis(v, order, axis=0) for v in (x, w))


def block_signed(rng, n, dots):
    return np.where(position(n) < n // 2, 1, -1) * rng.uniform(1, 2, (n, dots)), rng.uniform(0.5, 1, (n, dots))


def slow_wave(rng, n, dots):
    waves = rng.integers(1, 4, dots)
    return np.sin(2 * np.pi * waves * (position(n) + rng.random(dots)) / n), rng.uniform(0.9, 1.1, (n, dots))


def edge_kernel(rng, n, dots):
    """Sobel's kernel over n/9 channels of an image that hardly changes within the window."""
    sobel = np.array([1, 2, 1, 0, 0, 0, -1, -2, -1.0])
    return rng.uniform(0.95, 1.05, (n, dots)), np.repeat(sobel, -(-n // 9))[:n, None] * rng.uniform(0.9, 1, (1, dots))


def dominant_first(rng, n, dots):
    return np.where(position(n) == 0, 1e6, rng.uniform(0, 1e-2, (n, dots))), rng.uniform(0.5, 1, (n, dots))


def constant(rng, n, dots):
    return rng.uniform(0.05, 1, (1, dots)), rng.uniform(0.05, 1, (1, dots))


def nearly_equal(rng, n, dots):
    return rng.uniform(0.3, 1, (1, dots)) * (1 + 1e-6 * rng.normal(size=(n, dots))), rng.uniform(0.3, 1, (1, dots))


def flat_image(rng, n, dots):
    """One gray value under a kernel of random weights, all positive."""
    return rng.uniform(0.05, 1, (1, dots)), rng.uniform(0.2, 0.3, (n, dots))


def two_values(rng, n, dots):
    return rng.choice([0.1, 0.7], (n, dots)), rng.uniform(0.05, 1, (1, dots))


def overflowing(rng, n, dots):
    """Sums that may pass float32's range in some orders; the odd dots do not."""
    size = np.where(np.arange(dots) % 2, 1e15, 3e19)
    return tuple(rng.normal(size=(n, dots)) * size for _ in range(2))


def checkerboard(rng, n, dots):
    """Two values in turn, of opposite signs: an accumulator beside others gets but one of them."""
    size = rng.uniform(0.05, 1, (1, dots))
    return np.where(position(n) % 2, size, -size * rng.uniform(0.9, 1.1, (1, dots))), rng.uniform(0.05, 1, (1, dots))


def alternating(rng, n, dots):
    return np.where(position(n) % 2, 1, -1) * rng.uniform(1, 2, (n, dots)), rng.uniform(0.5, 1, (1, dots))


def periodic(rng, n, dots):
    """The same 2, 4, 8 or 16 values, of both signs, over and over."""
    period = 2 ** rng.integers(1, 5, dots)
    values = rng.uniform(0.05, 1, (16, dots)) * rng.choice([-1, 1], (16, dots))
    return np.take_along_axis(values, position(n) % period, axis=0), rng.uniform(0.05, 1, (1, dots))


FINITE = (
    *(
        Kind(make.__name__.replace("_", " "), make)
        for make in (
            tosa_zeros,
            tosa_large,
            tosa_one_large,
            tosa_one_large_varied,
            tosa_mixed,
            tosa_signed,
            normal,
            rectified,
            positive,
            heavy_tailed,
            scaled,
            cancelling,
            subnormal,
            subnormal_products,
            small_integers,
            overflowing,
        )
    ),
    *(
        Kind(make.__name__.replace("_", " "), make, ordered=True)
        for make in (
            falling,
            rising_size,
            block_signed,
            slow_wave,
            edge_kernel,
            dominant_first,
            constant,
            nearly_equal,
            flat_image,
            two_values,
            checkerboard,
            alternating,
            periodic,
        )
    ),
)


def infinite(rng, n, dots):
    x, w = normal(rng, n, dots)
    x[rng.integers(n, size=dots), np.arange(dots)] = np.inf
    return x, w


def not_a_number(rng, n, dots):
    x, w = normal(rng, n, dots)
    x[rng.integers(n, size=dots), np.arange(dots)] = np.nan
    return x, w


NOT_FINITE = tuple(Kind(make.__name__.replace("_", " "), make) for make in (infinite, not_a_number))
