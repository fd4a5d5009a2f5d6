"""Resampling along one axis: where output positions fall on the input, and what lies between two neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, bounded
from refconv.numerics.formats import FLOAT64, gamma

HALF_PIXEL, CORNERS, FIRST = "half_pixel", "corners", "first"  # alignments: the first is what Keras 2 and 3 compute


def nearest_indices(length: int, target: int, alignment: str = HALF_PIXEL) -> np.ndarray:
    """Source of each output position: min(⌊(i + ½)·s⌋, length − 1), s = length/target, in float32.

    The product decides in float32, as in TensorFlow's `ResizeNearestNeighbor` with half-pixel centres: where it is an
    integer in exact arithmetic, its rounding chooses the neighbour. With corners aligned, i·(length − 1)/(target − 1)
    rounded half up; without half pixels ⌊i·s⌋, as in TensorFlow 1.
    """
    if alignment == CORNERS:
        scale = np.float32(length - 1) / np.float32(max(target - 1, 1))
        return np.minimum(np.floor(np.arange(target, dtype=np.float32) * scale + np.float32(0.5)), length - 1).astype(
            int
        )
    if alignment == FIRST:
        scale = np.float32(length) / np.float32(target)
        return np.minimum(np.floor(np.arange(target, dtype=np.float32) * scale).astype(np.int64), length - 1)
    scale = np.float32(length) / np.float32(target)
    centres = (np.arange(target, dtype=np.float32) + np.float32(0.5)) * scale
    return np.minimum(np.floor(centres).astype(np.int64), length - 1)


@dataclass(frozen=True)
class Grid:
    """Positions on one axis, each array of the output's length.

    Attributes:
        lower, upper: indices of the two neighbours; equal beyond the outer centres, where the edge value is held.
        weight: share of the upper one, in [0, 1].
        drift: how far a float32 kernel's position may lie from the exact one.
        first, last: the outermost segments [k, k+1] that the position may fall into when it drifts.
    """

    lower: np.ndarray
    upper: np.ndarray
    weight: np.ndarray
    drift: np.ndarray
    first: np.ndarray
    last: np.ndarray


def grid_of(length: int, target: int, u: float, alignment: str = HALF_PIXEL) -> Grid:
    """The grid of that alignment: see `half_pixel`, or positions i·(length − 1)/(target − 1), or i·length/target.

    Those two round the scale and the product: γ(2, u)·c.
    """
    if alignment == HALF_PIXEL:
        return half_pixel(length, target, u)
    scale = (length - 1) / max(target - 1, 1) if alignment == CORNERS else length / target
    centre = np.arange(target) * scale
    return _grid(centre, gamma(2, u) * centre, length)


def half_pixel(length: int, target: int, u: float) -> Grid:
    """The grid of positions c = (i + ½)·length/target − ½, held inside [0, length − 1].

    `drift`: a kernel rounds the scale and the product, perhaps with one more rounding in another order, and then the
    subtraction: γ(3, u)·(c + ½) + γ(1, u)·(|c| + drift). A scale with a power of two
    below the line rounds nothing, and drifts nowhere.
    """
    centre = (np.arange(target) + 0.5) * (length / target)
    below = target // gcd(length, target)
    drift = gamma(3, u) * centre
    drift = np.zeros(target) if below & (below - 1) == 0 else drift + gamma(1, u) * (np.abs(centre - 0.5) + drift)
    return _grid(centre - 0.5, drift, length)


def _grid(wanted: np.ndarray, drift: np.ndarray, length: int) -> Grid:
    """Positions held inside the image."""
    position = np.clip(wanted, 0, length - 1)
    lower = np.floor(position).astype(np.int64)
    first, last = (_segment(wanted + side * drift, length) for side in (-1, 1))
    return Grid(lower, np.minimum(lower + 1, length - 1), position - lower, drift, first, last)


def _segment(position: np.ndarray, length: int) -> np.ndarray:
    """Index of the segment [k, k+1] that holds a position; −1 and length − 1 are the flat ones beyond the edges."""
    return np.clip(np.floor(position), -1, length - 1).astype(np.int64)


def interpolate(
    enclosure: Enclosure, axis: int, target: int, arithmetic: Arithmetic, alignment: str = HALF_PIXEL
) -> Enclosure:
    """Linear interpolation of one axis to `target` elements: y = (1−t)·a + t·b.

    The radius is hard (the terms are too few for a variance), the sum of
    - the input's own: the largest of the pixels that it may blend, grown by γ(6);
    - rounding, covering a + t(b−a), b + (1−t)(a−b), (1−t)a + tb and the form with four products of weights:
      γ(4, u)·((1−t)|a| + t|b|) + γ(2, u)·|b−a|;
    - position: drift times the steepest segment that the position can reach, because interpolation is continuous and
      piecewise linear even where a drift crosses a pixel's centre;
    - the reference's own 8·2⁻⁵³ of the same.
    """
    x = np.moveaxis(enclosure.mid, axis, -1)
    grid = grid_of(x.shape[-1], target, arithmetic.u, alignment)
    a, b = x[..., grid.lower], x[..., grid.upper]
    magnitude = _blend(np.abs(a), np.abs(b), grid.weight)
    rounding = (gamma(4, arithmetic.u) + gamma(8, FLOAT64.u)) * magnitude + gamma(2, arithmetic.u) * np.abs(b - a)
    carried, floor = (_reach(v, enclosure, axis, grid) for v in (enclosure.worst, enclosure.floor))
    grown = 1 + gamma(6, arithmetic.u)
    radius = rounding + grid.drift * _steepest(x, grid) + grown * carried
    result = bounded(_blend(a, b, grid.weight), radius, grown * floor + 12 * arithmetic.format.tiny)
    return result.move(lambda v: np.moveaxis(v, -1, axis) if v.ndim else v)


def _blend(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(1−t)a + tb, taking no part of a neighbour with weight 0: 0·inf would be NaN."""
    return np.where(weight == 0, a, a + weight * (b - a))


def _steepest(x: np.ndarray, grid: Grid) -> np.ndarray:
    flat = np.zeros((*x.shape[:-1], 1))
    slopes = np.concatenate([flat, np.abs(np.diff(x, axis=-1)), flat], axis=-1)
    return np.maximum(slopes[..., grid.first + 1], slopes[..., grid.last + 1])


def _reach(radius: np.ndarray | float, enclosure: Enclosure, axis: int, grid: Grid) -> np.ndarray | float:
    """The input's largest radius among the pixels that the position, drift included, may lie between."""
    if not np.any(radius):
        return 0.0
    spread = np.moveaxis(np.broadcast_to(radius, enclosure.mid.shape), axis, -1)
    ends = [grid.first, grid.first + 1, grid.last, grid.last + 1]
    return np.max([spread[..., np.clip(end, 0, spread.shape[-1] - 1)] for end in ends], axis=0)
