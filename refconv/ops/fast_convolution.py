"""Bounds of convolution algorithms that do not add up products x·w: Winograd's and FFT's.

No bound in Σ|x||w| of an element holds for them: what is large anywhere in a tile reaches all of its outputs. The
largest |x| of the tile stands for |x| (NUMERICS, last paragraph). Simulated only: no GPU has been measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from refconv.numerics.arithmetic import FFT, WINOGRAD2, WINOGRAD4
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.formats import FLOAT32, gamma
from refconv.primitives.engine import Engine
from refconv.primitives.geometry import Window

Widen = Callable[[Enclosure], Enclosure]
Radii = tuple[np.ndarray, np.ndarray]  # σ and worst case


@dataclass(frozen=True)
class Transforms:
    """Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A, of m×m outputs from tiles of (m + 2)×(m + 2). Source: Lavin and Gray 2016."""

    outputs: int
    bt: np.ndarray
    g: np.ndarray
    at: np.ndarray


F2 = Transforms(
    2,
    np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float64),
    np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]),
    np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float64),
)
F4 = Transforms(
    4,
    np.array(
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ],
        np.float64,
    ),
    np.array(
        [
            [1 / 4, 0, 0],
            [-1 / 6, -1 / 6, -1 / 6],
            [-1 / 6, 1 / 6, -1 / 6],
            [1 / 24, 1 / 12, 1 / 6],
            [1 / 24, -1 / 12, 1 / 6],
            [0, 0, 1],
        ]
    ),
    np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]], np.float64),
)


WINOGRAD = {WINOGRAD2: F2, WINOGRAD4: F4}
TILE = 32  # the largest window of an FFT in tiles, along both axes
LINE = 256  # the same where the other axis of the window is 1
CUBE = 16  # the same of three axes


def algorithms(attrs: Any) -> tuple[str, ...]:
    """Which of them a library may choose for a convolution: whatever cuDNN's documentation does not rule out.

    Source: cuDNN, cudnnConvolutionForward, "supported algorithms". All want a dilation of 1 and take any number of
    groups. Winograd wants strides of 1 and a 3×3 window; its non-fused form takes 5×5 too, for which there is no bound
    here. FFT wants strides of 1; in tiles of images 2 is allowed too, where no axis of the window is 1. A window of one
    element is a product of matrices, which TensorFlow hands to cuBLAS. Of three axes there is FFT in tiles alone; one
    axis is that of images one high, as TensorFlow computes it.
    """
    geometry = (attrs.kernel_size, attrs.strides, attrs.dilation_rate)
    return tuple(name for name in (*WINOGRAD, FFT) if _possible(name, *geometry))


def _possible(algorithm: str, size: tuple[int, ...], strides: tuple[int, ...], dilation: tuple[int, ...]) -> bool:
    if len(size) > 3 or set(dilation) != {1}:
        return False
    if algorithm in WINOGRAD:
        return size == (3, 3) and set(strides) == {1}
    if len(size) == 3:
        return algorithm == FFT and 1 < max(size) <= CUBE and max(strides) == 1
    line = len(size) == 1 or min(size) == 1
    return algorithm == FFT and 1 < max(size) <= (LINE if line else TILE) and max(strides) <= (1 if line else 2)


def widen(algorithm: str, engine: Engine, x: np.ndarray, kernel: np.ndarray, where: Window, groups: int) -> Widen:
    """What makes the enclosure of the direct sum one of `algorithm`; the direct one where that cannot be used.

    x (N, *spatial, C); kernel (*k, C/groups, F).
    """
    if not _possible(algorithm, where.size, where.strides, where.dilation):
        return lambda e: e
    found = WINOGRAD.get(algorithm)
    radii = partial(_winograd, found, engine, where=where) if found else partial(_fft, strides=where.strides)
    return lambda e: _replaced(e, *_grouped(radii, np.abs(x), np.abs(kernel), groups))


def _grouped(radii: Callable[..., Radii], x: np.ndarray, kernel: np.ndarray, groups: int) -> Radii:
    """Each group is a convolution of its own channels."""
    parts = [
        radii(part, weights)
        for part, weights in zip(np.split(x, groups, axis=-1), np.split(kernel, groups, axis=-1), strict=True)
    ]
    sigma, worst = zip(*parts, strict=True)
    return np.concatenate(sigma, axis=-1), np.concatenate(worst, axis=-1)


def _replaced(e: Enclosure, sigma: np.ndarray, worst: np.ndarray) -> Enclosure:
    """Products of transforms are never certified exact: the radii are the algorithm's, at least the direct ones.

    Up to a hundred subnormal intermediates of an element may be flushed.
    """
    finite = np.isfinite(e.mid)
    sigma, worst = (np.where(finite, r, 0.0) for r in (sigma, worst))
    overflow = np.asarray(e.overflow) | (np.abs(e.mid) + worst / FLOAT32.u > FLOAT32.max)
    floor = np.maximum(e.floor, FLOAT32.tiny * np.where(worst > 0, 100.0, 0.0))
    return Enclosure(e.mid, np.maximum(e.sigma, sigma), worst, floor, overflow if np.any(overflow) else False)


def _winograd(t: Transforms, engine: Engine, x: np.ndarray, kernel: np.ndarray, where: Window) -> Radii:
    """σ and worst case of every output.

    Every rounding acts on a partial sum of magnitude at most those of |Aᵀ|[(|G||g||Gᵀ|) ⊙ (|Bᵀ||d||B|)]|A|, and
    |Bᵀ||d||B| ≤ max|d|·bbᵀ with b the row sums of |Bᵀ|. So with w = max over a tile's outputs of
    |Aᵀ|[(|G||g||Gᵀ|) ⊙ bbᵀ]|A|, worst = γ(k)·Σ_c max|x_c|·w_c, k the longest chain of roundings: both transforms of
    the data, those of the kernel with rounded constants, the product, C sums, both transforms of the result.
    Rounding errors are independent, so σ takes squares of every factor: σ² = u²·(k/3)·Σ_c max|x_c|²·w²_c.
    Tiles may begin anywhere: an output's lies within m + 1 elements of its centre.
    """
    reach = t.outputs
    size = tuple(k + 2 * (reach - 1) for k in where.size)
    pads = tuple((a + reach - 1, b + reach - 1) for a, b in where.pads)
    largest = engine.window_max(x, Window(size, where.strides, where.dilation, pads, where.out))
    largest = np.where(np.isfinite(largest), largest, 0.0)
    bt, g, at = np.abs(t.bt), np.abs(t.g), np.abs(t.at)
    spectrum = np.einsum("ia,abcf,jb->ijcf", g, kernel.astype(np.float64), g)
    weight = _weight(at, spectrum, bt.sum(axis=1))
    squares = _weight(at**2, spectrum**2, (bt**2).sum(axis=1))
    k = x.shape[-1] + 2 * (bt.shape[1] + 2 * g.shape[1] + at.shape[1]) + 1
    variance = k / 3 * engine.matmul(largest**2, squares)
    return FLOAT32.u * np.sqrt(variance), gamma(k, FLOAT32.u) * engine.matmul(largest, weight)


def _weight(at: np.ndarray, spectrum: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Largest of a tile's outputs: Aᵀ[spectrum ⊙ rows·rowsᵀ]A, of shape (C, F)."""
    scaled = spectrum * (rows[:, None] * rows)[..., None, None]
    return np.asarray(np.einsum("pi,ijcf,qj->pqcf", at, scaled, at).max(axis=(0, 1)))


