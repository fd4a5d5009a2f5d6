"""quantized_linear: fixed point with one scale, in QKeras's repository and not in the released 0.9.0."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from refconv.numerics.formats import Field
from refconv.quantizers import words
from refconv.quantizers.float32 import EPSILON, Nudge, clip, f32, through
from refconv.quantizers.parameters import Alpha, alpha, flag, number, optional, parameter, unused, whole
from refconv.quantizers.scaled import Scaled
from refconv.quantizers.scales import Search, scaling_axes


@dataclass(frozen=True)
class QuantizedLinear(Scaled):
    """q = s·round(clip(x/s, −2^n + symmetric, 2^n − 1)), n = bits − keep_negative, s = alpha·2^(integer − n).

    Half to even. "auto" takes s = max(2·max|x|/(width of the clip), ε), "auto_po2" fits a power of two up to five times
    and rounds with the last. One signed bit is the sign, ±s/2: round(clip(x/s, −½, ½) − ½) + ½.
    """

    name: ClassVar[str] = "quantized_linear"

    bits: int = parameter(whole(1), 8)
    integer: int = parameter(whole(), 0)
    symmetric: bool = parameter(flag, True)
    keep_negative: bool = parameter(flag, True)
    alpha: Alpha = parameter(alpha, None)
    use_stochastic_rounding: bool = unused(False)
    scale_axis: int | None = parameter(optional(whole(0)), None)
    qnoise_factor: float = parameter(number, 1.0)
    var_name: str | None = unused(None)
    use_variables: bool = unused(False)

    def as_kernel(self) -> QuantizedLinear:
        return replace(self, alpha="auto_po2", symmetric=True) if self.alpha is None else self

    def describe(self) -> str:
        signed = "signed" if self.keep_negative else "not negative"
        symmetric = " and symmetric" if self.symmetric and self.keep_negative else ""
        scale = words.scale(self.alpha)
        return f"{words.bits(self.bits, self.integer)}, {signed}{symmetric}{scale}{words.noise(self.qnoise_factor)}"

    @property
    def codes_range(self) -> tuple[int, int]:
        low, high = (float(bound) / self._half for bound in self._clip)
        return round(low), round(high)

    @property
    def _sign(self) -> bool:
        return self.bits == 1 and self.keep_negative

    @property
    def _half(self) -> float:
        return 0.5 if self._sign else 1.0

    @property
    def _unit(self) -> float:
        return self._half

    @property
    def _clip(self) -> tuple[np.ndarray, np.ndarray]:
        if self._sign:
            return f32(-0.5), f32(0.5)
        top = f32(2.0 ** (self.bits - self.keep_negative))
        return f32(self.keep_negative * (-top + self.symmetric)), top - np.float32(1)

    @property
    def _scale(self) -> np.ndarray:
        return self._factor * f32(2.0 ** (self.integer - self.bits + self.keep_negative))

    def _step(self) -> Field:
        return 0.0 if self.auto else self._scale * np.float32(self._half)

    def _levels(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        return self._round(x, self._scale) * self._scale

    def _round(self, x: np.ndarray, scale: np.ndarray) -> np.ndarray:
        shift = np.float32(self._sign * 0.5)
        return through(clip(x / scale, *self._clip) - shift) + shift

    def _search(self, rank: int) -> Search:
        axes = scaling_axes(rank, self.scale_axis) if rank else ()
        low, high = self._clip

        def first(x: np.ndarray) -> np.ndarray:
            most = np.max(np.abs(x) if self.keep_negative else x, axis=axes, keepdims=True)
            return np.maximum(most * np.float32(1 + self.keep_negative) / (high - low), EPSILON)

        rounds = (1 if self._sign else 5) if self.alpha == "auto_po2" else 0
        fitted = axes if rank > 1 else ()
        return Search(first, self._round, fitted, rounds, po2=rounds > 0, final=True, signed=not self.keep_negative)

    def _apply(self, codes: np.ndarray, scale: np.ndarray) -> np.ndarray:
        return codes * scale
