"""How far one weight is from another of the same shape, in figures that need one pass over both."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from refconv.graph import Weight
from refconv.inventory.streams import differ, equal_places, over_pieces

PRINTED = 5e-9  # what is smaller is 0.00000000 where NumPy prints arrays


@dataclass(frozen=True)
class Change:
    """The differences of two weights, value by value. Roots of means are good to about five digits.

    Attributes:
        elements, changed: how many there are, and how many differ.
        printed_zero: differences that are not zero, and that NumPy prints as 0 (below 5e-9).
        largest: the largest |difference|; NaN where a number became NaN, or the reverse.
        rms: root of the mean square of all differences.
        size: root mean square of the first weight's values.
    """

    elements: int
    changed: int
    printed_zero: int
    largest: float
    rms: float
    size: float

    @property
    def relative(self) -> float:
        """The RMS difference, in units of the weight's own size; infinite where all of it was 0."""
        if self.size:
            return self.rms / self.size
        return math.inf if self.rms else 0.0


@dataclass(frozen=True)
class DeadInputs:
    """Inputs of a layer none of whose weights has changed, while others have.

    An update is the gradient, and that is the input times what comes back: it is exactly 0 where the input always was.

    Attributes:
        inputs: how many the kernel has: its axis before the last.
        dead: their indices.
    """

    inputs: int
    dead: tuple[int, ...]


def change(a: Weight, b: Weight) -> Change | None:
    """From `a` to `b`; None where no value differs.

    Raises:
        UnreadableModel: see `over_pieces`.
    """
    return _summed(over_pieces(_partial, a, b)) if differ(a, b) else None


def _partial(x: np.ndarray, y: np.ndarray) -> Change:
    """Of one piece; sums of squares stand where roots of means will."""
    wide = x.dtype.itemsize > 4 or y.dtype.itemsize > 4 or x.dtype.kind != "f" or y.dtype.kind != "f"
    return _computed(x, y, np.dtype(np.float64 if wide else np.float32))


def _computed(x: np.ndarray, y: np.ndarray, dtype: np.dtype) -> Change:
    """In float32 where that loses nothing that is shown: three times as fast."""
    first = x.astype(dtype, copy=False)
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        by = y.astype(dtype, copy=False) - first
        np.abs(by, out=by)
        largest = float(by.max(initial=0.0))
        if not math.isfinite(largest):
            by[equal_places(x, y)] = 0.0
            largest = float(by.max(initial=0.0))
        squares, own = (float(np.einsum("i,i->", v, v)) for v in (by, first))
        lost = not own and bool(first.any())
        if dtype == np.float32 and (lost or not (_squarable(largest, squares) and _squarable(own, own))):
            return _computed(x, y, np.dtype(np.float64))
        changed = int(np.count_nonzero(by != 0))
        small = int(np.count_nonzero(by < dtype.type(PRINTED))) - (len(by) - changed)
    return Change(len(by), changed, small, largest, squares, own)


def _squarable(value: float, square: float) -> bool:
    """Whether float32 held the square of what is there."""
    return not value or 1e-15 < value < 1e15 and math.isfinite(square)


def _summed(parts: Iterable[Change]) -> Change:
    found = list(parts)
    elements = sum(part.elements for part in found)
    largest = float(np.max([part.largest for part in found]))  # NaN where one is
    means = (sum(values) / elements for values in ([p.rms for p in found], [p.size for p in found]))
    rms, size = (math.sqrt(mean) for mean in means)
    changed, small = sum(part.changed for part in found), sum(part.printed_zero for part in found)
    return Change(elements, changed, small, largest, rms, size)


def dead_inputs(a: Weight, b: Weight, found: Change) -> DeadInputs | None:
    """Which inputs of a changed kernel have no change; None where there are none, or it is no kernel."""
    if len(a.shape) < 2 or a.shape[-1] == 0 or a.shape[-2] < 2:
        return None
    inputs, outputs = a.shape[-2:]
    if found.elements - found.changed < found.elements // inputs:
        return None
    moved = over_pieces(lambda x, y: np.any((x != y).reshape(-1, outputs), axis=1), a, b, block=outputs)
    rows = np.concatenate(list(moved)).reshape(-1, inputs).any(axis=0)
    return DeadInputs(inputs, tuple(np.flatnonzero(~rows).tolist())) if not rows.all() else None
