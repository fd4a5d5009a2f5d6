"""How an enclosure's radii travel through a following linear step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from refconv.numerics.enclosure import Enclosure

Linear = Callable[[np.ndarray], np.ndarray]


def carry(result: Enclosure, incoming: Enclosure, spread: Linear, growth: float = 0.0) -> Enclosure:
    """Widen `result`, which a linear step computed from `incoming.mid` alone, by the errors of `incoming`.

    σ² += (Σ|w|σ)², worst += (1 + growth)·Σ|w|·worst, floor += (1 + growth)·Σ|w|·floor: neighbours share inputs, so
    their errors are not taken as independent (DESIGN, Enclosures).

    Args:
        result: the step's own enclosure.
        incoming: the step's input.
        spread: v ↦ Σ|w|·v, from incoming's shape to result's.
        growth: the step's own relative worst case γ, which also applies to what the errors add to its terms.
    """
    if incoming.exact:
        return result
    sigma, worst, floor = (_spread(v, incoming, spread) for v in (incoming.sigma, incoming.worst, incoming.floor))
    return Enclosure(
        result.mid,
        np.hypot(result.sigma, sigma),
        result.worst + (1 + growth) * worst,
        result.floor + (1 + growth) * floor,
        _overflow(result, incoming, spread),
    )


def _spread(radius: np.ndarray | float, incoming: Enclosure, spread: Linear) -> np.ndarray | float:
    """Infinite radii spread to everything: 0·inf would be NaN."""
    if np.any(np.isinf(radius)):
        return np.inf
    return spread(np.broadcast_to(np.asarray(radius, dtype=np.float64), incoming.mid.shape))


def _overflow(result: Enclosure, incoming: Enclosure, spread: Linear) -> np.ndarray | bool:
    if not np.any(incoming.overflow):
        return result.overflow
    reached = spread(np.broadcast_to(incoming.overflow, incoming.mid.shape).astype(np.float64)) > 0
    return reached | result.overflow
