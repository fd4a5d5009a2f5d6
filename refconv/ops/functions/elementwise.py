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
    reach = np.asarray(e.floor) + np.where(e.overflow, np.inf, 0.0)
    finite = np.isfinite(e.mid)
    return np.where(finite, Z * np.asarray(e.sigma) + reach, 0.0), np.where(finite, np.asarray(e.worst) + reach, 0.0)


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
    y = np.where(disputed & np.isinf(y), np.copysign(BEYOND, y), y)
    overflow = np.asarray(e.overflow) | disputed | (np.isfinite(x) & (np.abs(y) + limit > fmt.max))
    floor = FLUSHED * fmt.tiny if rounds else 0.0
    held = overflow if overflow.any() else False
    return Enclosure(y, probable / Z, limit, floor, held, accumulator=e.accumulator)


def _constant(value: Any, fmt: Format) -> Any:
    """A parameter in the format that the layer computes in; switches and None as they are."""
    return fmt.round(value) if isinstance(value, float) and fmt.u > FLOAT32.u else value


def _spread(f: Function, x: np.ndarray, y: np.ndarray, r: np.ndarray, p: Parameters, fmt: Format) -> np.ndarray:
    """Largest |f(x') − y| over |x' − x| ≤ r, plus the largest own error: that of an end, or of x itself."""
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
