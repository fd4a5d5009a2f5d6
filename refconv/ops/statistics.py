"""Mean and variance over axes of an input, as layers that normalise by them compute both."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, Z
from refconv.numerics.formats import Format
from refconv.numerics.moments import Moments
from refconv.ops.functions.axis import repeats
from refconv.ops.functions.base import DIVISION, RSQRT, SQRT
from refconv.ops.functions.elementwise import radii
from refconv.ops.mean import mean
from refconv.primitives.sums import spatial_moments

Axes = tuple[int, ...]
INVERSE = 0.5 + max(RSQRT, SQRT + DIVISION)  # v + ε, of which half reaches the root; then rsqrt, or a root and quotient


@dataclass(frozen=True)
class Statistics:
    """Mean and variance, each with length 1 along the axes that they are of."""

    mean: Enclosure
    variance: Enclosure


def over_axes(x: Enclosure, axes: Axes, arithmetic: Arithmetic, *, raw: bool = False) -> Statistics:
    """μ = Σx/n and v = Σ(x − μ)²/n.

    What v carries besides the rounding of its own mean: of each square the difference and the product, 3u of v at the
    most and 2u probably (NUMERICS, layer normalisation); the mean's own error δ, of which only δ² is left, because
    Σ(x − μ) = 0; and x's radii r, at most 2Σ|x − μ|r/n + Σr²/n.

    Args:
        raw: kernels may also compute Σx²/n − μ², which loses what the two have in common: the bound holds for both.
    """
    own = sum_mean(x.mid, axes, arithmetic)
    moved = [_average(r, axes) for r in radii(x)]
    middle = wider(own, *moved)
    d = x.mid - middle.mid
    squares = sum_mean(d * d, axes, arithmetic)
    reach = [
        2 * _average(np.abs(d) * r, axes) + _average(r * r, axes) + delta * delta
        for r, delta in zip(radii(x), radii(own), strict=True)
    ]
    u = arithmetic.sums.u
    variance = wider(squares, reach[0] + 2 * Z * u * squares.mid, reach[1] + 3 * u * squares.mid)
    return Statistics(middle, _widest(variance, _raw(x, middle, axes, arithmetic)) if raw else variance)


def sum_mean(x: np.ndarray, axes: Axes, arithmetic: Arithmetic) -> Enclosure:
    """The mean over `axes`, with a σ for data that has an order: there is no stage 2 behind it.

    σ² = u²·(max((N + 1)(y²/3 + Q/6), Σ S_k²/n²) + y²): the partial sums S_k of the elements as they lie, forwards and
    backwards (NUMERICS, stage 2), and N ≥ n where values repeat (`repeats`).
    """
    moments = spatial_moments(x, axes)
    closed = mean(moments, arithmetic)
    u, n = arithmetic.sums.u, np.asarray(moments.n, dtype=np.float64)
    assert moments.A is not None
    share = np.abs(x) / np.where(moments.A > 0, moments.A, 1.0)
    y, squares = moments.y / n, np.asarray(moments.Q) / n**2
    random = (repeats(share, axes, u) + 1) * (y**2 / 3 + squares / 6)
    sigma = u * np.sqrt(np.maximum(random, _partial(x, moments, axes) / n**2) + y**2)
    sigma = np.where(np.asarray(closed.limit) > 0, np.maximum(sigma, closed.sigma), 0.0)
    return replace(closed, sigma=sigma)


def _partial(x: np.ndarray, moments: Moments, axes: Axes) -> np.ndarray:
    """The larger of Σ S_k² over the elements forwards, and backwards, where S_k' = S − S_(k − 1)."""
    last = tuple(range(-len(axes), 0))
    kept = [n for a, n in enumerate(x.shape) if a not in axes]
    sums = np.cumsum(np.moveaxis(x, axes, last).reshape(*kept, -1), axis=-1)
    n, whole = sums.shape[-1], sums[..., -1]
    forwards, linear = np.sum(sums**2, axis=-1), np.sum(sums, axis=-1)
    backwards = (n + 2) * whole**2 - 2 * whole * linear + forwards - whole**2
    return np.maximum(forwards, backwards).reshape(moments.y.shape)


def inverse_root(variance: Enclosure, epsilon: float, fmt: Format) -> Enclosure:
    """1/√(v + ε) over v's range, of which nothing is below 0 unless its own bound says so; then INVERSE·u."""
    base = variance.mid + epsilon
    middle = base**-0.5
    probable, limit = (_reach(base, middle, r, fmt) for r in radii(variance))
    return Enclosure(middle, probable / Z, limit)


def _reach(base: np.ndarray, middle: np.ndarray, r: np.ndarray, fmt: Format) -> np.ndarray:
    low = base - r
    up = np.where(low > 0, np.abs(low) ** -0.5, np.inf) - middle
    down = middle - (base + r) ** -0.5
    return np.nan_to_num(np.maximum(up, down) + INVERSE * fmt.u * middle, nan=np.inf, posinf=np.inf)


def _raw(x: Enclosure, middle: Enclosure, axes: Axes, arithmetic: Arithmetic) -> Enclosure:
    """Σx²/n − μ²: the mean of squares (each rounded), and the square of a mean that errs by δ: 2|μ|δ + δ² + u·μ²."""
    second = sum_mean(x.mid**2, axes, arithmetic)
    u, square, variance = arithmetic.sums.u, middle.mid**2, second.mid - middle.mid**2
    moved = [2 * _average(np.abs(x.mid) * r, axes) + _average(r * r, axes) for r in radii(x)]
    reach = [
        2 * np.abs(middle.mid) * delta + delta * delta + u * (second.mid + square + np.abs(variance)) + r
        for delta, r in zip(radii(middle), moved, strict=True)
    ]
    return wider(second, *reach)


def wider(e: Enclosure, probable: np.ndarray, limit: np.ndarray) -> Enclosure:
    """`e` with more to either radius; the two are not taken as independent."""
    return Enclosure(e.mid, np.asarray(e.sigma) + probable / Z, np.asarray(e.worst) + limit, e.floor, e.overflow)


def _widest(one: Enclosure, other: Enclosure) -> Enclosure:
    """The radii of either, around the same value."""
    sigma, worst, floor = (np.maximum(getattr(one, f), getattr(other, f)) for f in ("sigma", "worst", "floor"))
    return Enclosure(one.mid, sigma, worst, floor, np.asarray(one.overflow) | other.overflow)


def _average(r: np.ndarray, axes: Axes) -> np.ndarray:
    return r.mean(axis=axes, keepdims=True) if r.any() else np.zeros(())
