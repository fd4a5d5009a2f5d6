"""What a quantizer is: its parameters, values with the integers behind them, and what may come out of an enclosure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from refconv.numerics.formats import Field
from refconv.quantizers.float32 import EPSILON, f32, flush, integers

LINEAR, POWER, LEVEL = "linear", "power", "level"


@dataclass(frozen=True)
class Quantized:
    """A quantized tensor.

    Attributes:
        values: float32, bit for bit what QKeras computes (but for the ulps of its transcendental functions).
        codes: integers of the same shape, or None. `coding` says what they are: "linear", grid value = code · scale;
            "power", ± 2^code with the sign of the value; "level", the index of a level before companding. 0 where NaN.
        scale: float32, broadcasts against codes: the value of one code.
        coding: see `codes`.
        allowed: (k, *shape) values of which each element must be one, where it is drawn; else None.

    `values` and code · scale differ only where the straight-through step left the grid (QKeras computes x + (−x + q)).
    """

    values: np.ndarray
    codes: np.ndarray | None
    scale: Field
    coding: str = LINEAR
    allowed: np.ndarray | None = None


@dataclass(frozen=True)
class Enclosed:
    """The values that may come out, given where the input lies.

    Attributes:
        low, high: float64, the least and the greatest.
        step: between them only multiples of `step` may come out; 0 where any value may.
        power: between them only powers of two may come out.
        spans: where there are several ways to compute it, the least and the greatest of each: only inside one of them
            may a value come out. None for the one span from low to high.
    """

    low: np.ndarray
    high: np.ndarray
    step: Field = 0.0
    power: np.ndarray | bool = False
    spans: tuple[tuple[np.ndarray, np.ndarray], ...] | None = None

    def admits(self, got: ArrayLike) -> np.ndarray:
        """Where `got` may have come out; NaN and infinity also where an end is NaN, which is Inf − Inf."""
        got = np.asarray(got, dtype=np.float64)
        undefined = np.isnan(self.low) | np.isnan(self.high)
        spans = self.spans or ((self.low, self.high),)
        return (undefined & ~np.isfinite(got)) | np.logical_or.reduce([self._spanned(got, *span) for span in spans])

    def _spanned(self, got: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        inside = (low <= got) & (got <= high)
        return inside & ((got == low) | (got == high) | self._member(got))

    def _member(self, got: np.ndarray) -> np.ndarray:
        step = np.asarray(self.step, dtype=np.float64)
        with np.errstate(invalid="ignore"):  # an infinite `got` is no multiple
            multiple = (step == 0) | (np.remainder(got, np.where(step == 0, 1, step)) == 0)
        return np.where(self.power, np.abs(np.frexp(got)[0]) == 0.5, multiple)


@dataclass(frozen=True)
class Scales:
    """Where the framework's own scale may lie: float32, kept dimensions; equal where it is certain."""

    low: np.ndarray
    high: np.ndarray

    def admits(self, got: ArrayLike) -> np.ndarray:
        return (self.low <= np.asarray(got)) & (np.asarray(got) <= self.high)


