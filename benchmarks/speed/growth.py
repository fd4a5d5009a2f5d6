"""How seconds grow with the batch: the line t = a + b·N by least squares, and how far the figures are off it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

LEAST = 3  # two points are always on a line


@dataclass(frozen=True)
class Line:
    """`each` seconds a sample on top of `fixed`; `off` is the largest |t − line| / line."""

    fixed: float
    each: float
    off: float


def line(seconds: Mapping[int, float]) -> Line | None:
    """Of batch → seconds; None for fewer than three batches, through which any line fits."""
    if len(seconds) < LEAST:
        return None
    batches, times = np.array(list(seconds), dtype=float), np.array(list(seconds.values()))
    each, fixed = np.polyfit(batches, times, 1)
    fitted = fixed + each * batches
    return Line(float(fixed), float(each), float(np.max(np.abs(times - fitted) / np.abs(fitted))))
