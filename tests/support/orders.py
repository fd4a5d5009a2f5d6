"""Dot products summed in the orders that kernels use, each over many dot products at once.

Every order takes a unit (`support.float32`), and x and w in float32 of shape (n, dots): terms first. Terms are added
up to a multiple of the block by zeros, which change no sum.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from support.float32 import Unit

Order = Callable[[Unit, np.ndarray, np.ndarray], np.ndarray]


def sequential(unit: Unit, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """One accumulator, first term first."""
    total = unit.multiply(x[0], w[0])
    if not unit.fused and not unit.flush:  # NumPy's accumulate is this very loop
        with np.errstate(all="ignore"):
            return np.add.accumulate(x * w, axis=0)[-1]
    for a, b in zip(x[1:], w[1:], strict=True):
        total = unit.accumulate(total, a, b)
    return total


def backwards(unit: Unit, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return sequential(unit, x[::-1], w[::-1])


def blocked(unit: Unit, x: np.ndarray, w: np.ndarray, *, size: int) -> np.ndarray:
    """Blocks of `size` consecutive terms each by one accumulator, then the blocks' sums one after another."""
    x, w = (_padded(v, size).reshape(-1, size, v.shape[1]).swapaxes(0, 1) for v in (x, w))
    parts = sequential(unit, x, w)
    return _total(unit, parts)


def lanes(unit: Unit, x: np.ndarray, w: np.ndarray, *, count: int) -> np.ndarray:
    """A vector register: lane i takes the terms i, i + count, …; then the lanes by a tree."""
    x, w = (_padded(v, count).reshape(-1, count, v.shape[1]) for v in (x, w))
    return _tree(unit, sequential(unit, x, w))


def pairwise(unit: Unit, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Neighbours, then neighbours of neighbours; a fused unit takes the second product of each pair with the sum."""
    x, w = (_padded(v, 2) for v in (x, w))
    first = unit.multiply(x[::2], w[::2])
    return _tree(unit, unit.accumulate(first, x[1::2], w[1::2]))


def shuffled(unit: Unit, x: np.ndarray, w: np.ndarray, *, seed: int) -> np.ndarray:
    """One accumulator in a random order, another for every dot product."""
    order = np.random.default_rng(seed).random(x.shape).argsort(axis=0)
    return sequential(unit, *(np.take_along_axis(v, order, axis=0) for v in (x, w)))


def _padded(v: np.ndarray, size: int) -> np.ndarray:
    missing = -len(v) % size
    return np.concatenate([v, np.zeros((missing, v.shape[1]), v.dtype)]) if missing else v


def _total(unit: Unit, parts: np.ndarray) -> np.ndarray:
    total = parts[0]
    for part in parts[1:]:
        total = unit.add(total, part)
    return total


def _tree(unit: Unit, parts: np.ndarray) -> np.ndarray:
    while len(parts) > 1:
        parts = _padded(parts, 2)
        parts = unit.add(parts[::2], parts[1::2])
    return parts[0]


ORDERS: dict[str, Order] = {
    "sequential": sequential,
    "backwards": backwards,
    "pairwise": pairwise,
    **{f"blocks of {size}": partial(blocked, size=size) for size in (4, 32, 256)},
    **{f"{count} lanes": partial(lanes, count=count) for count in (4, 8, 16)},
    **{f"random {seed}": partial(shuffled, seed=seed) for seed in (1, 2)},
}
