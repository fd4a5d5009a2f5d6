"""How far the framework has moved from the reference that ran on its own values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from refconv.numerics.formats import float64, is_float, is_real
from refconv.result import Drift


def drift(reference: Sequence[np.ndarray], got: Sequence[np.ndarray]) -> Drift | None:
    """Largest |got − reference|, Σy² and Σ(ŷ−y)².

    Elements that are the same NaN or infinity count as equal. None where there is nothing to compare.
    """
    pairs = [(r, g) for r, g in zip(reference, got, strict=False) if _comparable(r, g) and g.size]
    if not pairs:
        return None
    largest = noise = signal = 0.0
    with np.errstate(all="ignore"):
        for r, g in ((r, float64(g) if is_float(g.dtype) else g) for r, g in pairs):
            error = np.where((g == r) | ((g != g) & (r != r)), 0.0, np.abs(np.subtract(g, r, dtype=np.float64)))
            error = np.where(np.isnan(error), np.inf, error)
            largest = max(largest, float(error.max()))
            noise += float(np.sum(error**2))
            signal += float(np.sum(np.where(np.isfinite(r), r, 0.0).astype(np.float64) ** 2))
    return Drift(largest, signal, noise)


def _comparable(r: np.ndarray, g: np.ndarray) -> bool:
    return r.shape == g.shape and is_real(r.dtype) and is_real(g.dtype)


def apart(reference: Sequence[np.ndarray], got: Sequence[np.ndarray]) -> tuple[np.ndarray | float, ...]:
    """|got − reference| of each tensor, 0 where they cannot be compared."""
    if len(reference) != len(got) or not all(map(_comparable, reference, got)):
        return (0.0,) * len(reference)
    with np.errstate(all="ignore"):
        return tuple(np.abs(np.subtract(g, r, dtype=np.float64)) for r, g in zip(reference, got, strict=True))
