"""ContrastLimitedAdaptiveHistogramEqualization: pixels replaced by their share of what their tiles hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refconv.numerics.enclosure import Enclosure, Z
from refconv.numerics.formats import Format, gamma
from refconv.ops.attributes import Unknown, attribute, integers, number
from refconv.ops.auto_contrast import PIXELS, value_range
from refconv.ops.base import Context, Row, Weights
from refconv.ops.functions.base import DIVISION
from refconv.ops.functions.elementwise import radii
from refconv.ops.spatial import channels_last, data_format, restore

BINS = 256
COUNTED = 2 * BINS + 2  # roundings of a running sum of clipped counts: of the excess, its share, and the sum itself
BLENDED = 8  # of two linear interpolations, one after the other


def pixels(value: Any) -> tuple[float, float]:
    """Only 0…255: what is mapped to that range first falls on whole numbers, where rounding decides on the bin."""
    if (found := value_range(value)) != PIXELS:
        raise Unknown(f"value_range = {value!r} has no reference; only (0, 255)")
    return found


@dataclass(frozen=True)
class LocalContrast:
    value_range: tuple[float, float] = attribute(pixels, default=PIXELS)
    clip_limit: float = attribute(number, default=4.0)
    tile_grid_size: tuple[int, ...] = attribute(integers(2, 1), default=(8, 8))
    data_format: str = data_format()


@dataclass(frozen=True)
class Axis:
    """Where the lines of a padded image lie between tiles: `lower` and the next, and the next one's `weight`."""

    lower: np.ndarray
    weight: np.ndarray
    drift: np.ndarray


