"""One output tensor: stage 1, stage 2 where elements ask for it, and the verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from refconv.compare.spread import Axes, spread_of
from refconv.compare.stage1 import Deviation, deviate
from refconv.compare.stage2 import WORST_ELEMENTS
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.formats import FLOAT32, Field, Format
from refconv.result import Comparison, Element, Verdict

Index = tuple[int, ...]


@dataclass(frozen=True)
class Compared:
    """A layer's tensors compared: its outputs, then its steps; why, where a reason is due; σ of each output."""

    tensors: tuple[Comparison, ...] = ()
    reason: str = ""
    sigma: tuple[Field, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The gravest; a mismatch where nothing could be compared."""
        return max((c.verdict for c in self.tensors), key=lambda v: v.severity, default=Verdict.MISMATCH)


Explain = Callable[[Index], Enclosure | None]


def compare(
    enclosure: Enclosure,
    got: np.ndarray,
    explain: Explain | None = None,
    storage: Format = FLOAT32,
    deviation: Deviation | None = None,
    *,
    spread: Axes | None = None,
) -> Comparison:
    """Judge the framework's tensor `got` by the enclosure, whose worst case must be known.

    Args:
        enclosure: the reference's output.
        got: the framework's output.
        explain: index of an element → its enclosure under stage 2, or None where it has no terms; None where no
            element of the layer has.
        storage: the format in which the framework is said to keep its results.
        deviation: that of `got` from the enclosure, where it is known.
        spread: the axes over which its errors are wanted (`spread.axes_of`); None where they are not.
    """
    if got.shape != enclosure.mid.shape:
        return _wrong_shape(enclosure, got)
    deviation = deviation or deviate(enclosure, got, storage)
    outside = np.flatnonzero(deviation.outside)
    report = partial(_report, enclosure=enclosure, got=got, deviation=deviation, storage=storage, spread=spread)
    if np.any(deviation.impossible):
        return report(Verdict.MISMATCH, failing=len(outside))
    explained = _explained(deviation, outside, got, explain, storage) if len(outside) and explain else 0
    if explained < min(len(outside), WORST_ELEMENTS):
        return report(Verdict.SUSPECT, failing=len(outside) - explained, explained=explained)
    verdict = Verdict.EXACT if deviation.equal.all() else Verdict.WITHIN
    return report(verdict, explained=len(outside))


def settled(enclosure: Enclosure, got: np.ndarray, storage: Format = FLOAT32) -> Deviation | None:
    """The deviation of `got`, where no element leaves the probable bound; else None: its worst case is wanted.

    So it is for one that is not finite: only a worst case tells whether its sums may have overflowed.
    """
    if got.shape != enclosure.mid.shape or lost(enclosure, got):
        return None
    deviation = deviate(enclosure, got, storage)
    return None if deviation.outside.any() else deviation


def lost(enclosure: Enclosure, got: np.ndarray) -> bool:
    """Whether an element is not finite that should be."""
    return bool(np.any(~np.isfinite(got.astype(np.float64)) & np.isfinite(enclosure.mid)))


def shape_reason(compared: tuple[Comparison, ...]) -> str:
    """Says so where an output has another shape than the reference's."""
    for c in compared:
        if c.worst is None and c.verdict is Verdict.MISMATCH:
            return f"the framework's output has shape {c.shape}, which is not the reference's"
    return ""


def _explained(deviation: Deviation, outside: np.ndarray, got: np.ndarray, explain: Explain, storage: Format) -> int:
    """How many of the worst elements stage 2 explains; stops at the first that it does not."""
    worst_first = outside[np.argsort(-deviation.used.ravel()[outside])][:WORST_ELEMENTS]
    for count, flat in enumerate(worst_first):
        index = tuple(int(i) for i in np.unravel_index(flat, got.shape))
        again = explain(index)
        if again is None or deviate(again, np.asarray(got[index]), storage).outside.any():
            return count
    return len(worst_first)


def _report(
    verdict: Verdict,
    *,
    enclosure: Enclosure,
    got: np.ndarray,
    deviation: Deviation,
    storage: Format,
    spread: Axes | None,
    failing: int = 0,
    explained: int = 0,
) -> Comparison:
    used = deviation.used
    return Comparison(
        shape=got.shape,
        verdict=verdict,
        certified=enclosure.exact,
        max_abs_error=float(np.max(deviation.error, initial=0.0)),
        max_ulp_error=_ulps(enclosure.mid, deviation, storage),
        bound_used=float(np.max(used, initial=0.0)),
        worst=_worst(enclosure, got, deviation, used),
        failing=failing,
        explained=explained,
        accumulator_bits=(enclosure.accumulator or None) if enclosure.exact else None,
        spread=None if spread is None else spread_of(used, spread),
    )


def _worst(enclosure: Enclosure, got: np.ndarray, deviation: Deviation, used: np.ndarray) -> Element | None:
    """The element that used most of its bound; among bounds left by infinity, the largest error."""
    if not used.size:
        return None
    top = used == used.max()
    flat = int(np.argmax(np.where(top, deviation.error, -1.0)))
    index = tuple(int(i) for i in np.unravel_index(flat, got.shape))
    return Element(index, float(enclosure.mid[index]), float(got[index]), float(deviation.probable[index]))


def _ulps(mid: np.ndarray, deviation: Deviation, storage: Format) -> float:
    """Largest error in the storage format's units in the last place, over elements that are not bit-equal."""
    off = ~deviation.equal
    if not off.any():
        return 0.0
    with np.errstate(all="ignore"):
        spacing = storage.spacing(mid[off])
        ulps = deviation.error[off] / spacing
    return float(np.max(np.where(np.isnan(ulps), np.inf, ulps)))


def _wrong_shape(enclosure: Enclosure, got: np.ndarray) -> Comparison:
    return Comparison(got.shape, Verdict.MISMATCH, enclosure.exact, np.inf, np.inf, np.inf, failing=got.size)
