"""Moments of correlations, products and window sums: the same loop run on x·w, (x·w)² and, where asked, |x·w|."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from refconv.numerics.formats import FLOAT32
from refconv.numerics.moments import Moments
from refconv.primitives.engine import Engine
from refconv.primitives.geometry import Window

LONG = 49  # from this many terms on 10σ is below the worst case: 10·√((n+1)/2) < n+1

Reduce = Callable[[np.ndarray, np.ndarray], np.ndarray]


def correlate_moments(
    engine: Engine, x: np.ndarray, kernel: np.ndarray, window: Window, groups: int = 1, worst: bool = True
) -> Moments:
    """Moments of a correlation; kernel (*k, C/groups, F), so n = Πk·C/groups (padding counted, as an upper bound)."""
    return _moments(lambda a, b: engine.correlate(a, b, window, groups), x, kernel, worst)


def matmul_moments(engine: Engine, x: np.ndarray, kernel: np.ndarray, worst: bool = True) -> Moments:
    """Moments of x·kernel; kernel (C, F), n = C."""
    return _moments(engine.matmul, x, kernel, worst)


def _moments(reduce: Reduce, x: np.ndarray, kernel: np.ndarray, worst: bool) -> Moments:
    x, kernel = x.astype(np.float64, copy=False), kernel.astype(np.float64)
    n = int(np.prod(kernel.shape[:-1]))
    return Moments(
        reduce(x, kernel),
        Q=reduce(x**2, kernel**2),
        n=n,
        A=reduce(np.abs(x), np.abs(kernel)) if worst or n < LONG else None,
        S=_subnormal(reduce, np.abs(x), np.abs(kernel)),
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
