"""Largest element and sum of every window: taps outside the input are left out."""

from __future__ import annotations

import numpy as np

from refconv.primitives.canonical import Canonical
from refconv.primitives.engine import Sums
from refconv.primitives.numba_depthwise import widened
from refconv.primitives.numba_registers import LARGEST
from refconv.primitives.numba_slide import slide
from refconv.primitives.threads import Threads


def largest(x: np.ndarray, window: Canonical, threads: Threads) -> np.ndarray:
    """Largest value of each window of x (N, D, H, W, C), −inf where it sees none; NaN wins."""
    (y,) = slide(widened(x), None, window, LARGEST, threads)
    return y[..., : x.shape[-1]]


def totals(x: np.ndarray, window: Canonical, sums: int, threads: Threads) -> Sums:
    """Sum of each window of x (N, D, H, W, C), and in the same pass those of squares (sums ≥ 2), magnitudes (3)."""
    return Sums(*(r[..., : x.shape[-1]] for r in slide(widened(x), None, window, sums, threads)))
