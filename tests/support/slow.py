"""The definitions, one scalar product after another: what the engine is tested against."""

from __future__ import annotations

import numpy as np

from refconv.primitives.geometry import Window


def correlate(x: np.ndarray, kernel: np.ndarray, w: Window, groups: int = 1) -> np.ndarray:
    """Cross-correlation of x (N, H, W, C) with kernel (kh, kw, C/groups, F), in plain loops."""
    (samples, height, width, _), (kh, kw, depth, filters) = x.shape, kernel.shape
    result = np.zeros((samples, *w.out, filters))
    for n, i, j, f in np.ndindex(*result.shape):
        first = f // (filters // groups) * depth
        for a, b, c in np.ndindex(kh, kw, depth):
            row = i * w.strides[0] + a * w.dilation[0] - w.pads[0][0]
            column = j * w.strides[1] + b * w.dilation[1] - w.pads[1][0]
            if 0 <= row < height and 0 <= column < width:
                result[n, i, j, f] += x[n, row, column, first + c] * kernel[a, b, c, f]
    return result


def transposed(x: np.ndarray, kernel: np.ndarray, w: Window, lengths: tuple[int, int]) -> np.ndarray:
    """Transposed correlation of x (N, H, W, C) with kernel (kh, kw, F, C), scattered in plain loops."""
    result = np.zeros((x.shape[0], *lengths, kernel.shape[2]))
    for n, i, j, c in np.ndindex(*x.shape):
        for a, b, f in np.ndindex(*kernel.shape[:3]):
            row = i * w.strides[0] + a * w.dilation[0] - w.pads[0][0]
            column = j * w.strides[1] + b * w.dilation[1] - w.pads[1][0]
            if 0 <= row < lengths[0] and 0 <= column < lengths[1]:
                result[n, row, column, f] += x[n, i, j, c] * kernel[a, b, f, c]
    return result
