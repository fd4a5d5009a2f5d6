"""Products and sums of two enclosures, element by element, where the factors may come from anywhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, Z
from refconv.numerics.formats import FLOAT32, Format
from refconv.ops.functions.elementwise import radii


def product(a: Enclosure, b: Enclosure, arithmetic: Arithmetic) -> Enclosure:
    """a·b: one rounding, and what the factors' radii allow, r_a|b| + |a|r_b + r_a·r_b.

    After a quantizer the radii are the lattice's, so the product of neighbours is inside. A subnormal factor may be
    read as 0, which loses at most tiny·(max(|a|, |b|) + r), and a subnormal product is flushed (TRAPS 33). The product
    of exact factors that the format can hold has no radius at all.
    """
    with np.errstate(all="ignore"):
        fmt, y = arithmetic.format, a.mid * b.mid
        spread = [
            _unless_exact((np.abs(b.mid) + fmt.tiny) * ra + (np.abs(a.mid) + fmt.tiny) * rb + ra * rb, ra, rb)
            for ra, rb in zip(radii(a), radii(b), strict=True)
        ]
    small = (_is_subnormal(a.mid, fmt) | _is_subnormal(b.mid, fmt)) & (y != 0)
    floor = fmt.tiny * (1 + np.maximum(np.abs(a.mid), np.abs(b.mid)))
    return _rounded(y, spread, small, floor, a, b, fmt)


def total(a: Enclosure, b: Enclosure, arithmetic: Arithmetic) -> Enclosure:
    """a + b: one rounding, and both radii. The sum of exact terms that the format can hold has no radius at all."""
    with np.errstate(all="ignore"):
        fmt, y = arithmetic.format, a.mid + b.mid
    spread = [_unless_exact(ra + rb, ra, rb) for ra, rb in zip(radii(a), radii(b), strict=True)]
    small = _is_subnormal(a.mid, fmt) | _is_subnormal(b.mid, fmt)
    return _rounded(y, spread, small, np.full_like(y, 3 * fmt.tiny), a, b, fmt)


def stored_product(a: Enclosure, b: Enclosure, arithmetic: Arithmetic) -> Enclosure:
    """a·b as an operation of its own: in 16 bits computed in float32 and rounded once."""
    return _stored(product, a, b, arithmetic)


def stored_total(a: Enclosure, b: Enclosure, arithmetic: Arithmetic) -> Enclosure:
    """a + b likewise."""
    return _stored(total, a, b, arithmetic)


def _stored(
    combine: Callable[[Enclosure, Enclosure, Arithmetic], Enclosure], a: Enclosure, b: Enclosure, arithmetic: Arithmetic
) -> Enclosure:
    if arithmetic.fused:  # then it may not be rounded at all
        return combine(a, b, arithmetic)
    return arithmetic.store(combine(a, b, arithmetic.wide), FLOAT32)


def complement(a: Enclosure, arithmetic: Arithmetic) -> Enclosure:
    """1 − a."""
    negative = Enclosure(-a.mid, a.sigma, a.worst, a.floor, a.overflow)
    return total(Enclosure(np.ones_like(a.mid)), negative, arithmetic)


def _rounded(
    y: np.ndarray,
    spread: list[np.ndarray],
    small: np.ndarray,
    floor: np.ndarray,
    a: Enclosure,
    b: Enclosure,
    fmt: Format,
) -> Enclosure:
    """One rounding of a result that lies within y ± spread; `small`: an operand is subnormal."""
    with np.errstate(all="ignore"):
        held = y.astype(np.float32).astype(np.float64) if fmt is FLOAT32 else fmt.round(y)
    exact = (held == y) & ~_is_subnormal(y, fmt) & ~small & (spread[1] == 0) | ~np.isfinite(y)
    probable, limit = (np.where(exact, 0.0, r + fmt.u * (np.abs(y) + r)) for r in spread)
    overflow = (
        np.asarray(a.overflow) | b.overflow | (np.isfinite(y) & (np.abs(y) + limit > fmt.max) & np.isfinite(limit))
    )
    return Enclosure(y, probable / Z, limit, np.where(exact, 0.0, floor), overflow if overflow.any() else False)


def _unless_exact(radius: np.ndarray, ra: np.ndarray, rb: np.ndarray) -> np.ndarray:
    """0·inf is NaN: no bound, unless both radii are zero."""
    return np.where((ra == 0) & (rb == 0), 0.0, np.nan_to_num(radius, nan=np.inf, posinf=np.inf))


def _is_subnormal(x: np.ndarray, fmt: Format) -> np.ndarray:
    return (x != 0) & (np.abs(x) < fmt.tiny)
