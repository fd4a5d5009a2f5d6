"""quantized_relu_po2: the nearest power of two of positive inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refconv.numerics.formats import Field
from refconv.quantizers import words
from refconv.quantizers.base import POWER, Quantizer
from refconv.quantizers.float32 import Nudge, f32, power, rectify
from refconv.quantizers.parameters import at_least_zero, choice, flag, number, optional, parameter, slope, unused, whole
from refconv.quantizers.power_of_two import Exponents, sign_bit
from refconv.quantizers.quantized_po2 import power_codes


@dataclass(frozen=True)
class QuantizedReluPo2(Quantizer):
    """q = 2^e(x) for x ≥ 0, else −2^e(slope·|x|), or 2^least where there is no slope: see `Exponents`. No zero."""

    name: ClassVar[str] = "quantized_relu_po2"
    coding: ClassVar[str] = POWER

    bits: int = parameter(whole(1), 8)
    max_value: float | None = parameter(optional(at_least_zero), None)
    negative_slope: float = parameter(slope, 0.0)
    use_stochastic_rounding: bool = unused(False)
    quadratic_approximation: bool = parameter(flag, False)
    log2_rounding: str = parameter(choice("rnd", "floor"), "rnd")
    qnoise_factor: float = parameter(number, 1.0)
    var_name: str | None = unused(None)
    use_ste: bool = parameter(flag, True)
    use_variables: bool = unused(False)

    def __post_init__(self) -> None:
        _ = self._exponents

    def describe(self) -> str:
        low, high = self.codes_range
        even = ", even exponents" if self.quadratic_approximation else ""
        down = ", rounded down" if self.log2_rounding == "floor" else ""
        slope = f", slope {self.negative_slope:g} below 0" if self.negative_slope else ""
        return f"relu to powers of two from 2^{low} to 2^{high} in {words.bits(self.bits)}{even}{down}{slope}, no zero"

    @property
    def codes_range(self) -> tuple[int, int]:
        return self._exponents.limits

    @property
    def _exponents(self) -> Exponents:
        bits = self.bits - sign_bit(self.max_value)
        return Exponents(bits, self.max_value, self.quadratic_approximation, self.log2_rounding == "floor")

    def _corners(self) -> tuple[float, ...]:
        above, slope = self._exponents.corners, self.negative_slope
        return (*above, *(-corner / slope for corner in above if slope))

    def _step(self) -> Field:
        return 1.0

    def _codes(self, x: np.ndarray, levels: np.ndarray) -> np.ndarray:
        return power_codes(levels, self._exponents.least)

    def _carrier(self, x: np.ndarray) -> np.ndarray:
        rectified = rectify(x, self.negative_slope)
        if self.max_value is None:
            return rectified
        return np.where(x <= f32(self.max_value), rectified, f32(self.max_value))

    def _levels(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        positive = power(self._exponents.of(np.maximum(x, 0), nudge))
        if not self.negative_slope:
            return positive
        negative = power(self._exponents.of(np.maximum(-x, 0) * f32(self.negative_slope), -nudge))
        return np.where(x >= 0, positive, -negative)