@dataclass(frozen=True)
class Quantizer:
    """Base of the quantizers; a subclass's fields are QKeras's parameters in QKeras's order.

    A subclass gives `_levels` (the grid value in float32, step by step as QKeras computes it) and, where codes exist,
    `_step`. `_carrier` is the tensor of the straight-through step, None where there is none.
    """

    name: ClassVar[str] = ""
    coding: ClassVar[str] = LINEAR
    random: ClassVar[bool] = False  # True where numbers are drawn at inference

    def quantize(self, x: ArrayLike, scale: ArrayLike | None = None) -> Quantized:
        """Quantize a float32 tensor of any shape.

        Args:
            x: any shape; channels last where a scale is computed.
            scale: the framework's own scale, in the sense of `Quantized.scale`, where this quantizer computes one.

        Raises:
            ValueError: a scale for a quantizer that computes none.
        """
        if scale is not None:
            raise ValueError(f"{self.name} computes no scale")
        x = flush(x)
        with np.errstate(all="ignore"):
            levels = self._levels(x, 0)
            return Quantized(self._emit(self._carrier(x), levels), self._codes(x, levels), self._step(), self.coding)

    def scales(self, x: ArrayLike) -> Scales | None:
        """Where the framework's scale may lie; None where the parameters fix it."""
        return None

    def enclose(self, mid: ArrayLike, radius: ArrayLike = 0.0) -> Enclosed:
        """What may come out when the framework's float32 input lies within mid ± radius (float64, same shape).

        One value, or the neighbours on the grid where the interval, or the error of a transcendental function before
        the rounding, reaches a boundary.
        """
        mid, radius = np.asarray(mid, dtype=np.float64), np.asarray(radius, dtype=np.float64)
        with np.errstate(all="ignore"):
            # Rounding is monotone, so every float32 inside lies between the rounded ends.
            low, high = flush(mid - radius), flush(mid + radius)
            return self._enclose(low, high)

    def as_kernel(self) -> Quantizer:
        """What QKeras's layers make of it for a kernel: alpha=None becomes "auto_po2" (TRAPS 3)."""
        return self

    def describe(self) -> str:
        """In plain words."""
        raise NotImplementedError

    @property
    def codes_range(self) -> tuple[int, int] | None:
        """Least and greatest code."""
        return None

    @property
    def range(self) -> tuple[float, float] | None:
        """Least and greatest value; None where the scale is computed from the data or differs by channel."""
        limits, step = self.codes_range, self._step()
        if limits is None or np.ndim(step) or not np.any(step) or self.coding != LINEAR:
            return None
        low, high = sorted(float(np.float32(code) * f32(step)) for code in limits)
        return low, high

    def _levels(self, x: np.ndarray, nudge: int) -> np.ndarray:
        raise NotImplementedError

    def _carrier(self, x: np.ndarray) -> np.ndarray | None:
        return x

    def _step(self) -> Field:
        return 0.0

    def _codes(self, x: np.ndarray, levels: np.ndarray) -> np.ndarray | None:
        return integers(levels.astype(np.float64) / np.asarray(self._step(), dtype=np.float64))

    @property
    def _mix(self) -> tuple[float, bool]:
        """qnoise_factor and use_ste."""
        return float(getattr(self, "qnoise_factor", 1.0)), bool(getattr(self, "use_ste", True))

    def _emit(self, carrier: np.ndarray | None, levels: np.ndarray) -> np.ndarray:
        """x + f·(−x + q), or (1 − f)·x + f·q: in float32 the first leaves the grid for huge x."""
        if carrier is None:
            return flush(levels)
        factor, straight = self._mix
        if straight:
            return flush(carrier + flush(f32(factor) * flush(-carrier + levels)))
        return flush(flush(f32(1 - factor) * carrier) + flush(f32(factor) * levels))

    def _enclose(self, low: np.ndarray, high: np.ndarray) -> Enclosed:
        first, last = self._levels(low, -1), self._levels(high, +1)
        for corner in map(f32, self._corners()):
            inside = (low <= corner) & (corner <= high)
            first = np.where(inside, np.minimum(first, self._levels(corner, -1)), first)
            last = np.where(inside, np.maximum(last, self._levels(corner, +1)), last)
        return self._between(low, high, first, last)

    def _corners(self) -> tuple[float, ...]:
        """Points between which, and outside which, the levels are monotone."""
        return ()

    def _between(self, low: np.ndarray, high: np.ndarray, first: np.ndarray, last: np.ndarray) -> Enclosed:
        """Close what lies between two ends and their grid values, with the slack of the straight-through step.

        TensorFlow's graphs may sum x + (−x + q) in another order, which leaves q itself: then nothing lies between the
        two. XLA may fuse the product behind q into that sum: the slack covers it where the scale is no power of two.
        """
        ends = self._carrier(low), self._carrier(high)
        a, b = (self._emit(x, levels).astype(np.float64) for x, levels in zip(ends, (first, last), strict=True))
        slack = self._slack((low != high) | self._fusible, ends, first, last)
        step = np.where(slack > 0, 0.0, self._spacing())
        power = (slack == 0) & (self.coding == POWER and self._mix[0] == 1)
        through = np.minimum(a, b) - slack, np.maximum(a, b) + slack
        if ends[0] is None or self._mix != (1.0, True):
            return Enclosed(*through, step, power)
        direct = np.minimum(first, last).astype(np.float64), np.maximum(first, last).astype(np.float64)
        hull = np.minimum(through[0], direct[0]), np.maximum(through[1], direct[1])
        return Enclosed(*hull, step, power, spans=(through, direct))

    @property
    def _fusible(self) -> bool:
        """Whether q is a rounded product, which a fused multiply-add would not round."""
        return self.coding == LINEAR and not np.any(self._spacing())

    def _spacing(self) -> Field:
        """Step of the grid where the straight-through step stays on it: a power of two; else 0."""
        step = np.abs(np.asarray(self._step(), dtype=np.float64))
        whole = self.coding == LINEAR and self._mix[0] == 1 and np.all(np.frexp(step)[0] == 0.5)
        return step if whole else 0.0

    def _slack(self, moved: np.ndarray, ends: tuple, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """How far an x strictly inside may be thrown off its grid value by the straight-through step.

        With a power of two as step (or value) s it is exact while |x| < 2²³·s; otherwise its two roundings cost at most
        2 ulp of the larger operand, and the mixing with qnoise_factor one more.
        """
        if ends[0] is None or not np.any(moved):
            return np.zeros(())
        carrier = np.maximum(np.abs(ends[0]), np.abs(ends[1]))
        levels = np.maximum(np.abs(first), np.abs(last))
        size = np.minimum(np.maximum(carrier, levels), np.finfo(np.float32).max)
        lsb = self._finest(ends, first, last) if self.coding == POWER else np.asarray(self._spacing())
        exact = (carrier < 2.0**23 * lsb) & (self._mix[0] == 1)
        return np.where(moved & ~exact, 3.0 * np.spacing(f32(size)), 0.0)

    def _finest(self, ends: tuple, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """The smallest power of two between two ends: of the ends, or the least of all where 0 lies between them."""
        around_zero = (ends[0] < EPSILON) & (ends[1] > -EPSILON)
        least = np.ldexp(1.0, (self.codes_range or (0, 0))[0])
        return np.where(around_zero, least, np.minimum(np.abs(first), np.abs(last)))
