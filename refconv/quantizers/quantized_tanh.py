"""quantized_tanh: a tanh in fixed point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refconv.numerics.formats import Field
from refconv.quantizers import words
from refconv.quantizers.base import Quantizer
from refconv.quantizers.float32 import Nudge, clip, f32, internal_sigmoid, real_tanh, through
from refconv.quantizers.parameters import flag, parameter, process_state, unused, whole


@dataclass(frozen=True)
class QuantizedTanh(Quantizer):
    """q = clip(round(t(x)·m)/m, −1 + symmetric/m, 1 − 1/m), m = 2^(bits−1), t = tanh or 2·sigmoid − 1; half to even."""

    name: ClassVar[str] = "quantized_tanh"

    bits: int = parameter(whole(1), 8)
    use_stochastic_rounding: bool = unused(False)
    symmetric: bool = parameter(flag, False)
    use_real_tanh: bool = parameter(flag, False)
    sigmoid: str = process_state("hard")

    def describe(self) -> str:
        function = "tanh" if self.use_real_tanh else f"{self.sigmoid} tanh (2·sigmoid − 1)"
        return f"{function} in {words.bits(self.bits)}" + (", symmetric" if self.symmetric else "")

    @property
    def codes_range(self) -> tuple[int, int]:
        m = 2 ** (self.bits - 1)
        return -m + self.symmetric, m - 1

    def _step(self) -> Field:
        return f32(2.0 ** (1 - self.bits))

    def _carrier(self, x: np.ndarray) -> None:
        return None

    def _levels(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        m = f32(2.0 ** (self.bits - 1))
        if self.use_real_tanh:
            p = real_tanh(x, nudge)
        else:
            p = np.float32(2) * internal_sigmoid(self.sigmoid, x, nudge) - np.float32(1)
        return clip(through(p * m) / m, -1 + self.symmetric / m, 1 - 1 / m)
