"""The fast engine: the same loops as `numpy_engine`, compiled, with the sums that a bound needs from few passes.

Σt² comes from a pass in float32, which costs half of one in float64, rounded up by what it may have lost.
"""

from __future__ import annotations

from math import frexp, isfinite, prod

import numpy as np

from refconv.numerics.formats import FLOAT32, FLOAT64
from refconv.primitives.canonical import Canonical, canonical, plain, volume
from refconv.primitives.engine import Extent, Sums
from refconv.primitives.geometry import Window
from refconv.primitives.numba_dense import TERMS, Pass, dense
from refconv.primitives.numba_depthwise import depthwise
from refconv.primitives.numba_extent import extent
from refconv.primitives.numba_few import MOST, few
from refconv.primitives.numba_turn import MAGNITUDES, SQUARES
from refconv.primitives.numba_windows import largest, totals
from refconv.primitives.threads import Threads, available

ROOM = 28  # operands are scaled to at most 2^ROOM: TERMS products of their squares stay below 2^(4·28 + 9)
LOST = (TERMS + 3) * FLOAT32.u  # two squares rounded, and TERMS products with the sum, each once
UP = 1 / (1 - LOST) / (1 - 4 * FLOAT64.u)  # makes good what float32 lost; and the division by itself


class NumbaEngine:
    """`Engine` in compiled loops, on one level of threads of its own; no BLAS below it."""

    name = "numba"

    def __init__(self) -> None:
        self._threads = Threads(available())

    def correlate(self, x: np.ndarray, kernel: np.ndarray, window: Window, groups: int = 1) -> np.ndarray:
        _fit(x, kernel, groups)
        where, taps = canonical(window), _taps(kernel)
        if groups > 1 and kernel.shape[-2] == 1:
            return _shaped(depthwise(volume(x), taps, where, 1, self._threads), x, window).y
        (y,) = dense(volume(x), taps, where, groups, [Pass()], self._threads)
        return y.reshape(_shape(x, window, y))

    def correlate_sums(
        self, x: np.ndarray, kernel: np.ndarray, window: Window, groups: int = 1, *, worst: bool = True
    ) -> Sums:
        _fit(x, kernel, groups)
        where, taps = canonical(window), _taps(kernel)
        if groups > 1 and kernel.shape[-2] == 1:
            return _shaped(depthwise(volume(x), taps, where, 3 if worst else 2, self._threads), x, window)
        return _shaped(self._dense(volume(x), taps, where, groups, worst), x, window)

    def matmul(self, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        _fit(x, kernel)
        rows = plain(x).reshape(prod(x.shape[:-1]), x.shape[-1])
        if len(rows) <= MOST:
            y = few(_wide(rows), plain(kernel), False, self._threads).y
        else:
            (y,) = dense(_column(rows), plain(kernel)[None, None, None], _points(len(rows)), 1, [Pass()], self._threads)
        return y.reshape(*x.shape[:-1], kernel.shape[-1])

    def matmul_sums(self, x: np.ndarray, kernel: np.ndarray, *, worst: bool = True) -> Sums:
        _fit(x, kernel)
        rows = plain(x).reshape(prod(x.shape[:-1]), x.shape[-1])
        if len(rows) <= MOST:
            sums = _kept(few(_wide(rows), plain(kernel), True, self._threads), worst)
        else:
            sums = self._dense(_column(rows), plain(kernel)[None, None, None], _points(len(rows)), 1, worst)
        return _reshaped(sums, (*x.shape[:-1], kernel.shape[-1]))

    def window_max(self, x: np.ndarray, window: Window) -> np.ndarray:
        y = largest(volume(x), canonical(window), self._threads)
        return y.reshape(_shape(x, window, y))

    def window_sum(self, x: np.ndarray, window: Window) -> np.ndarray:
        return _shaped(totals(volume(x), canonical(window), 1, self._threads), x, window).y

    def window_sums(self, x: np.ndarray, window: Window, *, worst: bool = True) -> Sums:
        return _shaped(totals(volume(x), canonical(window), 3 if worst else 2, self._threads), x, window)

    def extent(self, x: np.ndarray) -> Extent:
        return extent(plain(x), self._threads)

    def _dense(self, x: np.ndarray, kernel: np.ndarray, window: Canonical, groups: int, worst: bool) -> Sums:
        """y and q, and a by a pass of its own."""
        passes = [Pass(), _squares(self.extent(x), self.extent(kernel))]
        if worst:
            passes.append(Pass(MAGNITUDES))
        return Sums(*dense(x, kernel, window, groups, passes, self._threads))


ENGINE = NumbaEngine()


def _squares(x: Extent, kernel: Extent) -> Pass:
    """The pass over squares: in float32, scaled by powers of two, where no square or product leaves its range."""
    if not (isfinite(x.most) and isfinite(kernel.most) and x.most and kernel.most):
        return Pass(SQUARES)
    scales = [2.0 ** (ROOM - frexp(most)[1]) for most in (x.most, kernel.most)]
    least_x, least_w = (scale * e.least for scale, e in zip(scales, (x, kernel), strict=True))
    root = FLOAT32.tiny**0.5
    if not all(isfinite(s) and 1 / s**2 > 0 for s in scales) or min(least_x, least_w, least_x * least_w) < 2 * root:
        return Pass(SQUARES)
    return Pass(SQUARES, np.float32, scales[0], scales[1], UP / (scales[0] ** 2 * scales[1] ** 2))


def _fit(x: np.ndarray, kernel: np.ndarray, groups: int = 1) -> None:
    """Compiled loops do not look where an operand ends."""
    if x.shape[-1] != kernel.shape[-2] * groups:
        raise ValueError(f"a kernel of {kernel.shape[-2] * groups} channels does not fit an input of {x.shape[-1]}")


def _taps(kernel: np.ndarray) -> np.ndarray:
    """A kernel (*k, C, F) as (kd, kh, kw, C, F)."""
    return plain(kernel).reshape((1,) * (5 - kernel.ndim) + kernel.shape)


def _points(count: int) -> Canonical:
    return Canonical((1, 1, 1), (1, 1, 1), (1, 1, 1), (0, 0, 0), (1, 1, count))


def _column(rows: np.ndarray) -> np.ndarray:
    return rows[None, None, None]


def _wide(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64, copy=False)


def _kept(sums: Sums, worst: bool) -> Sums:
    """Without a where it was not asked for: more than was asked for would depend on the engine."""
    return sums if worst else Sums(sums.y, sums.q)


def _shape(x: np.ndarray, window: Window, y: np.ndarray) -> tuple[int, ...]:
    return (x.shape[0], *window.out, y.shape[-1])


def _shaped(sums: Sums, x: np.ndarray, window: Window) -> Sums:
    return _reshaped(sums, _shape(x, window, sums.y))


def _reshaped(sums: Sums, shape: tuple[int, ...]) -> Sums:
    q, a = (None if part is None else part.reshape(shape) for part in (sums.q, sums.a))
    return Sums(sums.y.reshape(shape), q, a)
