"""Do the observed values say enough? Whether a change might fit them by chance, and whether two can be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from refconv.compare.stage1 import deviate
from refconv.diagnose.fit import enclosed, weigh
from refconv.diagnose.rule import Change, Question
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.moments import Need
from refconv.ops.base import Context

NOT_CHANCE = 0.01
LEAST = 2.0**-24  # relative: two neighbouring float32 numbers are not told apart by less


def chance(question: Question, change: Change, tries: int, context: Context) -> float:
    """Probability that one of so many wrong changes fits, if what each gives were spread like the layer's own output.

    One value fits by chance with probability (2·(bound + resolution) + one unit of float32) / (range of the output),
    or where values repeat (a relu's zeros, codes), the share of the most frequent one, if that is larger; values count
    as independent. At most 1.
    """
    (first, *_), observation = _enclosed(question, change, context), question.observed[0]
    mid = first.mid.astype(np.float64)
    finite = mid[np.isfinite(mid)]
    if not finite.size:
        return 1.0
    spread = float(np.ptp(finite)) or float(np.max(np.abs(finite))) or 1.0
    seen = observation.mask(mid.shape)
    radius = np.broadcast_to(first.probable, mid.shape)[seen] + np.ravel(observation.resolution)
    width = 2 * radius + LEAST * np.abs(mid[seen])
    _, counts = np.unique(finite.astype(np.float32), return_counts=True)
    common = counts.max() / finite.size if counts.max() > 1 else 0.0
    with np.errstate(all="ignore"):
        each = np.clip(np.maximum(width / spread, common), 1e-30, 1.0)
    each = each[np.isfinite(each)]
    return float(min(1.0, tries * np.exp(np.sum(np.log(each))))) if each.size else 1.0


def apart(question: Question, changes: Sequence[Change], context: Context) -> tuple[int, ...] | None:
    """Where the first change and another differ most beyond their bounds; None where they differ nowhere."""
    first, *others = (_enclosed(question, change, context)[0] for change in changes)
    best: tuple[float, tuple[int, ...]] | None = None
    for other in others:
        if other.mid.shape != first.mid.shape:
            continue
        deviation = deviate(first, other.mid.astype(np.float32) if other.mid.dtype.kind == "f" else other.mid)
        excess = deviation.error - deviation.limit - np.asarray(other.limit)
        flat = int(np.argmax(excess))
        if excess.flat[flat] > 0 and (best is None or excess.flat[flat] > best[0]):
            best = float(excess.flat[flat]), tuple(int(i) for i in np.unravel_index(flat, excess.shape))
    return best[1] if best else None


def _enclosed(question: Question, change: Change, context: Context) -> tuple[Enclosure, ...]:
    """The altered call, as it was found to fit, under the first candidate arithmetic."""
    arithmetic = change.arithmetic or question.candidates[0]
    case = weigh(question, change)[1]
    return enclosed(case, change, replace(context, arithmetic=arithmetic, need=Need.WORST))[0]
