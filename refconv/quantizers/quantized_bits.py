"""quantized_bits: fixed point, with a given or a computed scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from refconv.numerics.formats import Field
from refconv.quantizers import words
from refconv.quantizers.float32 import Nudge, clip, f32, sign, through
from refconv.quantizers.parameters import Alpha, alpha, flag, number, optional, parameter, unused, whole
from refconv.quantizers.scaled import Scaled
from refconv.quantizers.scales import Search, scaling_axes


@dataclass(frozen=True)
class QuantizedBits(Scaled):
    """q = alpha · 2^integer · clip(round(x·m/2^integer), −m + symmetric, m − 1)/m, m = 2^(bits − keep_negative).

    Half to even. With "auto" and "auto_po2": scale · sign(x) · min(floor(|x|/scale + ½), 2^(bits−1) − 1), half away
    from zero, symmetric and signed whatever is asked for; "auto" takes the scale from max|x|, "auto_po2" fits it five
    times and, as QKeras 0.9.0 does, leaves the codes of the last scale but one. One signed bit is the sign, 0 counting
    as +1.
    """

    name: ClassVar[str] = "quantized_bits"

    bits: int = parameter(whole(1), 8)
    integer: int = parameter(whole(), 0)
    symmetric: bool = parameter(flag, False)
    keep_negative: bool = parameter(flag, True)
    alpha: Alpha = parameter(alpha, None)
    use_stochastic_rounding: bool = unused(False)
    scale_axis: int | None = parameter(optional(whole()), None)
    qnoise_factor: float = parameter(number, 1.0)
    var_name: str | None = unused(None)
    use_ste: bool = parameter(flag, True)
    use_variables: bool = unused(False)

    def as_kernel(self) -> QuantizedBits:
        return replace(self, alpha="auto_po2", symmetric=True) if self.alpha is None else self

    def describe(self) -> str:
        signed = "signed" if self.keep_negative or self.auto else "not negative"
        symmetric = " and symmetric" if (self.symmetric and self.keep_negative) or self.auto else ""
        scale = words.scale(self.alpha)
        return f"{words.bits(self.bits, self.integer)}, {signed}{symmetric}{scale}{words.noise(self.qnoise_factor)}"

    @property
    def codes_range(self) -> tuple[int, int]:
        if self.auto:
            return -self._top, self._top
        if self._binary:
            return -1, 1
        m = 2 ** (self.bits - self.keep_negative)
        return (-m + self.symmetric if self.keep_negative else 0), m - 1

    @property
    def _binary(self) -> bool:
        return self.bits - self.keep_negative == 0

    @property
    def _m(self) -> np.ndarray:
        return f32(2.0 ** (self.bits - self.keep_negative))

    @property
    def _m_i(self) -> np.ndarray:
        return f32(2.0**self.integer)

    @property
    def _top(self) -> int:
        return 2 ** (self.bits - 1) - 1

    def _step(self) -> Field:
        return super()._step() * (1.0 if self._binary else self._m_i / self._m)

    def _levels(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        if self._binary:
            return self._factor * sign(x)
        m, m_i = self._m, self._m_i
        codes = clip(through(x * m / m_i), self.keep_negative * (-m + self.symmetric), m - 1)
        return self._factor * (m_i * codes / m)

    def _search(self, rank: int) -> Search:
        shared = scaling_axes(rank, self.scale_axis) if rank > 1 else ()
        top = np.float32(self._top)

        def first(x: np.ndarray) -> np.ndarray:
            return np.max(np.abs(x), axis=shared if rank > 1 else (0,), keepdims=True) * 2 / (2 * top)

        def nearest(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
            v = np.floor(np.abs(x) / scale + np.float32(0.5))
            return np.sign(x) * np.where(v < top, v, top)

        po2 = self.alpha == "auto_po2"
        return Search(first, nearest, shared, rounds=5 if po2 else 0, po2=po2, rounds_first=self.bits > 2)

    def _scale_input(self, x: np.ndarray) -> np.ndarray:
        return x / self._m_i

    def _apply(self, codes: np.ndarray, scale: np.ndarray) -> np.ndarray:
        return scale * self._m * (self._m_i * codes / self._m)

    @property
    def _unit(self) -> float:
        return float(self._m_i)
