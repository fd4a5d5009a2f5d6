"""Exponents: what quantized_po2 and quantized_relu_po2 share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refconv.quantizers.float32 import EPSILON, SQRT, Nudge, clip, f32, log2, through, transcendental


def sign_bit(max_value: float | None) -> bool:
    """Whether the exponent needs a sign: unless max_value says that it is never positive."""
    return max_value is None or max_value > 1


@dataclass(frozen=True)
class Exponents:
    """e(|x|) = clip(round(log |x| / log 2), least, greatest), of √|x| and doubled where `quadratic`.

    |x| below ε = 1e-7 gets the least exponent, |x| above `max_value` is taken as max_value.
    """

    bits: int  # of the exponent without its sign
    max_value: float | None
    quadratic: bool
    floor: bool

    def __post_init__(self) -> None:
        if self.bits < 0:
            raise ValueError("bits: too few for the signs of value and exponent")

    @property
    def least(self) -> int:
        return -(2**self.bits)

    @property
    def greatest(self) -> int:
        top = 2**self.bits - 1
        return 2 * (top // 2) if self.quadratic else top

    @property
    def limits(self) -> tuple[int, int]:
        """Least and greatest exponent that may come out."""
        factor = 2 if self.quadratic else 1
        return factor * self.least, factor * self.greatest

    @property
    def corners(self) -> tuple[float, ...]:
        """Where the exponent falls as |x| grows: at ε to the doubled least one."""
        return (float(np.nextafter(EPSILON, np.float32(0))), float(EPSILON)) if self.quadratic else ()

    def of(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        """Exponents of x ≥ 0 as float32."""
        filtered = np.where(x < EPSILON, EPSILON, x)
        if self.max_value is not None:
            top = f32(self.max_value)
            filtered = np.where(filtered >= top, top, filtered)
        if self.quadratic:
            filtered = transcendental(np.sqrt, filtered, SQRT, nudge)
        exponents = clip(self._round(log2(filtered, nudge)), self.least, self.greatest)
        return np.where(x < EPSILON, f32(self.least), np.float32(2 if self.quadratic else 1) * exponents)

    def _round(self, x: np.ndarray) -> np.ndarray:
        return x + (-x + np.floor(x)) if self.floor else through(x)
