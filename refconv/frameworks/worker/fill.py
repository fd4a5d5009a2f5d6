"""Small integers for a layer's input and weights: every sum of them is exact in the layer's own format, in any order.

oneDNN's benchdnn fills data so too, and keeps sums small by many zeros. Here no number is zero where the sum's length
allows it, and it nearly always does, so that every tap of a kernel and every channel of an input takes part in every
output that it belongs to.
"""

from itertools import count
from math import isqrt
from typing import Dict, List, Sequence, Tuple

import numpy as np

Shape = Tuple[int, ...]

SEED = 20240607
LARGEST = 7  # the fewer bits an operand has, the more algorithms with transforms (Winograd, FFT) stay exact or near
MEAN = 1 << 22  # of area·t·m: half of what would reach the bound below
OPERAND_BITS = 11  # TF32's, should a sum be an operand again
# Every integer below 2^bits is exact. A float64 sum takes no more than float32's, since kernels may narrow it.
BITS = {"float64": 24, "float32": 24, "float16": 11, "bfloat16": 8}


class Unfit(Exception):
    """No small integers give a sum that the format holds exactly."""


def generator() -> np.random.Generator:
    """Always the same numbers."""
    return np.random.default_rng(SEED)


def magnitude(terms: int, bits: int) -> int:
    """The largest m up to LARGEST with terms·m² + m < 2^bits: `terms` products and a bias of at most m. 0 if none."""
    return max((m for m in range(1, LARGEST + 1) if terms * m * m + m < 1 << bits), default=0)


def signed(rng: np.random.Generator, shape: Shape, m: int) -> np.ndarray:
    """int16 of ±1 … ±m, none of them zero."""
    size = rng.integers(1, m + 1, shape, dtype=np.int16)
    return np.where(rng.integers(0, 2, shape, dtype=np.int8), size, -size)


def prime(least: int) -> int:
    """The smallest prime number that is not below `least`."""
    return next(p for p in count(max(least, 2)) if all(p % d for d in range(2, isqrt(p) + 1)))


def thinned(values: np.ndarray, step: int) -> np.ndarray:
    """`values` with zeros where Σ_a index_a·⌊√step⌋^a is no multiple of `step`, which is prime.

    No factor is then a multiple of it: along every axis one of `step` neighbours is left, another one in the next row.
    Each channel keeps some positions, and each position some channels.
    """
    factors = [pow(isqrt(step), axis, step) for axis in range(values.ndim)]
    axes = np.ogrid[tuple(slice(length) for length in values.shape)]
    total = sum(factor * index for factor, index in zip(factors, axes))
    return np.where(total % step == 0, values, 0).astype(values.dtype)


def products(x: Shape, weights: Dict[str, Shape], taps: int, channels: int, bits: int) -> List[np.ndarray]:
    """Input and weights of a layer whose sums have taps·channels products, and perhaps a bias.

    Raises:
        Unfit: the sums are too long even for ±1 and a thin input.
    """
    rng, step = generator(), 1
    m = magnitude(taps * channels, bits)
    while not m:
        step = prime(2 * step)
        if step > channels:
            raise Unfit(f"its sums have too many terms to be exact in {bits} bits")
        m = magnitude(taps * -(-channels // step), bits)
    given = signed(rng, x, m)
    given = thinned(given, step) if step > 1 else given
    return [given, *(signed(rng, shape, m) for shape in weights.values())]


def separable(x: Shape, weights: Dict[str, Shape], bits: int) -> List[np.ndarray]:
    """Input and weights of two sums, the second over results of the first, which are to fit an operand.

    Raises:
        Unfit: no integers are small enough.
    """
    rng = generator()
    taps, channels = int(np.prod(weights["depthwise_kernel"][:-2])), weights["pointwise_kernel"][-2]

    def fits(m: int) -> bool:
        middle = taps * m * m
        return middle < 1 << min(bits, OPERAND_BITS) and channels * middle * m + m < 1 << bits

    m = max((m for m in range(1, LARGEST + 1) if fits(m)), default=0)
    if not m:
        raise Unfit(f"its sums have too many terms to be exact in {bits} bits")
    return [signed(rng, shape, m) for shape in (x, *weights.values())]


def averaged(x: Shape, area: int, bits: int) -> List[np.ndarray]:
    """Input of means of at most `area` elements: so small that what rounding a mean may do stays below 1/(2·area).

    Kernels may scale every term first, and so err by area·2⁻²⁴ of the mean magnitude t·m/area of t terms of at most m:
    area·t·m < 2²³ is wanted. Large areas are thinned to fewer terms.

    Raises:
        Unfit: a sum of them is not exact.
    """
    m = LARGEST if area * area * LARGEST < MEAN else 1
    step = 1 if area * area * m < MEAN else prime(area * area // MEAN + 1)
    if step > area or area // step * m >= 1 << bits:
        raise Unfit(f"its sums have too many terms to be exact in {bits} bits")
    values = signed(generator(), x, m)
    return [thinned(values, step) if step > 1 else values]


def negative(x: Shape, bits: int) -> List[np.ndarray]:
    """Input of maxima: all below zero, so that padding that takes part would win."""
    largest = (1 << min(bits, OPERAND_BITS)) - 1
    return [-generator().integers(1, largest + 1, x, dtype=np.int16)]


def shapes(weights: Sequence[np.ndarray]) -> List[Shape]:
    return [tuple(int(n) for n in w.shape) for w in weights]
