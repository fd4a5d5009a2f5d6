"""How a tensor's errors, in units of the bound, are spread: few numbers, for pictures, of a tensor of any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import numpy as np

from refconv.graph import Node
from refconv.result import EXPONENTS, Spread

MOST = 32  # rows and columns of a grid
Axes = tuple[int | None, int | None]


def axes_of(node: Node, rank: int) -> Axes:
    """The axes of an output that a map of it shows: the last two of space, else steps and features, else features."""
    if rank < 3:
        return None, rank - 1 if rank else None
    if rank == 3:
        return 1, 2
    first = getattr(node.attrs, "data_format", "") == "channels_first"
    return (rank - 2, rank - 1) if first else (rank - 3, rank - 2)


def spread_of(used: np.ndarray, axes: Axes) -> Spread:
    """The spread of the shares `used` of the bound: over the map's two axes, the largest of all others."""
    if not used.size:
        return Spread(_counts(used))
    largest = _kept(used, axes)
    largest = np.where(np.isnan(largest), np.inf, largest)
    cell = tuple(ceil(n / MOST) for n in largest.shape)
    for axis, n in enumerate(cell):
        largest = np.maximum.reduceat(largest, np.arange(0, largest.shape[axis], n), axis=axis)
    return Spread(_counts(used), tuple(map(tuple, largest.tolist())), axes, (cell[0], cell[1]))


def _kept(used: np.ndarray, axes: Axes) -> np.ndarray:
    """(rows, columns), one of each where an axis is None."""
    kept = [axis for axis in axes if axis is not None]
    largest = used.max(axis=tuple(axis for axis in range(used.ndim) if axis not in kept))
    return largest.reshape([1 if axis is None else used.shape[axis] for axis in axes])


def _counts(used: np.ndarray) -> tuple[int, ...]:
    """How many are 0, and how many in each bin, whose upper end 2ᵏ belongs to it: within the bound is up to 1.

    Read from the exponents of float64, which order numbers that are not negative; infinity and NaN stand above all. The
    last bit taken off first makes 2ᵏ the greatest of its bin.
    """
    bits = np.ascontiguousarray(used, dtype=np.float64).view(np.int64).ravel()
    ends = ((bits - 1) >> 52) - 1022
    bins = np.clip(ends, EXPONENTS.start, EXPONENTS.stop) - (EXPONENTS.start - 1)
    bins[bits == 0] = 0
    return tuple(np.bincount(bins, minlength=len(EXPONENTS) + 2).tolist())


def joined(spreads: Sequence[Spread]) -> Spread | None:
    """That of a tensor whose slices along the samples have these; None of none."""
    if not spreads:
        return None
    counts = tuple(map(sum, zip(*(s.counts for s in spreads), strict=True)))
    grids = [np.array(s.grid) for s in spreads]
    alike = all(g.shape == grids[0].shape for g in grids) and 0 not in spreads[0].axes
    if not alike:
        return Spread(counts)
    return replace(spreads[0], counts=counts, grid=tuple(map(tuple, np.max(grids, axis=0).tolist())))
