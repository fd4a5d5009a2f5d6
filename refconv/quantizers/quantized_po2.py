"""quantized_po2: the nearest power of two, with its sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refconv.numerics.formats import Field
from refconv.quantizers import words
from refconv.quantizers.base import POWER, Quantizer
from refconv.quantizers.float32 import Nudge, power, sign
from refconv.quantizers.parameters import at_least_zero, choice, flag, number, optional, parameter, unused, whole
from refconv.quantizers.power_of_two import Exponents, sign_bit


@dataclass(frozen=True)
class QuantizedPo2(Quantizer):
    """q = sign(x)·2^e(|x|): see `Exponents`. There is no zero: 0 becomes 2^least.

    `bits` counts the sign, the exponent's sign (unless max_value ≤ 1) and the exponent.
    """

    name: ClassVar[str] = "quantized_po2"
    coding: ClassVar[str] = POWER

    bits: int = parameter(whole(1), 8)
    max_value: float | None = parameter(optional(at_least_zero), None)
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
        return f"± powers of two from 2^{low} to 2^{high} in {words.bits(self.bits)}{even}{down}, no zero"

    @property
    def codes_range(self) -> tuple[int, int]:
        return self._exponents.limits

    @property
    def _exponents(self) -> Exponents:
        bits = self.bits - 1 - sign_bit(self.max_value)
        return Exponents(bits, self.max_value, self.quadratic_approximation, self.log2_rounding == "floor")

    def _corners(self) -> tuple[float, ...]:
        above = self._exponents.corners
        return (*above, *(-corner for corner in above))

    def _step(self) -> Field:
        return 1.0

    def _codes(self, x: np.ndarray, levels: np.ndarray) -> np.ndarray:
        return power_codes(levels, self._exponents.least)

    def _levels(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        s = sign(x)
        return s * power(self._exponents.of(np.abs(x), nudge * s if nudge else 0))


def power_codes(levels: np.ndarray, least: int) -> np.ndarray:
    """The exponents of ± powers of two; `least` where the power is a subnormal and so 0."""
    return np.where(levels == 0, least, np.frexp(levels)[1].astype(np.int64) - 1)
