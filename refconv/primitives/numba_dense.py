"""Dense and grouped correlation without copies of windows: sums over fixed offsets from where a window begins.

x is laid out row by row with the columns last, x[n, d, h, c, w], so that neighbouring positions of a row see
neighbouring numbers: a block of the result is Σ_k x[begin + offset_k + p]·b[k, f] for p = 0, 1 … (`numba_tile`). With
a stride s along the row the columns are dealt into s phases first. A pass over products costs one copy of x.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np

from refconv.primitives.canonical import Canonical, aligned
from refconv.primitives.numba_blocks import VALUES, lay_points, lay_rows, multiply, pack
from refconv.primitives.numba_tile import LANES, ROWS, VECTORS
from refconv.primitives.threads import PIECE, Threads, worth

TERMS = 384  # at most so many are summed in registers, and so in the pass's own format
PACKED = 1 << 22  # elements of the packed kernel at a time: a large one is never copied whole
LINE = 8  # float64 elements of a cache line


@dataclass(frozen=True)
class Pass:
    """One correlation of what it sees of the operands; the sums are multiplied by `scale`.

    Attributes:
        dtype: of the products and of TERMS sums at a time; those are added in float64.
        mode: VALUES, MAGNITUDES or SQUARES.
        x_scale, w_scale: powers of two by which SQUARES multiplies before it squares.
    """

    mode: int = VALUES
    dtype: type[np.floating] = np.float64
    x_scale: float = 1.0
    w_scale: float = 1.0
    scale: float = 1.0


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


def dense(
    x: np.ndarray, kernel: np.ndarray, window: Canonical, groups: int, passes: list[Pass], threads: Threads
) -> list[np.ndarray]:
    """Correlate x (N, D, H, W, C) with kernel (kd, kh, kw, C/groups, F) once a pass; results (N, *out, F)."""
    shape = (x.shape[0], *window.out, kernel.shape[-1])
    if 0 in shape or 0 in kernel.shape:
        return [np.zeros(shape) for _ in passes]
    matrix = kernel.reshape(-1, kernel.shape[-1])
    pointwise = window.pointwise(x.shape[1:-1])
    if pointwise:
        x = _selected(x, window)
        plan = _points(len(x), x.shape[-1], groups)
    else:
        plan = _rows(x.shape, window, groups)
    results = []
    for p in passes:
        laid = _laid_points(x, plan, p, threads) if pointwise else _laid_rows(x, plan, window, p, threads)
        results.append(_multiply(laid, matrix, plan, groups, p, threads).reshape(shape))
    return results


def _selected(x: np.ndarray, window: Canonical) -> np.ndarray:
    """The points that windows of one element see, (P, C)."""
    axes = zip(window.out, window.strides, strict=True)
    taken = tuple(slice(0, (out - 1) * stride + 1, stride) for out, stride in axes)
    return np.ascontiguousarray(x[(slice(None), *taken)]).reshape(-1, x.shape[-1])


def _points(points: int, channels: int, groups: int) -> Plan:
    """Rows of a few blocks each, whatever the image's shape."""
    columns = min(LINE * ROWS[0], points)
    rows = -(-points // columns)
    first = np.arange(rows)[:, None] * [channels * columns, columns]
    tiles = _tiles(first, columns)
    tiles[:, 3] = np.minimum(tiles[:, 3], points - tiles[:, 1])
    per_group = channels // groups
    return Plan((rows, channels, columns), np.arange(per_group) * columns, tiles[tiles[:, 3] > 0], per_group * columns)


def _rows(shape: tuple[int, ...], window: Canonical, groups: int) -> Plan:
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


def _laid_points(x: np.ndarray, plan: Plan, p: Pass, threads: Threads) -> np.ndarray:
    flat, place = _room(plan, p)
    place[-1] = 0
    threads.over(len(place), lambda a, b: lay_points(x, place, a, b, p.mode, p.x_scale), least=worth(place[0].size))
    return flat


def _laid_rows(x: np.ndarray, plan: Plan, window: Canonical, p: Pass, threads: Threads) -> np.ndarray:
    flat, place = _room(plan, p)
    rows, stride, least = prod(plan.place[:3]), window.strides[2], worth(prod(plan.place[3:]))
    threads.over(rows, lambda a, b: lay_rows(x, place, stride, window.before, a, b, p.mode, p.x_scale), least=least)
    return flat


def _room(plan: Plan, p: Pass) -> tuple[np.ndarray, np.ndarray]:
    """Memory for the laid-out x, and its view in shape; the last block may read a little past the end."""
    size = prod(plan.place)
    flat = aligned(size + ROWS[0], p.dtype)
    flat[size:] = 0
    return flat, flat[:size].reshape(plan.place)


def _multiply(x: np.ndarray, kernel: np.ndarray, plan: Plan, groups: int, p: Pass, threads: Threads) -> np.ndarray:
    terms, filters = kernel.shape
    lanes = LANES if p.dtype == np.float64 else 2 * LANES
    panels = _panels(filters, groups, plan.group, lanes)
    busy = threads.count if len(plan.tiles) * ROWS[0] * terms * filters >= PIECE else 1
    result = aligned(int(plan.tiles[:, 3].sum()) * filters, np.float64)
    depth, least = -(-terms // -(-terms // TERMS)), worth(terms * lanes * VECTORS[0])
    for some in _batches(panels, terms * lanes):
        b = aligned(int(some[:, 1].sum()) * terms * lanes, p.dtype)
        threads.over(len(some), lambda s, e: pack(kernel, some, b, s, e, p.mode, p.w_scale), least=least)  # noqa: B023

        def work(first: int, last: int, left: int, right: int) -> None:
            multiply(x, plan.offsets, b, result, filters, plan.tiles, some[left:right], first, last, depth, p.scale)  # noqa: B023

        threads.each(work, _pieces(len(plan.tiles), len(some), filters, busy))
    return result


def _batches(panels: np.ndarray, width: int) -> Iterator[np.ndarray]:
    """Panels that lie packed in memory at once, PACKED elements at most, each with its place; `width` of a vector."""
    ends = np.cumsum(panels[:, 1]) * width
    for batch in np.unique(ends // PACKED):
        some = panels[ends // PACKED == batch].copy()
        some[:, 0] = np.concatenate([[0], np.cumsum(some[:-1, 1])]) * width
        yield some


def _pieces(tiles: int, panels: int, filters: int, threads: int) -> Iterator[tuple[int, int, int, int]]:
    """Tiles whose results stay in a core's own cache, and enough of them that reading b is worth it."""
    most = max(16, (1 << 17) // (filters * ROWS[0]))
    split = threads if tiles < 4 * threads and panels >= threads > 1 else 1
    count = -(-tiles // most)
    if split == 1:
        count = -(-count // threads) * threads  # or some would have nothing to do at the end
    step, width = -(-tiles // count), -(-panels // split)
    for left in range(0, panels, width):
        for first in range(0, tiles, step):
            yield first, min(first + step, tiles), left, min(left + width, panels)
