"""Moments of correlations, products and window sums: what an engine sums up, with the grid and the subnormal terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from refconv.numerics.exactness import product_grid, sum_grid
from refconv.numerics.formats import FLOAT32, Field
from refconv.numerics.moments import Moments, Need
from refconv.primitives.engine import Engine, Extent, Sums
from refconv.primitives.geometry import Spans, Window, overlap

LONG = 49  # from this many terms on 10σ is below the worst case: 10·√((n+1)/2) < n+1


def correlate_moments(
    engine: Engine, x: np.ndarray, kernel: np.ndarray, window: Window, groups: int = 1, need: Need = Need.WORST
) -> Moments:
    """Moments of a correlation; kernel (*k, C/groups, F), so n = Πk·C/groups (padding counted, as an upper bound)."""
    n = int(np.prod(kernel.shape[:-1]))
    return _moments(
        Reduction(
            engine,
            lambda a, b: engine.correlate(a, b, window, groups),
            lambda a, b, worst: engine.correlate_sums(a, b, window, groups, worst=worst),
        ),
        x,
        kernel,
        n,
        need,
    )


def matmul_moments(engine: Engine, x: np.ndarray, kernel: np.ndarray, need: Need = Need.WORST) -> Moments:
    """Moments of x·kernel; kernel (C, F), n = C."""
    sums = Reduction(engine, engine.matmul, lambda a, b, worst: engine.matmul_sums(a, b, worst=worst))
    return _moments(sums, x, kernel, kernel.shape[0], need)


def batched_moments(engine: Engine, x: np.ndarray, kernel: np.ndarray, need: Need = Need.WORST) -> Moments:
    """Moments of one product per batch element; x (B, M, C), kernel (B, C, F), result (B, M, F), n = C."""
    parts = [matmul_moments(engine, a, b, need) for a, b in zip(x, kernel, strict=True)]
    shape = (len(x), x.shape[1], kernel.shape[2])
    if not parts:
        return Moments(np.zeros(shape), np.zeros(shape), x.shape[2], np.zeros(shape))

    def stacked(name: str) -> np.ndarray | None:
        fields = [getattr(part, name) for part in parts]
        return None if any(f is None for f in fields) else np.stack([np.broadcast_to(f, shape[1:]) for f in fields])

    y, small = stacked("y"), stacked("S")
    assert y is not None and small is not None
    lost = small if small.any() else 0.0
    return Moments(y, stacked("Q"), x.shape[2], stacked("A"), lost, min(part.grid for part in parts))


def product_moments(x: np.ndarray, kernel: np.ndarray) -> Moments:
    """Moments of Σ x·kernel over the first axis of two arrays that broadcast."""
    terms = x.astype(np.float64, copy=False) * kernel.astype(np.float64, copy=False)
    small_x, small_w = (_small(operand) for operand in (x, kernel))
    small = small_x | small_w
    return Moments(
        terms.sum(axis=0),
        Q=(terms**2).sum(axis=0),
        n=len(kernel),
        A=np.abs(terms).sum(axis=0),
        S=np.where(small, np.abs(terms), 0).sum(axis=0) if small.any() else 0.0,
        grid=product_grid(x, kernel),
    )


def transposed_moments(
    engine: Engine, x: np.ndarray, kernel: np.ndarray, window: Window, lengths: tuple[int, ...], need: Need = Need.WORST
) -> Moments:
    """Moments of a transposed correlation; kernel (*k, F, C), n = C times the windows that meet on one element.

    `window` is the forward correlation's over `lengths`, the spatial shape of the result; its positions are x's.
    """
    n = overlap(window) * kernel.shape[-1]
    return _moments(
        Reduction(
            engine,
            lambda a, b: scatter(engine, a, b, window, lengths),
            lambda a, b, worst: _scattered(engine, a, b, window, lengths, worst),
        ),
        x,
        kernel,
        n,
        need,
    )


def scatter(engine: Engine, x: np.ndarray, kernel: np.ndarray, window: Window, lengths: tuple[int, ...]) -> np.ndarray:
    """Gradient of a correlation: y[n, p·stride + k·dilation − pad, f] += Σ_c x[n, p, c]·kernel[k, f, c].

    x (N, *out, C), kernel (*k, F, C), result (N, *lengths, F); what falls on padding is dropped.
    """
    (y,) = _spread(lambda a, b: [engine.matmul(a, b)], x, kernel, window, lengths)
    return y


def _scattered(
    engine: Engine, x: np.ndarray, kernel: np.ndarray, window: Window, lengths: tuple[int, ...], worst: bool
) -> Sums:
    """`scatter` with q, and where the `worst` case is wanted a."""

    def parts(a: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
        sums = engine.matmul_sums(a, b, worst=worst)
        return [part for part in (sums.y, sums.q, sums.a) if part is not None]

    return Sums(*_spread(parts, x, kernel, window, lengths))


def _spread(
    multiply: Callable[[np.ndarray, np.ndarray], list[np.ndarray]],
    x: np.ndarray,
    kernel: np.ndarray,
    window: Window,
    lengths: tuple[int, ...],
) -> list[np.ndarray]:
    """Add up, tap by tap, where each falls, every tensor that `multiply` makes of x and the tap's matrix."""
    padded = [before + length + after for length, (before, after) in zip(lengths, window.pads, strict=True)]
    results: list[np.ndarray] = []
    axes = list(zip(window.strides, window.dilation, window.out, strict=True))
    for tap in np.ndindex(*window.size):
        spans = zip(tap, axes, strict=True)
        at = (slice(None), *(slice(k * d, k * d + out * stride, stride) for k, (stride, d, out) in spans))
        parts = multiply(x, kernel[tap].T)
        results = results or [np.zeros((x.shape[0], *padded, kernel.shape[-2])) for _ in parts]
        for result, part in zip(results, parts, strict=True):
            result[at] += part
    inner = tuple(slice(before, before + n) for n, (before, _) in zip(lengths, window.pads, strict=True))
    return [result[(slice(None), *inner)] for result in results]


