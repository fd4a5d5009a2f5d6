"""quantized_ulaw: a sigmoid in fixed point, then expanded by the µ-law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refconv.numerics.formats import FLOAT32
from refconv.quantizers import words
from refconv.quantizers.base import LEVEL, Quantizer
from refconv.quantizers.float32 import LOG, Nudge, clip, f32, integers, internal_sigmoid, through
from refconv.quantizers.parameters import at_least_zero, flag, parameter, process_state, whole


@dataclass(frozen=True)
class QuantizedUlaw(Quantizer):
    """q = 2^integer · clip(sign(r)·log(1 + u|r|)/log(1 + u), −1 + symmetric/m, 1 − 1/m), r = 2·round(p·m)/m − 1.

    p is QKeras's sigmoid of x/2^integer, m = 2^(bits−1); half to even. The logarithms come after the rounding, so
    values of one code lie within a few ulp; codes count round(p·m) from 0 to m.
    """

    name: ClassVar[str] = "quantized_ulaw"
    coding: ClassVar[str] = LEVEL

    bits: int = parameter(whole(1), 8)
    integer: int = parameter(whole(), 0)
    symmetric: bool = parameter(flag, False)
    u: float = parameter(at_least_zero, 255.0)
    sigmoid: str = process_state("hard")

    def describe(self) -> str:
        symmetric = ", symmetric" if self.symmetric else ""
        return f"µ-law (µ = {self.u:g}) of a {self.sigmoid} sigmoid in {words.bits(self.bits, self.integer)}{symmetric}"

    @property
    def codes_range(self) -> tuple[int, int]:
        return 0, 2 ** (self.bits - 1)

    def _carrier(self, x: np.ndarray) -> None:
        return None

    def _codes(self, x: np.ndarray, levels: np.ndarray) -> np.ndarray:
        return integers(self._rounded(x, 0))

    def _rounded(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        m = f32(2.0 ** (self.bits - 1))
        return through(internal_sigmoid(self.sigmoid, x / f32(2.0**self.integer), nudge) * m)

    def _levels(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        m = f32(2.0 ** (self.bits - 1))
        r = np.float32(2) * (self._rounded(x, nudge) / m) - np.float32(1)
        expanded = self._expand(r, nudge)
        return f32(2.0**self.integer) * clip(expanded, -1 + self.symmetric / m, 1 - 1 / m)

    def _expand(self, r: np.ndarray, nudge: Nudge) -> np.ndarray:
        """sign(r)·log(1 + u|r|)/log(1 + u); `nudge` adds the errors of two logarithms, a quotient and the argument."""
        argument, whole = np.float32(1) + f32(self.u) * np.abs(r), np.log1p(float(self.u))
        log = f32(np.log(argument.astype(np.float64)))
        nearest = np.sign(r) * log / f32(whole)
        error = FLOAT32.u * (2 + (2 * LOG + 5) * np.abs(log.astype(np.float64))) / whole
        return f32(nearest + nudge * error * (r != 0))
