"""Which element a maximum may take where subnormal numbers meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from refconv.numerics.enclosure import Enclosure
from refconv.numerics.formats import FLOAT16, is_float
from refconv.ops.base import Context


def selected(result: Enclosure, inputs: Sequence[np.ndarray], context: Context) -> Enclosure:
    """The largest of some elements, as a processor compares them that flushes subnormal operands.

    To it they all equal zero, and each other (TRAPS 33): where the result is zero or subnormal, any of those that were
    compared may come out, unchanged. TensorFlow 2.21 with oneDNN gives −7.8e-39 as the maximum of a window that holds
    4.0e-39, in MaxPooling and AdaptiveMaxPooling. Elsewhere, and in float16, nothing is allowed.
    """
    fmt = context.arithmetic.format
    if fmt is FLOAT16 or not is_float(result.mid.dtype):
        return result
    least, found = fmt.tiny, [x for x in inputs if context.engine.extent(x).least < fmt.tiny]
    if not found:
        return result
    largest = max(_largest(x, least) for x in found)
    floor = np.where(np.abs(result.mid) < least, np.abs(result.mid) + largest, 0.0)
    return replace(result, floor=np.asarray(result.floor) + floor) if floor.any() else result


def _largest(x: np.ndarray, least: float) -> float:
    """Of the subnormal magnitudes."""
    size = np.abs(x)
    return float(np.max(size, initial=0.0, where=size < least))
