"""One axis of an image as weighted sums of its pixels, and what rounding and the weights' own errors may move."""

from __future__ import annotations

import numpy as np

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, Z
from refconv.numerics.formats import FLOAT64, gamma
from refconv.ops.taps import Taps


def resample(e: Enclosure, axis: int, taps: Taps, arithmetic: Arithmetic) -> Enclosure:
    """y = Σ w_k·x_k along one axis, of n pixels.

    The radius is hard, because flat images repeat the same rounding in every term; the sum of
    - rounding: the product, the n − 1 additions and at most four more of each weight and of what all are divided by:
      γ(n + 4, u)·Σ|w||x|. And the sum of weights that all are divided by, a common factor of y:
      γ(n + 1, u)·condition·|y|;
    - weights that err by d_k: what is divided by its sum still adds up to 1, so that only differences move,
      Σ d_k|x_k − y| ≤ √(Σd · Σd_k(x_k − y)²) (Cauchy–Schwarz, which takes products of matrices only); weights that are
      not divided move Σ d_k|x_k|;
    - the input's own radii, Σ(|w_k| + d_k)·r_k, grown by γ(n + 5, u);
    - the reference's own γ(n + 8, 2⁻⁵³)·Σ|w||x|.

    What an infinite or unknown pixel reaches is bounded by nothing.
    """
    line = e.move(lambda v: np.moveaxis(v, axis, -1))
    mid = np.asarray(line.mid, dtype=np.float64)
    known = np.isfinite(mid)
    x = np.where(known, mid, 0.0)
    n, size = taps.count, np.abs(taps.weights)
    y, magnitude = x @ taps.weights.T, np.abs(x) @ size.T
    common = gamma(n + 1, arithmetic.u) * taps.condition * np.abs(y)
    own = (gamma(n + 4, arithmetic.u) + gamma(n + 8, FLOAT64.u)) * magnitude + common + _moved(x, y, taps)
    tiny = arithmetic.format.tiny * (2 * n + 4 + size.sum(axis=1))
    grown = (size + taps.spread) * (1 + gamma(n + 5, arithmetic.u))[:, None]
    sigma, worst, floor = (_reached(v, x.shape, grown) for v in (line.sigma, line.worst, line.floor))
    lost = (~known | np.asarray(line.overflow)).astype(np.float64) @ taps.taken.T > 0
    sigma, worst = (np.where(lost, np.inf, v) for v in (sigma + own / Z, worst + own))
    found = Enclosure(y, sigma, worst, floor + tiny, lost if lost.any() else False)
    return found.move(lambda v: np.moveaxis(v, -1, axis))


def _moved(x: np.ndarray, y: np.ndarray, taps: Taps) -> np.ndarray:
    d = taps.spread
    if not d.any():
        return np.zeros_like(y)
    if not taps.condition.any():
        return np.abs(x) @ d.T
    total, squares, line = d.sum(axis=1), (x * x) @ d.T, x @ d.T
    around = squares - 2 * y * line + total * y * y
    slack = 8 * FLOAT64.u * d.shape[1] * (squares + 2 * np.abs(y) * (np.abs(x) @ d.T) + total * y * y)
    return np.sqrt(total * (np.maximum(around, 0.0) + slack))


def _reached(radius: np.ndarray | float, shape: tuple[int, ...], grown: np.ndarray) -> np.ndarray:
    """Σ(|w| + d)·r; infinite where an infinite radius has a part."""
    spread = np.broadcast_to(np.asarray(radius, dtype=np.float64), shape)
    if not spread.any():
        return np.zeros((*shape[:-1], len(grown)))
    endless = np.isinf(spread)
    found = np.where(endless, 0.0, spread) @ grown.T
    return np.where(endless.astype(np.float64) @ grown.T > 0, np.inf, found) if endless.any() else found
