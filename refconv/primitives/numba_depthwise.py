"""Correlation of every channel with filters of its own, and sums of products, squares and magnitudes in one pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from refconv.primitives.canonical import Canonical, aligned
from refconv.primitives.engine import Sums
from refconv.primitives.numba_registers import LINE
from refconv.primitives.numba_slide import slide
from refconv.primitives.threads import Threads


def depthwise(x: np.ndarray, kernel: np.ndarray, window: Canonical, sums: int, threads: Threads) -> Sums:
    """Correlate x (N, D, H, W, C) with kernel (kd, kh, kw, 1, C·M): filter c·M + m reads channel c.

    sums: 1 for y, 2 for y and q, 3 for y, q and a.
    """
    filters = kernel.shape[-1]
    multiplier = filters // x.shape[-1] if x.shape[-1] else 1
    if multiplier > 1:
        x = np.repeat(x, multiplier, axis=-1)
    wide = widened(kernel)
    weights = aligned(wide.size, np.float64)
    weights[:] = wide.reshape(-1)
    if not np.isfinite(weights).all():  # on padding too they make NaN
        x, window = padded(x, window)
    return Sums(*(r[..., :filters] for r in slide(widened(x), weights, window, sums, threads)))


def widened(x: np.ndarray) -> np.ndarray:
    """x with as many channels as are done at a time, or more."""
    if x.shape[-1] >= LINE:
        return x
    wide = np.zeros((*x.shape[:-1], LINE), x.dtype)
    wide[..., : x.shape[-1]] = x
    return wide


def padded(x: np.ndarray, window: Canonical) -> tuple[np.ndarray, Canonical]:
    """x with zeros wherever windows reach beyond it, and the window over that."""
    axes = zip(window.before, x.shape[1:4], window.seen, strict=True)
    pads = [(before, max(seen - before - length, 0)) for before, length, seen in axes]
    return np.pad(x, [(0, 0), *pads, (0, 0)]), replace(window, before=(0, 0, 0))
