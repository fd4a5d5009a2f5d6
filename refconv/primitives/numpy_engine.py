"""The oracle: every loop in float64, short and obvious, by one strided view of all windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.lib.stride_tricks import as_strided

from refconv.primitives.engine import Extent, Sums
from refconv.primitives.geometry import Window

CHUNK = 1 << 23  # float64 elements of one copied block of windows: 64 MiB


class NumpyEngine:
    """`Engine` in NumPy. No library's convolution: only views, products and sums."""

    name = "numpy"

    def correlate(self, x: np.ndarray, kernel: np.ndarray, window: Window, groups: int = 1) -> np.ndarray:
        """Cross-correlation y[n, p, f] = Σ_k Σ_c x[n, p·stride + k·dilation − pad, c]·kernel[k, c, f], per group."""
        x, kernel = _pad(_wide(x), window, 0.0), _wide(kernel)
        if groups == 1:
            return _contract(windows(x, window), kernel)
        if kernel.shape[-2] == 1:
            return _depthwise(windows(x, window), kernel)
        pieces = zip(np.split(x, groups, axis=-1), np.split(kernel, groups, axis=-1), strict=True)
        return np.concatenate([_contract(windows(part, window), k) for part, k in pieces], axis=-1)

    def matmul(self, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        """x·kernel; a large kernel in float32 is widened some columns at a time."""
        x = _wide(x)
        if kernel.dtype == np.float64 or kernel.size <= CHUNK:
            return x @ _wide(kernel)
        step = max(CHUNK // len(kernel), 1)
        return np.concatenate([x @ _wide(kernel[:, i : i + step]) for i in range(0, kernel.shape[1], step)], axis=-1)

    def window_max(self, x: np.ndarray, window: Window) -> np.ndarray:
        return windows(_pad(_wide(x), window, -np.inf), window).max(axis=_taps_axes(window), initial=-np.inf)

    def window_sum(self, x: np.ndarray, window: Window) -> np.ndarray:
        return windows(_pad(_wide(x), window, 0.0), window).sum(axis=_taps_axes(window))

    def correlate_sums(
        self, x: np.ndarray, kernel: np.ndarray, window: Window, groups: int = 1, *, worst: bool = True
    ) -> Sums:
        return _sums(lambda a, b: self.correlate(a, b, window, groups), x, kernel, worst)

    def matmul_sums(self, x: np.ndarray, kernel: np.ndarray, *, worst: bool = True) -> Sums:
        return _sums(self.matmul, x, kernel, worst)

    def window_sums(self, x: np.ndarray, window: Window, *, worst: bool = True) -> Sums:
        return _sums(lambda a, _: self.window_sum(a, window), x, np.ones(()), worst)

    def extent(self, x: np.ndarray) -> Extent:
        magnitude = np.abs(_wide(x))
        least = np.min(magnitude, initial=np.inf, where=magnitude > 0)
        return Extent(float(np.max(magnitude, initial=0.0)), float(least))


ENGINE = NumpyEngine()


def windows(x: np.ndarray, window: Window) -> np.ndarray:
    """All windows of a padded x (N, *spatial, C) as a read-only view (N, *out, *size, C)."""
    samples, *steps, channels = x.strides
    positions = [step * stride for step, stride in zip(steps, window.strides, strict=True)]
    taps = [step * dilation for step, dilation in zip(steps, window.dilation, strict=True)]
    shape = (x.shape[0], *window.out, *window.size, x.shape[-1])
    return as_strided(x, shape, (samples, *positions, *taps, channels), writeable=False)


def _wide(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64, copy=False)


def _sums(
    reduce: Callable[[np.ndarray, np.ndarray], np.ndarray], x: np.ndarray, kernel: np.ndarray, worst: bool
) -> Sums:
    """One loop run on x·w, on (x·w)² and, as far as asked, on |x·w|."""
    x, kernel = _wide(x), _wide(kernel)
    a = reduce(np.abs(x), np.abs(kernel)) if worst else None
    return Sums(reduce(x, kernel), reduce(x**2, kernel**2), a)


def _pad(x: np.ndarray, window: Window, value: float) -> np.ndarray:
    if not any(map(any, window.pads)):
        return x
    return np.pad(x, ((0, 0), *window.pads, (0, 0)), constant_values=value)


def _taps_axes(window: Window) -> tuple[int, ...]:
    rank = len(window.size)
    return tuple(range(1 + rank, 1 + 2 * rank))


def _contract(view: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Contract a view (N, *out, *size, C) with a kernel (*size, C, F) over the window and the channels."""
    rank = kernel.ndim - 2
    result = np.empty((*view.shape[: 1 + rank], kernel.shape[-1]))
    matrix = kernel.reshape(-1, kernel.shape[-1])
    for block in _blocks(view):
        patches = view[block]
        result[block] = (patches.reshape(-1, len(matrix)) @ matrix).reshape(result[block].shape)
    return result


def _blocks(view: np.ndarray) -> Iterator[tuple[int, slice]]:
    """Sample by sample, as many first-axis positions as fit in CHUNK once their windows are copied."""
    per_row = max(int(np.prod(view.shape[2:])), 1)
    rows = max(CHUNK // per_row, 1)
    for sample in range(view.shape[0]):
        for start in range(0, view.shape[1], rows):
            yield sample, slice(start, start + rows)


def _depthwise(view: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """One input channel per filter: a sum over taps of x·w; kernel (*size, 1, C·M), filter c·M + m reads channel c."""
    rank, channels = kernel.ndim - 2, view.shape[-1]
    weights = kernel.reshape(*kernel.shape[:rank], channels, -1)
    result = np.zeros((*view.shape[: 1 + rank], *weights.shape[rank:]))
    for tap in np.ndindex(*kernel.shape[:rank]):
        result += view[(slice(None),) * (1 + rank) + tap][..., None] * weights[tap]
    return result.reshape(*view.shape[: 1 + rank], kernel.shape[-1])
