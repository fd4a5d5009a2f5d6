"""What somebody's implementation gave: a whole output, or a part of it, as exactly as its digits say."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from refconv.numerics.enclosure import Enclosure
from refconv.numerics.formats import Field


@dataclass(frozen=True)
class Observation:
    """Values of one output of a layer.

    Attributes:
        values: of the output's shape; of a part of it, one axis per axis of the output.
        at: the part, one array of ascending indices per axis of the output; None for all of it.
        resolution: what was observed lies in values ± resolution: half a unit of the last digit given, half the step of
            a code; 0 where every bit is known. One number, or one for each value.
    """

    values: np.ndarray
    at: tuple[np.ndarray, ...] | None = None
    resolution: Field = 0.0

    @property
    def whole(self) -> bool:
        """All of the output, to the last bit."""
        return self.at is None and not np.any(self.resolution)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an output of that shape has all the places that were observed."""
        if self.at is None:
            return self.values.shape == shape
        places = zip(self.at, shape, strict=False)
        return len(self.at) == len(shape) and all(not i.size or int(i.max()) < n for i, n in places)

    def filled(self, enclosure: Enclosure) -> np.ndarray:
        """An output as the enclosure says, but with what was observed at its places.

        Of what `resolution` leaves open, the value nearest to the enclosure's is taken.
        """
        mid = enclosure.mid
        own = mid if self.at is None else mid[np.ix_(*self.at)]
        values = self.values
        if np.any(self.resolution):
            values = np.clip(own, self.values - self.resolution, self.values + self.resolution)
        if self.at is None:
            return values
        with np.errstate(all="ignore"):
            full = mid.astype(np.result_type(self.values.dtype, np.float32) if mid.dtype.kind == "f" else mid.dtype)
        full[np.ix_(*self.at)] = values
        return full

    def mask(self, shape: tuple[int, ...]) -> np.ndarray:
        """True at the places of an output that were observed."""
        if self.at is None:
            return np.ones(shape, bool)
        found = np.zeros(shape, bool)
        found[np.ix_(*self.at)] = True
        return found

    def among(self, axis: int, chosen: np.ndarray) -> Observation:
        """What was observed of some channels (ascending), of an output that has no others."""
        if self.at is None:
            return self._taken(chosen, axis)
        axis %= len(self.at)
        kept = np.flatnonzero(np.isin(self.at[axis], chosen))
        places = np.searchsorted(chosen, self.at[axis][kept])
        return replace(self._taken(kept, axis), at=(*self.at[:axis], places, *self.at[axis + 1 :]))

    def _taken(self, kept: np.ndarray, axis: int) -> Observation:
        resolution = self.resolution
        resolution = resolution.take(kept, axis) if isinstance(resolution, np.ndarray) else resolution
        return replace(self, values=self.values.take(kept, axis), resolution=resolution)

    def channels(self, axis: int, count: int) -> np.ndarray:
        """The channels of which anything was observed."""
        return np.arange(count) if self.at is None else self.at[axis % len(self.at)]
