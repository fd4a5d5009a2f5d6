"""An elementwise function over an enclosure: its range over [mid ± r], and the error of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, Z
from refconv.numerics.formats import FLOAT32, Format
from refconv.ops.functions.base import FLUSHED, Function, Parameters

BEYOND = float(np.finfo(np.float64).max)  # an infinity that NaN may replace: finite, and past every narrower format


def radii(e: Enclosure) -> tuple[np.ndarray, np.ndarray]:
    """Radii at Z·sigma and at the hard limit, floor included; infinite on overflow, 0 where mid is not finite."""
    floor = np.asarray(e.floor) + (np.where(e.overflow, np.inf, 0.0) if np.any(e.overflow) else 0.0)
    probable, limit = Z * np.asarray(e.sigma) + floor, np.asarray(e.worst) + floor
    finite = np.isfinite(e.mid)
    if finite.all():
        return np.broadcast_to(probable, finite.shape), np.broadcast_to(limit, finite.shape)
    return np.where(finite, probable, 0.0), np.where(finite, limit, 0.0)


def apply(function: Function, e: Enclosure, arithmetic: Arithmetic, p: Parameters) -> Enclosure:
    """The enclosure of f over `e`.

    A function that rounds also reads subnormal inputs as 0 and flushes its result (TRAPS 33): its radii then reach
    to 0, and the floor is FLUSHED times the smallest normal value. sigma keeps its meaning: it is spread by Z·sigma,
    then divided.
    """
    x, fmt = np.asarray(e.mid, dtype=np.float64), arithmetic.format
    p = {name: _constant(value, fmt) for name, value in p.items()}
    y = np.asarray(function.f(x, p))
    rounds = function.error(x, y, p, fmt) is not None
    flushed = np.where(np.abs(x) < fmt.tiny, np.abs(x), 0.0) if rounds else 0.0
    probable, limit = (_spread(function, x, y, r + flushed, p, fmt) for r in radii(e))
    disputed = np.asarray(function.disputed(x, p))
    if disputed.any():
        y = np.where(disputed & np.isinf(y), np.copysign(BEYOND, y), y)
    floor = FLUSHED * fmt.tiny if rounds else 0.0
    overflow = np.asarray(e.overflow) | disputed | _overflows(x, y, limit, fmt)
    held = np.broadcast_to(overflow, y.shape) if overflow.any() else False
    return Enclosure(y, probable / Z, limit, floor, held, accumulator=e.accumulator)


def _overflows(x: np.ndarray, y: np.ndarray, limit: np.ndarray, fmt: Format) -> np.ndarray | bool:
    """Where a finite x may give what the format cannot hold: nowhere, mostly, which three extremes tell."""
    if not y.size or max(np.max(y), -np.min(y)) + np.max(limit) <= fmt.max:
        return False
    return np.isfinite(x) & (np.abs(y) + limit > fmt.max)


def _constant(value: Any, fmt: Format) -> Any:
    """A parameter in the format that the layer computes in; switches and None as they are."""
    return fmt.round(value) if isinstance(value, float) and fmt.u > FLOAT32.u else value


def _spread(f: Function, x: np.ndarray, y: np.ndarray, r: np.ndarray, p: Parameters, fmt: Format) -> np.ndarray:
    """Largest |f(x') − y| over |x' − x| ≤ r, plus the largest own error: that of an end, or of x itself."""
    if f.error(x, y, p, fmt) is None and not r.any():
        return np.broadcast_to(0.0, y.shape)
    if (closed := f.reach(x, r, p)) is not None:
        return closed if np.isfinite(y).all() else np.where(np.isfinite(y), closed, 0.0)
    away, own = np.zeros_like(y), _own(f, x, y, p, fmt)
    if r.any():
        for end in (x - r, x + r):
            value = f.f(end, p)
            away, own = np.fmax(away, np.abs(value - y)), np.fmax(own, _own(f, end, value, p, fmt))
        for turn in f.turns(p):
            away = np.fmax(away, np.abs(f.f(np.clip(turn, x - r, x + r), p) - y))
    return np.where(np.isfinite(y), np.nan_to_num(away + own, nan=np.inf, posinf=np.inf), 0.0)


def _own(f: Function, x: np.ndarray, y: np.ndarray, p: Parameters, fmt: Format) -> np.ndarray:
    error = f.error(x, y, p, fmt)
    return np.zeros_like(y) if error is None else error