ETA = 7.0  # of one FFT stage, in units of u: Higham 2002, theorem 24.2, with correctly rounded twiddle factors


def _fft(x: np.ndarray, kernel: np.ndarray, strides: tuple[int, ...]) -> Radii:
    """σ and worst case, one for all positions of a sample.

    A transform of N = 2^t elements errs by at most t·η·‖·‖₂ (Higham). By Cauchy both forward ones cost
    2tη·‖x_c‖₂‖w_c‖₂ at each output, the products and C sums (C + 4)u of the same, and the inverse one
    tη·‖y‖₂ ≤ tη·Σ‖x_c‖₂‖w_c‖₁. Taken over the whole image, which no tile exceeds.
    With strides, every s-th element of an axis makes a convolution of its own: their norms, summed, are no larger than
    the whole one's (Cauchy again), and there are as many sums more.
    Rounding errors spread evenly over the N outputs: σ² = 4u²·3t·Σ_c (max|x_c|·‖w_c‖₁)², since ‖x‖₂ ≤ √N·max|x|.
    """
    lengths = [n + k - 1 for n, k in zip(x.shape[1:-1], kernel.shape[:-2], strict=True)]
    lengths += [1] if len(lengths) == 1 else []  # the height of an image one high
    t = float(sum(np.ceil(np.log2(max(n, 2))) for n in lengths))
    x = np.where(np.isfinite(x), x, 0.0).astype(np.float64)
    spatial, taps = tuple(range(1, x.ndim - 1)), tuple(range(kernel.ndim - 2))
    norm, largest = np.sqrt((x**2).sum(axis=spatial, keepdims=True)), x.max(axis=spatial, keepdims=True)
    w = kernel.astype(np.float64)
    l1, l2 = w.sum(axis=taps), np.sqrt((w**2).sum(axis=taps))
    sigma = 2 * FLOAT32.u * np.sqrt(3 * t * (largest**2 @ l1**2))
    sums = x.shape[-1] * int(np.prod(strides))
    worst = FLOAT32.u * ((2 * t * ETA + sums + 4) * (norm @ l2) + t * ETA * (norm @ l1))
    return sigma, worst