def local_contrast(attrs: LocalContrast, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y = 255·(c(k) − c(0))/(n − c(0)) of a pixel k, interpolated between the four tiles that are nearest to it.

    k is cut down to an integer; the image is filled up by its mirror image to whole tiles, and c are the running counts
    of a channel's tile, of n pixels. Counts above clip_limit·n/256 are cut to that, and what is cut off is spread over
    all 256. The radius is hard: that of c (exact without a cut, else γ(COUNTED, u)·c), of the differences, products and
    the quotient; of the interpolation γ(BLENDED, u)·y, and 255 for each unit that a kernel's position between two tiles
    may err. Integers come out cut to integers.

    Source: keras.layers.ContrastLimitedAdaptiveHistogramEqualization.
    """
    fmt, x = context.arithmetic.format, inputs[0].move(lambda v: channels_last(v, attrs.data_format, 2))
    height, width = x.mid.shape[1:-1]
    tile = tuple(-(-length // parts) for length, parts in zip((height, width), attrs.tile_grid_size, strict=True))
    bins, unknown = _bins(x)
    grown = [parts * size - n for parts, size, n in zip(attrs.tile_grid_size, tile, (height, width), strict=True)]
    padded = np.pad(bins, ((0, 0), (0, grown[0]), (0, grown[1]), (0, 0)), mode="symmetric")
    table, reach = _shares(_counts(padded, attrs.tile_grid_size, tile), attrs.clip_limit, tile[0] * tile[1], fmt)
    axes = [_between(n, size, fmt.u) for n, size in zip((height, width), tile, strict=True)]
    y, moved = _blend(table, bins, axes), _blend(reach, bins, axes)
    away = 255 * (axes[0].drift[:, None] + axes[1].drift)[:, :, None]
    radius = moved + gamma(BLENDED, fmt.u) * (y + moved) + away
    radius = np.where(unknown, np.inf, radius)
    found = Enclosure(
        y, radius / Z, radius, np.broadcast_to(BLENDED * fmt.tiny, y.shape), unknown if unknown.any() else False
    )
    return restore(_cut(found, x.mid.dtype) if x.mid.dtype.kind in "iu" else found, attrs.data_format)


def _bins(x: Enclosure) -> tuple[np.ndarray, np.ndarray]:
    """0…255 of every pixel; and True for all of a channel in which one is not certain."""
    values = np.asarray(x.mid, dtype=np.float64)
    with np.errstate(all="ignore"):
        ends = [np.trunc(np.clip(values + side * radii(x)[1], 0, BINS - 1)) for side in (-1, 1)]
    doubtful = (ends[0] != ends[1]) | ~(np.abs(values) < 2.0**31)
    unknown = np.broadcast_to(doubtful.any(axis=(1, 2), keepdims=True), values.shape)
    return np.where(doubtful, 0.0, ends[0]).astype(np.int64), unknown


def _counts(padded: np.ndarray, parts: tuple[int, ...], tile: tuple[int, ...]) -> np.ndarray:
    """(N, rows, columns, C, 256)."""
    n, c = padded.shape[0], padded.shape[-1]
    tiled = padded.reshape(n, parts[0], tile[0], parts[1], tile[1], c).transpose(0, 1, 3, 5, 2, 4)
    flat = tiled.reshape(-1, tile[0] * tile[1]) + BINS * np.arange(n * parts[0] * parts[1] * c)[:, None]
    return np.bincount(flat.ravel(), minlength=BINS * len(flat)).reshape(n, *parts, c, BINS).astype(np.float64)


def _shares(counts: np.ndarray, clip: float, size: int, fmt: Format) -> tuple[np.ndarray, np.ndarray]:
    """What every tile makes of every bin, and how far a kernel may miss it."""
    cut = np.zeros_like(counts)
    if clip > 0:
        cut = np.maximum(counts - float(fmt.round(clip * size / BINS)), 0.0)
    excess = cut.sum(axis=-1, keepdims=True)
    c = np.cumsum(counts - cut + excess / BINS, axis=-1)
    own = np.where(excess > 0, gamma(COUNTED, fmt.u) * c, 0.0)
    first, least = c[..., :1], own[..., :1]
    below = size - first
    full = (below == 0) & (least == 0)  # Keras then divides by 1
    surely = np.where(full, 1.0, below - least)
    with np.errstate(all="ignore"):
        y = 255 * (c - first) / np.where(full, 1.0, below)
        reach = (255 * (own + least) + np.abs(y) * least) / surely + (4 + DIVISION) * fmt.u * np.abs(y)
    reach = np.where(surely > 0, reach, 255.0)
    return np.clip(np.nan_to_num(y), 0, 255), np.minimum(reach, 255.0)


def _between(length: int, tile: int, u: float) -> Axis:
    """p = (i − tile/2)/tile among the tiles' centres, of which the outermost go on to both ends."""
    p = (np.arange(length) - tile / 2) / tile
    lower = np.floor(p)
    drift = np.where(tile & (tile - 1) == 0, 0.0, u * (DIVISION * np.abs(p) + np.abs(p + 1) + 1))
    return Axis(lower.astype(np.int64), p - lower, drift)


def _blend(table: np.ndarray, bins: np.ndarray, axes: list[Axis]) -> np.ndarray:
    """The table's values of `bins` (N, H, W, C), between the tiles that `axes` names."""
    n, c = np.arange(bins.shape[0])[:, None, None, None], np.arange(bins.shape[-1])
    total = np.zeros(bins.shape)
    for down in (0, 1):
        rows = np.clip(axes[0].lower + down, 0, table.shape[1] - 1)[:, None, None]
        vertical = np.where(down, axes[0].weight, 1 - axes[0].weight)[:, None, None]
        for right in (0, 1):
            columns = np.clip(axes[1].lower + right, 0, table.shape[2] - 1)[:, None]
            horizontal = np.where(right, axes[1].weight, 1 - axes[1].weight)[:, None]
            total += vertical * horizontal * table[n, rows, columns, c, bins]
    return total


def _cut(e: Enclosure, dtype: np.dtype) -> Enclosure:
    """Towards 0: monotone, so that [y ± r] comes out as [T(y − r), T(y + r)]."""
    mid, limit = np.trunc(e.mid), np.asarray(e.limit)
    reach = np.max([np.abs(np.trunc(np.clip(e.mid + side * limit, 0, 255)) - mid) for side in (-1, 1)], axis=0)
    return Enclosure(mid.astype(dtype), reach / Z, reach)


ROWS = (
    Row(
        "ContrastLimitedAdaptiveHistogramEqualization",
        LocalContrast,
        local_contrast,
        single=True,  # under XLA a 16-bit input may be another than was recorded, and fall into another bin
        source="keras.layers.ContrastLimitedAdaptiveHistogramEqualization",
    ),
)