def window_moments(engine: Engine, x: np.ndarray, window: Window, need: Need = Need.WORST) -> Moments:
    """Moments of the sum over each window; n counts the elements inside the input, shape (1, *out, 1)."""
    n = engine.window_sum(np.ones((1, *x.shape[1:-1], 1)), window)
    if need is Need.VALUES:
        return Moments(engine.window_sum(x, window), Q=None, n=n, A=None)
    step = sum_grid(x)
    sums = engine.window_sums(x, window, worst=_worst(step, need, n))
    small = _is_small(engine.extent(x))
    return Moments(
        sums.y,
        Q=sums.q,
        n=n,
        A=sums.a,
        S=engine.window_sum(np.where(_small(x), np.abs(x), 0), window) if small else 0.0,
        grid=step,
    )


def spatial_moments(x: np.ndarray, axes: tuple[int, ...], need: Need = Need.WORST) -> Moments:
    """Moments of the sum of x over whole axes, kept with length 1; n is the number of elements in each sum."""
    x = x.astype(np.float64, copy=False)
    n = float(np.prod([x.shape[axis] for axis in axes]))
    total = x.sum(axis=axes, keepdims=True)
    if need is Need.VALUES:
        return Moments(total, Q=None, n=n, A=None)
    magnitude, step, small = np.abs(x), sum_grid(x), _small(x)
    return Moments(
        total,
        Q=(x**2).sum(axis=axes, keepdims=True),
        n=n,
        A=magnitude.sum(axis=axes, keepdims=True) if _worst(step, need, n) else None,
        S=np.where(small, magnitude, 0).sum(axis=axes, keepdims=True) if small.any() else 0.0,
        grid=step,
    )


def spanned(x: np.ndarray, cuts: Mapping[int, Spans], reduce: Callable[..., np.ndarray]) -> np.ndarray:
    """`reduce` (a function with `axis` and `keepdims`) over boxes, one axis after another; `cuts` by axis."""
    for axis, cut in cuts.items():
        before = (slice(None),) * axis
        x = np.concatenate([reduce(x[(*before, span)], axis=axis, keepdims=True) for span in cut], axis=axis)
    return x


def span_moments(x: np.ndarray, cuts: Mapping[int, Spans], *, on_grid: bool = True) -> Moments:
    """Moments of the sums over boxes; n per box. Without `on_grid` x has errors, so that no sum is called exact."""

    def total(v: np.ndarray) -> np.ndarray:
        return spanned(v, cuts, np.sum)

    n = total(np.ones([length if axis in cuts else 1 for axis, length in enumerate(x.shape)]))
    magnitude, small = np.abs(x), _small(x)
    return Moments(
        total(x),
        Q=total(x**2),
        n=n,
        A=total(magnitude),
        S=total(np.where(small, magnitude, 0)) if small.any() else 0.0,
        grid=sum_grid(x) if on_grid else 0.0,
    )


@dataclass(frozen=True)
class Reduction:
    """One loop: its values, and its sums with or without those of the worst case."""

    engine: Engine
    values: Callable[[np.ndarray, np.ndarray], np.ndarray]
    sums: Callable[[np.ndarray, np.ndarray, bool], Sums]


def _moments(reduction: Reduction, x: np.ndarray, kernel: np.ndarray, n: int, need: Need) -> Moments:
    if need is Need.VALUES:
        return Moments(reduction.values(x, kernel), Q=None, n=n, A=None)
    step = product_grid(x, kernel)
    sums = reduction.sums(x, kernel, _worst(step, need, n))
    return Moments(sums.y, Q=sums.q, n=n, A=sums.a, S=_subnormal(reduction, x, kernel), grid=step)


def _worst(step: float, need: Need, n: Field) -> bool:
    """Σ|t| is wanted: for the worst case, to certify exactness, or as the smaller bound of a short sum."""
    return bool(step) or need is Need.WORST or bool(np.min(n, initial=LONG) < LONG)


def _small(operand: np.ndarray) -> np.ndarray:
    magnitude = np.abs(operand)
    return (magnitude > 0) & (magnitude < FLOAT32.tiny)


def _is_small(extent: Extent) -> bool:
    return extent.least < FLOAT32.tiny


def _subnormal(reduction: Reduction, x: np.ndarray, kernel: np.ndarray) -> np.ndarray | float:
    """Σ|x||w| over the terms with a subnormal operand: all of them, less those of normal operands.

    Counted as two sums, small x by any w and normal x by small w, because a difference would cancel.
    """
    small_x, small_w = (_is_small(reduction.engine.extent(operand)) for operand in (x, kernel))
    total: np.ndarray | float = 0.0
    if small_x:
        total = total + reduction.values(np.where(_small(x), np.abs(x), 0), np.abs(kernel))
    if small_w:
        total = total + reduction.values(np.where(_small(x), 0, np.abs(x)), np.where(_small(kernel), np.abs(kernel), 0))
    return total
