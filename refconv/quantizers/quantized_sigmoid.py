"""quantized_sigmoid: a sigmoid in fixed point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refconv.numerics.formats import Field
from refconv.quantizers import words
from refconv.quantizers.base import Quantizer
from refconv.quantizers.float32 import Nudge, clip, f32, internal_sigmoid, real_sigmoid, through
from refconv.quantizers.parameters import flag, parameter, process_state, unused, whole


@dataclass(frozen=True)
class QuantizedSigmoid(Quantizer):
    """q = clip(round(s(x)·m)/m, symmetric/m, 1 − 1/m), m = 2^bits, s the real sigmoid or QKeras's; half to even."""

    name: ClassVar[str] = "quantized_sigmoid"

    bits: int = parameter(whole(1), 8)
    symmetric: bool = parameter(flag, False)
    use_real_sigmoid: bool = parameter(flag, False)
    use_stochastic_rounding: bool = unused(False)
    sigmoid: str = process_state("hard")

    def describe(self) -> str:
        function = "sigmoid" if self.use_real_sigmoid else f"{self.sigmoid} sigmoid"
        return f"{function} in {words.bits(self.bits)}" + (", symmetric" if self.symmetric else "")

    @property
    def codes_range(self) -> tuple[int, int]:
        return int(self.symmetric), 2**self.bits - 1

    def _step(self) -> Field:
        return f32(2.0**-self.bits)

    def _carrier(self, x: np.ndarray) -> None:
        return None

    def _levels(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        m = f32(2.0**self.bits)
        p = real_sigmoid(x, nudge) if self.use_real_sigmoid else internal_sigmoid(self.sigmoid, x, nudge)
        return clip(through(p * m) / m, self.symmetric / m, 1 - 1 / m)
