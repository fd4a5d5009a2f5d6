"""Where a dense correlation finds everything: the laid-out x, its tiles of results and the panels of the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from refconv.primitives.canonical import Canonical
from refconv.primitives.numba_tile import ROWS, VECTORS

LINE = 8  # float64 elements of a cache line
KEPT = 32  # plans: a layer is computed several times, and networks repeat their shapes


@dataclass(frozen=True)
class Plan:
    """Where everything lies.

    Attributes:
        place: shape of the laid-out x.
        offsets: (K,) of the terms from where a window begins.
        tiles: (T, 4) as in `multiply`.
        group: distance between the groups' channels.
    """

    place: tuple[int, ...]
    offsets: np.ndarray
    tiles: np.ndarray
    group: int


@lru_cache(maxsize=KEPT)
def points_plan(points: int, channels: int, groups: int) -> Plan:
    """Rows of a few blocks each, whatever the image's shape."""
    columns = min(LINE * ROWS[0], points)
    rows = -(-points // columns)
    first = np.arange(rows)[:, None] * [channels * columns, columns]
    tiles = _tiles(first, columns)
    tiles[:, 3] = np.minimum(tiles[:, 3], points - tiles[:, 1])
    per_group = channels // groups
    return Plan((rows, channels, columns), np.arange(per_group) * columns, tiles[tiles[:, 3] > 0], per_group * columns)


@lru_cache(maxsize=KEPT)
def rows_plan(shape: tuple[int, ...], window: Canonical, groups: int) -> Plan:
    samples, channels = shape[0], shape[-1]
    (_, _, stride), (deep, high, wide) = window.strides, window.seen
    columns = _columns(-(-wide // stride), stride)
    steps = np.array([high * channels, channels, 1]) * (stride * columns)  # of d, h and c
    taps = [np.arange(size) * step for size, step in zip(window.size, window.dilation, strict=True)]
    across = taps[2] % stride * columns + taps[2] // stride
    per_group = channels // groups
    offsets = (
        (taps[0] * steps[0])[:, None, None, None]
        + (taps[1] * steps[1])[:, None, None]
        + across[:, None]
        + np.arange(per_group) * steps[2]
    )
    n, d, h = np.indices((samples, *window.out[:2])).reshape(3, -1)
    begins = (n * deep + d * window.strides[0]) * steps[0] + h * window.strides[1] * steps[1]
    first = np.stack([begins, np.arange(len(begins)) * window.out[2]], axis=1)
    place = (samples, deep, high, channels, stride, columns)
    return Plan(place, offsets.ravel(), _tiles(first, window.out[2]), int(per_group * steps[2]))


def _columns(needed: int, stride: int) -> int:
    """At least `needed`; no power of two apart, where long rows of all channels would share a few places in cache."""
    unit = max(LINE // stride, 1)
    columns = -(-needed // unit) * unit
    step = columns * stride
    return columns + unit if step >= 8 * LINE and step // LINE % 2 == 0 else columns


def _tiles(first: np.ndarray, length: int) -> np.ndarray:
    """Tiles of rows of `length` positions; first (R, 2): where x and the result begin at each."""
    pieces = np.array(_split(length))
    at = first[:, None, :] + pieces[:, :1]
    return np.ascontiguousarray(
        np.concatenate([at, np.broadcast_to(pieces[:, 1:], at.shape)], axis=2).reshape(-1, 4), dtype=np.int64
    )


@lru_cache(maxsize=256)
def _split(length: int) -> tuple[tuple[int, int, int], ...]:
    """(start, rows computed, rows kept) of the blocks of a row: the largest ones, and the cheapest end."""
    largest = ROWS[0]
    whole = max(length // largest - 1, 0)
    done = tuple((i * largest, largest, largest) for i in range(whole))
    return done + _end(whole * largest, length)


@lru_cache(maxsize=256)
def _end(start: int, length: int) -> tuple[tuple[int, int, int], ...]:
    if start >= length:
        return ()
    choices = [((start, rows, min(rows, length - start)), *_end(start + rows, length)) for rows in ROWS]
    return min(choices, key=lambda blocks: sum(rows + 1 for _, rows, _ in blocks))  # a block costs about a row more


@lru_cache(maxsize=KEPT)
def batches(
    terms: int, filters: int, groups: int, group: int, lanes: int, most: int
) -> tuple[tuple[np.ndarray, int], ...]:
    """Panels (P, 5) as in `multiply` that lie packed in memory at once, and their size: about `most` elements."""
    panels, width = _panels(filters, groups, group, lanes), terms * lanes
    sizes = panels[:, 1] * width
    number, found = (np.cumsum(sizes) - 1) // most, []
    for batch in range(int(number[-1]) + 1):
        some = number == batch
        if some.any():
            starts = np.cumsum(sizes[some]) - sizes[some]
            found.append((np.column_stack([starts, panels[some, 1:]]), int(sizes[some].sum())))
    return tuple(found)


def _panels(filters: int, groups: int, group: int, lanes: int) -> np.ndarray:
    """Panels (P, 5) as in `multiply`, their places yet to be given."""
    found, per_group = [], filters // groups
    for g in range(groups):
        done = 0
        while done < per_group:
            left = per_group - done
            fitting = [v for v in VECTORS if v * lanes <= left]
            vectors = fitting[0] if fitting else min(v for v in VECTORS if v * lanes > left)
            found.append((0, vectors, g * group, g * per_group + done, min(left, vectors * lanes)))
            done += vectors * lanes
    return np.array(found, dtype=np.int64)
