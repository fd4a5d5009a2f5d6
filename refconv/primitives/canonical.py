"""Correlations and windows of rank one to three in one form: (N, D, H, W, C) with missing axes of length one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from refconv.primitives.geometry import Window

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Canonical:
    """A `Window` over three spatial axes; `before` are the zeros before each, those after follow from `out`."""

    size: Triple
    strides: Triple
    dilation: Triple
    before: Triple
    out: Triple

    @property
    def seen(self) -> Triple:
        """How many padded elements of each axis the windows reach over."""
        axes = zip(self.size, self.strides, self.dilation, self.out, strict=True)
        d, h, w = (max(out - 1, 0) * stride + (size - 1) * step + 1 for size, stride, step, out in axes)
        return d, h, w

    def pointwise(self, spatial: Sequence[int]) -> bool:
        """Every position sees one element, and none sees padding of an input of this shape."""
        inside = all(seen <= length for seen, length in zip(self.seen, spatial, strict=True))
        return self.size == (1, 1, 1) and not any(self.before) and inside


@lru_cache(maxsize=256)
def canonical(window: Window) -> Canonical:
    """The window over (D, H, W): axes that it lacks come first, one element long."""
    return Canonical(
        _triple(window.size, 1),
        _triple(window.strides, 1),
        _triple(window.dilation, 1),
        _triple(tuple(before for before, _ in window.pads), 0),
        _triple(window.out, 1),
    )


def _triple(axes: tuple[int, ...], missing: int) -> Triple:
    d, h, w = (*(missing,) * (3 - len(axes)), *axes)
    return d, h, w


def volume(x: np.ndarray) -> np.ndarray:
    """x (N, *spatial, C) as (N, D, H, W, C), in C order, float32 or float64."""
    samples, *spatial, channels = x.shape
    return plain(x).reshape(samples, *_triple(tuple(spatial), 1), channels)


def plain(x: np.ndarray) -> np.ndarray:
    """x in C order as float64, or as it is where that is float32: kernels widen it while they read."""
    return np.ascontiguousarray(x, dtype=x.dtype if x.dtype in (np.float32, np.float64) else np.float64)


def aligned(size: int, dtype: type[np.floating]) -> np.ndarray:
    """Memory that begins with a cache line: a register's worth of numbers then never lies in two."""
    memory = np.empty(size * np.dtype(dtype).itemsize + 64, dtype=np.uint8)
    start = -memory.__array_interface__["data"][0] % 64
    return memory[start : start + size * np.dtype(dtype).itemsize].view(dtype)
