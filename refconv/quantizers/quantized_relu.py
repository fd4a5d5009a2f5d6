"""quantized_relu: rectified fixed point, with an optional slope for negative inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refconv.numerics.formats import Field
from refconv.quantizers import words
from refconv.quantizers.base import Quantizer
from refconv.quantizers.float32 import Nudge, clip, f32, internal_sigmoid, rectify, through
from refconv.quantizers.parameters import flag, number, optional, parameter, process_state, slope, unused, whole


@dataclass(frozen=True)
class QuantizedRelu(Quantizer):
    """q = 2^integer · clip(round(x·m/2^integer)/m, 0, 1 − 1/m), m = 2^(bits − 1 if there is a slope else bits).

    A negative_slope s adds 2^integer · s · clip(round(s·x·m/2^integer)/(s·m), −1, 0); use_sigmoid puts
    2·round(p·m)/m − 1 in place of the rounded quotient, p QKeras's sigmoid. Half to even. What the straight-through
    step carries is bounded by 2^integer − 2^integer/m, or by relu_upper_bound where is_quantized_clip is false.
    """

    name: ClassVar[str] = "quantized_relu"

    bits: int = parameter(whole(1), 8)
    integer: int = parameter(whole(), 0)
    use_sigmoid: bool = parameter(flag, False)
    negative_slope: float = parameter(slope, 0.0)
    use_stochastic_rounding: bool = unused(False)
    relu_upper_bound: float | None = parameter(optional(number), None)
    is_quantized_clip: bool = parameter(flag, True)
    qnoise_factor: float = parameter(number, 1.0)
    var_name: str | None = unused(None)
    use_ste: bool = parameter(flag, True)
    use_variables: bool = unused(False)
    sigmoid: str = process_state("hard")

    def describe(self) -> str:
        slope = f", slope {self.negative_slope:g} below 0" if self.negative_slope else ""
        bounded = self.relu_upper_bound is not None and not self.is_quantized_clip
        bound = f", at most {self.relu_upper_bound:g}" if bounded else ""
        sigmoid = f", of 2·sigmoid − 1 ({self.sigmoid})" if self.use_sigmoid else ""
        return f"relu in {words.bits(self.bits, self.integer)}{sigmoid}{slope}{bound}{words.noise(self.qnoise_factor)}"

    @property
    def codes_range(self) -> tuple[int, int]:
        m_i, step = float(self._m_i), float(self._step())
        top = (1 - 1 / float(self._m)) * m_i
        if self.relu_upper_bound and not self.is_quantized_clip:
            top = min(top, self.relu_upper_bound)
        return round(-self.negative_slope * m_i / step), round(top / step)

    @property
    def _m(self) -> np.ndarray:
        return f32(2.0 ** (self.bits - (self.negative_slope != 0)))

    @property
    def _m_i(self) -> np.ndarray:
        return f32(2.0**self.integer)

    def _step(self) -> Field:
        """2^integer/m; finer where a small slope floors between two codes."""
        floor = self.negative_slope or 1.0
        return f32(self._m_i * min(1 / self._m, f32(floor)))

    def _carrier(self, x: np.ndarray) -> np.ndarray:
        rectified = rectify(x, self.negative_slope)
        bound = self._m_i - f32(2.0**self.integer) / self._m if self.is_quantized_clip else self.relu_upper_bound
        return rectified if bound is None else np.where(x <= f32(bound), rectified, f32(bound))

    def _levels(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        m, m_i, s = self._m, self._m_i, f32(self.negative_slope)
        p = internal_sigmoid(self.sigmoid, x / m_i, nudge) * m if self.use_sigmoid else x * m / m_i
        levels = m_i * clip(self._centred(through(p) / m), 0, 1 - 1 / m)
        if self.negative_slope > 0:
            levels = levels + m_i * s * clip(self._centred(through(p * s) * (1 / (s * m))), -1, 0)
        if self.relu_upper_bound and not self.is_quantized_clip:
            levels = np.where(levels <= f32(self.relu_upper_bound), levels, f32(self.relu_upper_bound))
        return levels

    def _centred(self, fraction: np.ndarray) -> np.ndarray:
        return np.float32(2) * fraction - np.float32(1) if self.use_sigmoid else fraction
