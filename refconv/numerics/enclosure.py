"""Enclosure: a tensor's exact value and how far a conforming execution may lie from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from refconv.numerics.formats import Field, float64, is_float

Z = 10.0  # the probable bound in standard deviations: NUMERICS, stage 1


class Lattice(Protocol):
    """The values that may come out of a rounding to a grid; `low` and `high` are the least and the greatest."""

    @property
    def low(self) -> np.ndarray: ...

    @property
    def high(self) -> np.ndarray: ...

    def admits(self, got: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Enclosure:
    """Where a right answer lies.

    Attributes:
        mid: the exact result to float64 accuracy (or integers, for integer tensors).
        sigma: standard deviation of a conforming execution's rounding error.
        worst: its hard limit; inf where it was not asked for (`Need.PROBABLE`).
        floor: storage and subnormal terms, added to both radii.
        overflow: True where partial sums may pass the format's range, so that ±Inf and NaN are allowed.
        lattices: after a quantizer, the values that may come out within the probable bound and within the limit: near
            a rounding boundary both neighbours, elsewhere exactly one. None where any value may.
        accumulator: bits of the signed integer that holds every partial sum behind the elements, in any order, where
            all of them are certified (`exactness`); 0 where there is no such sum.

    The fields from `sigma` to `overflow` are each an array of mid's shape or a scalar for all elements. All zero
    means: bit equality is demanded.
    """

    mid: np.ndarray
    sigma: Field = 0.0
    worst: Field = 0.0
    floor: Field = 0.0
    overflow: np.ndarray | bool = False
    lattices: tuple[Lattice, Lattice] | None = field(default=None, kw_only=True)
    accumulator: int = field(default=0, kw_only=True)

    @property
    def probable(self) -> Field:
        """Radius of the probable bound: min(Z·sigma, worst) + floor."""
        return np.minimum(Z * np.asarray(self.sigma), self.worst) + self.floor

    @property
    def limit(self) -> Field:
        """Radius that no conforming execution leaves: worst + floor."""
        return np.asarray(self.worst) + self.floor

    @property
    def exact(self) -> bool:
        """True where every element must be bit-equal to the rounded `mid`."""
        return not (np.any(self.worst) or np.any(self.floor) or np.any(self.overflow))

    def move(self, f: Callable[[np.ndarray], np.ndarray]) -> Enclosure:
        """Apply a function that only moves elements (reshape, transpose, slice, gather) to every field.

        Nothing moves a quantizer's output inside one layer, so `lattices` need not follow.
        """
        assert self.lattices is None

        def moved(v: Field) -> Field:
            return f(v) if isinstance(v, np.ndarray) and v.ndim else v

        overflow = f(self.overflow) if isinstance(self.overflow, np.ndarray) else self.overflow
        sigma, worst, floor = (moved(v) for v in (self.sigma, self.worst, self.floor))
        return Enclosure(f(self.mid), sigma, worst, floor, overflow, accumulator=self.accumulator)

    def full(self) -> tuple[np.ndarray, ...]:
        """The five fields as arrays of mid's shape, for operations that join tensors."""
        rest = (self.sigma, self.worst, self.floor, self.overflow)
        return (self.mid, *(np.broadcast_to(v, self.mid.shape) for v in rest))


def point(values: np.ndarray) -> Enclosure:
    """The enclosure of known values, float64 for floats, unchanged for integers and booleans."""
    values = np.asarray(values)
    return Enclosure(float64(values) if is_float(values.dtype) else values)


def bounded(mid: np.ndarray, radius: Field, floor: Field = 0.0) -> Enclosure:
    """An enclosure of one hard radius: the probable bound is the hard one."""
    return Enclosure(mid, np.asarray(radius) / Z, radius, floor)


def widest(one: Enclosure, other: Enclosure) -> Enclosure:
    """Two ways to compute the same values: whatever either may give."""
    sigma, worst, floor = (np.maximum(getattr(one, r), getattr(other, r)) for r in ("sigma", "worst", "floor"))
    overflow = np.asarray(one.overflow) | other.overflow
    accumulator = max(one.accumulator, other.accumulator) if one.accumulator and other.accumulator else 0
    return Enclosure(one.mid, sigma, worst, floor, overflow if overflow.any() else False, accumulator=accumulator)


def join(f: Callable[..., np.ndarray], enclosures: tuple[Enclosure, ...]) -> Enclosure:
    """Apply a function that moves the elements of several tensors into one (concatenate, stack)."""
    return Enclosure(*(f(list(column)) for column in zip(*(e.full() for e in enclosures), strict=True)))
