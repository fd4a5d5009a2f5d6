"""Weights of one shape side by side, piece by piece: no more than a few pieces are ever in memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from threading import local
from typing import TypeVar

import numpy as np

from refconv.errors import UnreadableModel
from refconv.graph import Weight

Result = TypeVar("Result")

Span = list[tuple[int, int]]

PIECE = 1 << 18  # elements: more leave the cache, with fewer the threads wait for the interpreter's lock
BATCH = 8  # pieces that a thread is given at once
THREADS = min(4, os.cpu_count() or 1)


def over_pieces(look: Callable[..., Result], *weights: Weight, block: int = 1) -> Iterator[Result]:
    """`look` at all, flat, piece by piece and in order; every piece is a whole number of blocks.

    Where all lie bare in their files, the pieces are read and looked at by several threads. `look` keeps nothing of
    what it is given: the memory is used again.

    Raises:
        UnreadableModel: a file is damaged, or was changed meanwhile.
    """
    size = max(1, PIECE // block) * block
    extents = [e for w in weights if w.stored is not None and (e := w.stored.extent()) is not None]
    if len(extents) < len(weights) or any(w.dtype == "bfloat16" for w in weights):
        yield from (look(*pieces) for pieces in zip(*(_pieces(w, size) for w in weights), strict=True))
        return
    total = int(np.prod(weights[0].shape))
    with ExitStack() as stack:
        read = [_reader(stack, e.path, e.start, np.dtype(w.dtype)) for e, w in zip(extents, weights, strict=True)]
        spans = [(start, min(size, total - start)) for start in range(0, total, size)]

        def work(some: Span) -> list[Result]:
            return [look(*(of(*span) for of in read)) for span in some]

        yield from work(spans[:1])  # which often is enough
        batches = [spans[first : first + BATCH] for first in range(1, len(spans), BATCH)]
        if len(batches) < 2:
            yield from chain.from_iterable(map(work, batches))
        else:
            pool = stack.enter_context(ThreadPoolExecutor(THREADS))
            yield from chain.from_iterable(_ahead(pool, work, batches))


def _ahead(pool: ThreadPoolExecutor, work: Callable[[Span], Result], batches: list[Span]) -> Iterator[Result]:
    """`pool.map`, a few batches ahead of who asks, who may stop."""
    waiting: deque[Future[Result]] = deque()
    for batch in batches:
        waiting.append(pool.submit(work, batch))
        if len(waiting) > 2 * THREADS:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def ends(weight: Weight) -> np.ndarray:
    """The least and the greatest value, NaN where one is; none of an empty weight."""
    found = [values for values in over_pieces(_ends, weight) if len(values)]
    return _ends(np.concatenate(found)) if found else np.array([])


def _ends(values: np.ndarray) -> np.ndarray:
    return np.array([np.min(values), np.max(values)]) if values.size else np.array([])


def differ(a: Weight, b: Weight) -> bool:
    """Whether some value does; ends with the first piece that shows it."""
    return any(over_pieces(lambda x, y: not equal(x, y), a, b))


def equal(x: np.ndarray, y: np.ndarray) -> bool:
    """The same numbers: NaN is NaN, and +0 is −0."""
    if x.dtype == y.dtype and x.dtype.itemsize in (1, 2, 4, 8):
        bits = f"u{x.dtype.itemsize}"
        if np.array_equal(x.view(bits), y.view(bits)):
            return True
    return bool(np.all(equal_places(x, y)))


def equal_places(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Where they are the same number."""
    with np.errstate(invalid="ignore"):
        same: np.ndarray = (x == y) | ((x != x) & (y != y))
        return same


def _reader(stack: ExitStack, path: str, start: int, dtype: np.dtype) -> Callable[[int, int], np.ndarray]:
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise UnreadableModel(f"cannot be read: {error.strerror}", where=path) from None
    stack.callback(os.close, file)

    mine = local()  # fresh memory for each piece would cost more than reading does

    def read(first: int, count: int) -> np.ndarray:
        if len(getattr(mine, "buffer", ())) < count:
            mine.buffer = np.empty(count, dtype)
        values: np.ndarray = mine.buffer[:count]
        room, at = values.view(np.uint8).data, start + first * dtype.itemsize
        while len(room):
            done = os.preadv(file, [room], at)
            if not done:
                raise UnreadableModel("the file has become shorter since it was loaded", where=path)
            room, at = room[done:], at + done
        return values

    return read


def _pieces(weight: Weight, size: int) -> Iterator[np.ndarray]:
    """Flat arrays of `size` elements, the last of what is left; none of nothing."""
    slabs = weight.stored.slabs() if weight.stored is not None else iter([weight.value.reshape(-1)])
    left = np.empty(0, np.float32)
    for slab in slabs:
        whole = np.concatenate([left, slab]) if len(left) else slab
        last = len(whole) - len(whole) % size
        yield from (whole[start : start + size] for start in range(0, last, size))
        left = whole[last:]
    if len(left):
        yield left
