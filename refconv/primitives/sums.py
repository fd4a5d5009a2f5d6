"""Moments of correlations, products and window sums: one loop run on x·w and, as far as asked, on (x·w)² and |x·w|."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from refconv.numerics.exactness import product_grid, sum_grid
from refconv.numerics.formats import FLOAT32
from refconv.numerics.moments import Moments, Need
from refconv.primitives.engine import Engine
from refconv.primitives.geometry import Window, overlap

LONG = 49  # from this many terms on 10σ is below the worst case: 10·√((n+1)/2) < n+1

Reduce = Callable[[np.ndarray, np.ndarray], np.ndarray]


def correlate_moments(
    engine: Engine, x: np.ndarray, kernel: np.ndarray, window: Window, groups: int = 1, need: Need = Need.WORST
) -> Moments:
    """Moments of a correlation; kernel (*k, C/groups, F), so n = Πk·C/groups (padding counted, as an upper bound)."""
    n = int(np.prod(kernel.shape[:-1]))
    return _moments(lambda a, b: engine.correlate(a, b, window, groups), x, kernel, n, need)


def matmul_moments(engine: Engine, x: np.ndarray, kernel: np.ndarray, need: Need = Need.WORST) -> Moments:
    """Moments of x·kernel; kernel (C, F), n = C."""
    return _moments(engine.matmul, x, kernel, kernel.shape[0], need)


def product_moments(x: np.ndarray, kernel: np.ndarray) -> Moments:
    """Moments of Σ x·kernel over the first axis of two arrays that broadcast."""
    return _moments(lambda a, b: (a * b).sum(axis=0), x, kernel, len(kernel), need=Need.WORST)


def transposed_moments(
    engine: Engine, x: np.ndarray, kernel: np.ndarray, window: Window, lengths: tuple[int, ...], need: Need = Need.WORST
) -> Moments:
    """Moments of a transposed correlation; kernel (*k, F, C), n = C times the windows that meet on one element.

    `window` is the forward correlation's over `lengths`, the spatial shape of the result; its positions are x's.
    """
    n = overlap(window) * kernel.shape[-1]
    return _moments(lambda a, b: scatter(engine, a, b, window, lengths), x, kernel, n, need)


def scatter(engine: Engine, x: np.ndarray, kernel: np.ndarray, window: Window, lengths: tuple[int, ...]) -> np.ndarray:
    """Gradient of a correlation: y[n, p·stride + k·dilation − pad, f] += Σ_c x[n, p, c]·kernel[k, f, c].

    x (N, *out, C), kernel (*k, F, C), result (N, *lengths, F); what falls on padding is dropped.
    """
    padded = [before + length + after for length, (before, after) in zip(lengths, window.pads, strict=True)]
    result = np.zeros((x.shape[0], *padded, kernel.shape[-2]))
    axes = list(zip(window.strides, window.dilation, window.out, strict=True))
    for tap in np.ndindex(*window.size):
        spans = zip(tap, axes, strict=True)
        at = tuple(slice(k * d, k * d + out * stride, stride) for k, (stride, d, out) in spans)
        result[(slice(None), *at)] += engine.matmul(x, kernel[tap].T)
    inner = tuple(slice(before, before + n) for n, (before, _) in zip(lengths, window.pads, strict=True))
    return result[(slice(None), *inner)]


def window_moments(engine: Engine, x: np.ndarray, window: Window, need: Need = Need.WORST) -> Moments:
    """Moments of the sum over each window; n counts the elements inside the input, shape (1, *out, 1)."""
    x = x.astype(np.float64, copy=False)
    n = engine.window_sum(np.ones((1, *x.shape[1:-1], 1)), window)
    return _of_terms(lambda terms: engine.window_sum(terms, window), x, n, need)


def spatial_moments(x: np.ndarray, axes: tuple[int, ...], need: Need = Need.WORST) -> Moments:
    """Moments of the sum of x over whole axes, kept with length 1; n is the number of elements in each sum."""
    x = x.astype(np.float64, copy=False)
    n = float(np.prod([x.shape[axis] for axis in axes]))
    return _of_terms(lambda terms: terms.sum(axis=axes, keepdims=True), x, n, need)


def _of_terms(total: Callable[[np.ndarray], np.ndarray], x: np.ndarray, n: np.ndarray | float, need: Need) -> Moments:
    if need is Need.VALUES:
        return Moments(total(x), Q=None, n=n, A=None)
    magnitude, step = np.abs(x), sum_grid(x)
    small = (magnitude > 0) & (magnitude < FLOAT32.tiny)
    return Moments(
        total(x),
        Q=total(x**2),
        n=n,
        A=total(magnitude) if step or need is Need.WORST or np.min(n, initial=LONG) < LONG else None,
        S=total(np.where(small, magnitude, 0)) if small.any() else 0.0,
        grid=step,
    )


def _moments(reduce: Reduce, x: np.ndarray, kernel: np.ndarray, n: int, need: Need) -> Moments:
    x, kernel = x.astype(np.float64, copy=False), kernel.astype(np.float64)
    if need is Need.VALUES:
        return Moments(reduce(x, kernel), Q=None, n=n, A=None)
    step = product_grid(x, kernel)
    return Moments(
        reduce(x, kernel),
        Q=reduce(x**2, kernel**2),
        n=n,
        A=reduce(np.abs(x), np.abs(kernel)) if step or need is Need.WORST or np.min(n) < LONG else None,
        S=_subnormal(reduce, np.abs(x), np.abs(kernel)),
        grid=step,
    )


def _subnormal(reduce: Reduce, x: np.ndarray, kernel: np.ndarray) -> np.ndarray | float:
    """Σ|x||w| over the terms with a subnormal operand: all of them, less those of normal operands.

    Counted as two sums, small x by any w and normal x by small w, because a difference would cancel.
    """
    small_x, small_w = ((v > 0) & (v < FLOAT32.tiny) for v in (x, kernel))
    total: np.ndarray | float = 0.0
    if small_x.any():
        total = total + reduce(np.where(small_x, x, 0), kernel)
    if small_w.any():
        total = total + reduce(np.where(small_x, 0, x), np.where(small_w, kernel, 0))
    return total
