"""An elementwise function over an enclosure: its range over [mid ± r], and the error of its own."""

from __future__ import annotations

import numpy as np

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, Z
from refconv.numerics.formats import Format
from refconv.ops.functions.base import Function, Parameters


def radii(e: Enclosure) -> tuple[np.ndarray, np.ndarray]:
    """Radii at Z·sigma and at the hard limit, floor included; infinite on overflow, 0 where mid is not finite."""
    reach = np.asarray(e.floor) + np.where(e.overflow, np.inf, 0.0)
    finite = np.isfinite(e.mid)
    return np.where(finite, Z * np.asarray(e.sigma) + reach, 0.0), np.where(finite, np.asarray(e.worst) + reach, 0.0)


def apply(function: Function, e: Enclosure, arithmetic: Arithmetic, p: Parameters) -> Enclosure:
    """The enclosure of f over `e`.

    A function that rounds also reads subnormal inputs as 0 and flushes its result (TRAPS 33): its radii then reach
    to 0, and the floor is the smallest normal value. sigma keeps its meaning: it is spread by Z·sigma, then divided.
    """
    x, fmt = np.asarray(e.mid, dtype=np.float64), arithmetic.format
    y = np.asarray(function.f(x, p))
    own = function.error(x, y, p, fmt)
    if own is None:
        reach, floor = 0.0, 0.0
    else:
        reach, floor = np.where(np.abs(x) < fmt.tiny, np.abs(x), 0.0), fmt.tiny
    probable, limit = (_spread(function, x, y, r + reach, p, fmt, own) for r in radii(e))
    beyond = np.isfinite(x) & (np.abs(y) + limit > fmt.max)
    overflow = np.asarray(e.overflow) | function.disputed(x, p) | beyond
    return Enclosure(y, probable / Z, limit, floor, overflow if overflow.any() else False)


def _spread(
    f: Function, x: np.ndarray, y: np.ndarray, r: np.ndarray, p: Parameters, fmt: Format, own: np.ndarray | None
) -> np.ndarray:
    """Largest |f(x') − y| over |x' − x| ≤ r, plus the largest own error: that of an end, or of x itself."""
    away = np.zeros_like(y)
    if r.any():
        for point in (x - r, x + r):
            value = f.f(point, p)
            away = np.fmax(away, np.abs(value - y))
            own = own if own is None else np.fmax(own, f.error(point, value, p, fmt))
        for turn in f.turns(p):
            away = np.fmax(away, np.abs(f.f(np.clip(turn, x - r, x + r), p) - y))
    radius = away if own is None else away + own
    return np.where(np.isfinite(y), np.nan_to_num(radius, nan=np.inf, posinf=np.inf), 0.0)
