"""Dense and grouped correlation without copies of windows: sums over fixed offsets from where a window begins.

x is laid out row by row with the columns last, x[n, d, h, c, w], so that neighbouring positions of a row see
neighbouring numbers: a block of the result is Σ_k x[begin + offset_k + p]·b[k, f] for p = 0, 1 … (`numba_tile`). With
a stride s along the row the columns are dealt into s phases first. A pass over products costs one copy of x.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, zip_longest
from math import prod

import numpy as np

from refconv.primitives.canonical import Canonical, aligned
from refconv.primitives.numba_blocks import lay_points, lay_rows, multiply, multiply_wide, pack
from refconv.primitives.numba_plan import Plan, batches, points_plan, rows_plan
from refconv.primitives.numba_tile import LANES, ROWS, VECTORS
from refconv.primitives.numba_turn import VALUES
from refconv.primitives.threads import GRAIN, Task, Threads

TERMS = 384  # at most so many are summed in registers, and so in the pass's own format
PACKED = 1 << 22  # elements of the packed kernel at a time: a large one is never copied whole
OWN = 1 << 16  # elements of a packed kernel that stay in a core's own cache
TOGETHER = 1 << 20  # elements of x and the kernel up to which passes are made at once, each with copies of its own
MOVED = 32  # products that are done while one element is laid out or packed


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

    @property
    def lanes(self) -> int:
        return LANES if self.dtype == np.float64 else 2 * LANES


def dense(
    x: np.ndarray, kernel: np.ndarray, window: Canonical, groups: int, passes: list[Pass], threads: Threads
) -> list[np.ndarray]:
    """Correlate x (N, D, H, W, C) with kernel (kd, kh, kw, C/groups, F) once a pass; results (N, *out, F)."""
    shape = (x.shape[0], *window.out, kernel.shape[-1])
    if 0 in shape or 0 in kernel.shape:
        return [np.zeros(shape) for _ in passes]
    matrix = kernel.reshape(-1, kernel.shape[-1])
    if window.pointwise(x.shape[1:-1]):
        x = _selected(x, window)
        work = Correlation(x, matrix, None, points_plan(len(x), x.shape[-1], groups), groups, threads)
    else:
        work = Correlation(x, matrix, window, rows_plan(x.shape, window, groups), groups, threads)
    results = [aligned(prod(shape), np.float64) for _ in passes]
    todo = list(zip(passes, results, strict=True))
    together = len(passes) if work.small else 1
    for i in range(0, len(passes), together):
        steps = [work.steps(*each) for each in todo[i : i + together]]
        for tasks in zip_longest(*steps, fillvalue=()):
            threads.run(*chain.from_iterable(tasks))
    return [result.reshape(shape) for result in results]


def _selected(x: np.ndarray, window: Canonical) -> np.ndarray:
    """The points that windows of one element see, (P, C)."""
    axes = zip(window.out, window.strides, strict=True)
    taken = tuple(slice(0, (out - 1) * stride + 1, stride) for out, stride in axes)
    return np.ascontiguousarray(x[(slice(None), *taken)]).reshape(-1, x.shape[-1])


@dataclass(frozen=True)
class Correlation:
    """One correlation, of which every pass sees the operands in its own way.

    Attributes:
        x: (N, D, H, W, C), or the points (P, C) where the window is None.
        kernel: (K, F).
    """

    x: np.ndarray
    kernel: np.ndarray
    window: Canonical | None
    plan: Plan
    groups: int
    threads: Threads

    @property
    def small(self) -> bool:
        return prod(self.plan.place) + self.kernel.size <= TOGETHER

    def wide(self, p: Pass) -> bool:
        """Few positions for the filters: every thread packs the panels that are its own, and looks at all of x."""
        filters = self.kernel.shape[1]
        enough = filters >= self.threads.count * VECTORS[0] * p.lanes
        return enough and len(self.plan.tiles) * ROWS[0] < 2 * filters

    @property
    def depth(self) -> int:
        """Terms at a time: equal parts of all, TERMS at most."""
        terms = len(self.kernel)
        return -(-terms // -(-terms // TERMS))

    def steps(self, p: Pass, result: np.ndarray) -> Iterator[Sequence[Task]]:
        """What makes `result`, step by step: tasks of one may run at the same time as those of another's same step."""
        lay, x = self._laid(p)
        if self.wide(p):
            yield [lay]
            yield [self._packed_and_multiplied(p, x, result)]
            return
        panels = batches(*self.kernel.shape, self.groups, self.plan.group, p.lanes, PACKED)
        room = aligned(max(size for _, size in panels), p.dtype)
        for some, size in panels:
            b = room[:size]
            yield [lay, self._packed(p, some, b)] if some is panels[0][0] else [self._packed(p, some, b)]
            yield [self._multiplied(p, x, some, b, result)]

    def _laid(self, p: Pass) -> tuple[Task, np.ndarray]:
        """Laying x out, and where it lies then; the last block may read a little past its end."""
        place, size = self.plan.place, prod(self.plan.place)
        flat = aligned(size + ROWS[0], p.dtype)
        flat[size:] = 0
        laid = flat[:size].reshape(place)
        if self.window is None:
            laid[-1] = 0

            def lay(a: int, b: int) -> None:
                lay_points(self.x, laid, a, b, p.mode, p.x_scale)

            return self.threads.split(place[0], lay, MOVED * prod(place[1:])), flat
        stride, before, rows = self.window.strides[2], self.window.before, laid.reshape(-1, *place[3:])

        def lay_(a: int, b: int) -> None:
            lay_rows(self.x, laid, stride, before, a, b, p.mode, p.x_scale)

        return self.threads.split(len(rows), lay_, MOVED * rows[0].size), flat

    def _packed(self, p: Pass, some: np.ndarray, b: np.ndarray) -> Task:
        def work(first: int, last: int) -> None:
            pack(self.kernel, some, b, first, last, p.mode, p.w_scale)

        return self.threads.split(len(some), work, MOVED * b.size / len(some))

    def _multiplied(self, p: Pass, x: np.ndarray, some: np.ndarray, b: np.ndarray, result: np.ndarray) -> Task:
        tiles, filters, cost = self.plan.tiles, self.kernel.shape[1], self._cost(p, b.size)

        def work(first: int, last: int, left: int, right: int) -> None:
            panels = some[left:right]
            multiply(x, self.plan.offsets, b, result, filters, tiles, panels, first, last, self.depth, p.scale)

        busy = self.threads.count if cost >= GRAIN else 1
        return Task([partial(work, *piece) for piece in _pieces(len(tiles), len(some), filters, busy)], cost)

    def _packed_and_multiplied(self, p: Pass, x: np.ndarray, result: np.ndarray) -> Task:
        """Panels of a core's own cache each, about as many for every thread."""
        count, size = self.threads.count, self.depth * self.kernel.shape[1]
        most = -(-size // (count * -(-size // (count * OWN))))
        panels = batches(self.depth, self.kernel.shape[1], self.groups, self.plan.group, p.lanes, most)

        def work(some: np.ndarray, size: int) -> None:
            b, (offsets, tiles) = aligned(size, p.dtype), (self.plan.offsets, self.plan.tiles)
            multiply_wide(x, offsets, self.kernel, b, result, tiles, some, self.depth, p.mode, p.w_scale, p.scale)

        return Task([partial(work, *each) for each in panels], self._cost(p, self.kernel.size))

    def _cost(self, p: Pass, packed: int) -> float:
        return len(self.plan.tiles) * ROWS[0] * packed * (1.0 if p.dtype == np.float64 else 0.5)


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
