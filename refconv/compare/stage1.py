"""Stage 1: every element of a tensor against its enclosure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refconv.numerics.enclosure import Enclosure
from refconv.numerics.formats import FLOAT32, Format, float64, is_float


@dataclass(frozen=True)
class Deviation:
    """Per element, each of the tensor's shape.

    Attributes:
        error: |got − mid|; 0 where both are the same NaN or infinity, or where overflow allows what was got; inf where
            only one of them is finite.
        probable, limit: the two radii.
        equal: bit-equal to the correctly rounded result (+0 equals −0, NaN equals NaN).
    """

    error: np.ndarray
    probable: np.ndarray
    limit: np.ndarray
    equal: np.ndarray

    @property
    def outside(self) -> np.ndarray:
        """Outside the probable bound."""
        return self.error > self.probable

    @property
    def impossible(self) -> np.ndarray:
        """Outside the worst case."""
        return self.error > self.limit

    @property
    def used(self) -> np.ndarray:
        """Share of the probable bound; inf where a bound of zero was left."""
        with np.errstate(divide="ignore", invalid="ignore"):
            share = self.error / self.probable
        return np.where(self.error > 0, share, 0.0)


def deviate(enclosure: Enclosure, got: np.ndarray, storage: Format = FLOAT32) -> Deviation:
    """Measure `got` (the framework's output) against the enclosure of the same shape.

    Correctly rounded means: to `storage`, in which the framework is said to keep its results.
    """
    return _plainly(enclosure, got, storage) or _carefully(enclosure, got, storage)


def _plainly(enclosure: Enclosure, got: np.ndarray, storage: Format) -> Deviation | None:
    """As `_carefully`, in a third of the time; None where something is not finite, flushed, or on a lattice."""
    mid = enclosure.mid
    plain = got.ndim > 0 and mid.dtype == np.float64 and got.dtype == np.float32
    if enclosure.lattices or not plain:
        return None
    with np.errstate(all="ignore"):
        error = np.subtract(got, mid)
        np.abs(error, out=error)
        expected = storage.round(mid)
    smallest = np.abs(mid)
    flushed = np.less(smallest, storage.tiny) & (mid != 0)
    if not np.isfinite(error.max(initial=0.0)) or flushed.any():
        return None
    equal = np.equal(got, expected)
    probable, limit = (np.broadcast_to(r, mid.shape) for r in (enclosure.probable, enclosure.limit))
    np.minimum(error, probable, out=error, where=equal)
    return Deviation(error, probable, limit, equal)


def _carefully(enclosure: Enclosure, got: np.ndarray, storage: Format) -> Deviation:
    mid, floats = enclosure.mid, is_float(got.dtype)
    got = float64(got) if floats else got
    with np.errstate(all="ignore"):
        expected = storage.round(mid) if floats and mid.dtype.kind == "f" else mid
        equal = (got == expected) | ((got != got) & (mid != mid))
        equal |= _flushed(mid, got, storage)
        error = np.where(equal, 0.0, np.abs(got.astype(np.float64) - mid))
        # a NaN or infinity has no neighbourhood, whatever radius its sums came to
        probable, limit = (np.where(np.isfinite(mid), r, 0.0) for r in (enclosure.probable, enclosure.limit))
        # correctly rounded is right whatever the bound; else what is not finite has no distance
        rounding = np.abs(expected.astype(np.float64) - mid)
        error = np.where(np.isfinite(error), np.where(equal, np.minimum(rounding, probable), error), np.inf)
        error = np.where(equal & ~np.isfinite(mid), 0.0, error)
        error = np.where(_overflow(enclosure, got, storage), 0.0, error)
        if enclosure.lattices:
            admitted = [equal | lattice.admits(got) for lattice in enclosure.lattices]
            probable, limit = (
                np.where(a, np.maximum(error, r), 0.0) for a, r in zip(admitted, (probable, limit), strict=True)
            )
    return Deviation(error, probable, limit, equal)


def _flushed(mid: np.ndarray, got: np.ndarray, storage: Format) -> np.ndarray:
    """A subnormal result given as zero, even by a layer that only moves or selects (TRAPS 29, 33)."""
    return (np.abs(mid) < storage.tiny) & (got == 0)


def _overflow(enclosure: Enclosure, got: np.ndarray, storage: Format) -> np.ndarray:
    """Not finite where partial sums, or the last rounding, may leave the format's range; inputs were finite there."""
    if np.isfinite(got).all():
        return np.zeros((), dtype=bool)
    beyond = np.abs(enclosure.mid) + enclosure.limit > storage.max
    return ~np.isfinite(got) & np.isfinite(enclosure.mid) & (np.asarray(enclosure.overflow) | beyond)
