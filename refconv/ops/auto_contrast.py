"""AutoContrast: every channel of every image stretched over the range of its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refconv.numerics.enclosure import Enclosure, Z
from refconv.numerics.formats import Format
from refconv.ops.attributes import attribute, number
from refconv.ops.axes import as_floats
from refconv.ops.base import Context, Row, Weights
from refconv.ops.functions.base import DIVISION
from refconv.ops.functions.elementwise import radii
from refconv.ops.spatial import CHANNELS_LAST, channels_last, only

PIXELS = (0.0, 255.0)  # what Keras computes in, whatever the range of the values
MAPPED = 4 + DIVISION  # the differences of both, the quotient, the product and the sum that map one range to another
FLAT = 1e-30  # a range below this may overflow its inverse


def value_range(value: Any) -> tuple[float, float]:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError("two numbers are wanted")
    low, high = sorted(number(item) for item in value)
    return low, high


@dataclass(frozen=True)
class AutoContrast:
    """Keras takes the extremes over the axes 1 and 2, which are an image's with its channels last."""

    value_range: tuple[float, float] = attribute(value_range, default=PIXELS)
    data_format: str = attribute(only("data_format", CHANNELS_LAST, None), default=CHANNELS_LAST)


def auto_contrast(attrs: AutoContrast, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y = a + (b − a)·(x − min)/(max − min) over an image's channel; x itself where max = min. (a, b) = value_range.

    Keras maps the range to t in 0…255 first and back last, unless it is that, and computes s = 255/(max t − min t) and
    y = t·s − (min t)·s, which cancels. The radius is hard, and with δ = MAPPED·u|t| (if mapped), plus x's own radius:
    - t, and min t: s·(δ + max δ);
    - s: relative, 2·max δ/(max t − min t) + (1 + DIVISION)·u;
    - both products and the sum: u·(s(|t| + |min t|) + |y|); clipping removes, and never adds;
    - back: MAPPED·u of the part that is mapped, and u|y|.
    A range that such errors may close is bounded by nothing.
    """
    fmt, x = context.arithmetic.format, as_floats(inputs[0], context.arithmetic)
    channels_last(x.mid, CHANNELS_LAST, 2)
    low, high = (float(v) for v in fmt.round(attrs.value_range))
    gain = 1.0 if attrs.value_range == PIXELS else 255 / (high - low)
    with np.errstate(all="ignore"):
        share, reach = _stretched(x, gain, low, fmt, attrs.value_range != PIXELS)
        flat = x.mid.max(axis=(1, 2), keepdims=True) == x.mid.min(axis=(1, 2), keepdims=True)
        y = np.where(flat, x.mid, low + (high - low) * share)
        found = [(high - low) * r for r in reach]
        if attrs.value_range != PIXELS:
            found = [r + fmt.u * (MAPPED * np.abs((high - low) * share) + np.abs(y)) for r in found]
        own = radii(x)
        found = [np.where(flat, np.where(r > 0, np.inf, 0.0), f) for r, f in zip(own, found, strict=True)]
    lost = ~np.isfinite(found[1]) | ~np.isfinite(x.mid).all(axis=(1, 2), keepdims=True)
    probable, limit = (np.where(lost, np.inf, np.nan_to_num(f)) for f in found)
    floor = np.broadcast_to(np.where(flat, 0.0, 4 * fmt.tiny * max(1.0, high - low)), y.shape)
    return Enclosure(y, probable / Z, limit, floor, lost if lost.any() else False)


def _stretched(x: Enclosure, gain: float, low: float, fmt: Format, mapped: bool) -> tuple[np.ndarray, list[np.ndarray]]:
    """(x − min)/(max − min), and its two radii."""
    t = (x.mid - low) * gain
    least, most = t.min(axis=(1, 2), keepdims=True), t.max(axis=(1, 2), keepdims=True)
    width = most - least
    s = 255 / np.where(width > 0, width, 1.0)
    y = (t - least) * s
    reach = []
    for r in radii(x):
        moved = r * gain + (MAPPED * fmt.u * (np.abs(t) + r * gain) if mapped else 0.0)
        largest = moved.max(axis=(1, 2), keepdims=True)
        closes = 2 * largest
        scale = np.where(width > closes + FLAT, 1 / (1 - closes / width), np.inf)  # of s, where the range may be less
        slope = s * scale
        own = slope * (moved + largest) + y * scale * (closes / width + (1 + DIVISION) * fmt.u)
        reach.append((own + fmt.u * (slope * (np.abs(t) + np.abs(least)) + np.abs(y))) / 255)
    return y / 255, reach


ROWS = (
    Row(
        "AutoContrast",
        AutoContrast,
        auto_contrast,
        source="keras.layers.AutoContrast",
    ),
)
