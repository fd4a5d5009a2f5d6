"""quantized_hswish: x · min(relu(x + shift), bound) / bound, then fixed point."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from refconv.quantizers.base import Enclosed
from refconv.quantizers.delegated import Delegated
from refconv.quantizers.float32 import f32, flush
from refconv.quantizers.parameters import Alpha, alpha, flag, number, optional, parameter, unused, whole
from refconv.quantizers.quantized_bits import QuantizedBits


@dataclass(frozen=True)
class QuantizedHswish(Delegated):
    """Hard swish of Howard et al. 2019 ("Searching for MobileNetV3"), its result quantized by quantized_bits."""

    name: ClassVar[str] = "quantized_hswish"

    bits: int = parameter(whole(1), 8)
    integer: int = parameter(whole(), 0)
    symmetric: bool = parameter(flag, False)
    alpha: Alpha = parameter(alpha, None)
    use_stochastic_rounding: bool = unused(False)
    scale_axis: int | None = parameter(optional(whole()), None)
    qnoise_factor: float = parameter(number, 1.0)
    var_name: str | None = unused(None)
    use_ste: bool = parameter(flag, True)
    use_variables: bool = unused(False)
    relu_shift: float = parameter(number, 3)
    relu_upper_bound: float = parameter(number, 6)

    def __post_init__(self) -> None:
        if self.relu_shift <= 0 or self.relu_upper_bound <= 0:
            raise ValueError("relu_shift and relu_upper_bound must be greater than 0")

    def as_kernel(self) -> QuantizedHswish:
        return replace(self, alpha="auto_po2", symmetric=True) if self.alpha is None else self

    def describe(self) -> str:
        bound, shift = f"{self.relu_upper_bound:g}", f"{self.relu_shift:g}"
        return f"hard swish x·min(relu(x + {shift}), {bound})/{bound} in {self._inner.describe()}"

    @property
    def _inner(self) -> QuantizedBits:
        return QuantizedBits(
            bits=self.bits, integer=self.integer, symmetric=self.symmetric, alpha=self.alpha,
            scale_axis=self.scale_axis, qnoise_factor=self.qnoise_factor, use_ste=self.use_ste,
        )  # fmt: skip

    def _prepare(self, x: np.ndarray) -> np.ndarray:
        bound = f32(self.relu_upper_bound)
        with np.errstate(all="ignore"):
            shifted = x + f32(self.relu_shift)
            return flush(x * np.where(shifted <= bound, np.maximum(shifted, 0), bound) / bound)

    def _enclose(self, low: np.ndarray, high: np.ndarray) -> Enclosed:
        """Not monotone: the ends, and the points between them at which the slope changes its sign or jumps."""
        ends = [self._prepare(low), self._prepare(high)]
        for at in self._turns:
            inside = (low < at) & (at < high)
            ends.append(np.where(inside, self._prepare(f32(at)), ends[0]))
        least, greatest = np.minimum.reduce(ends), np.maximum.reduce(ends)
        # One float32 step of the product and one of the quotient: rounding is not monotone across a turn.
        moved = low != high
        slack = np.where(moved, 2 * np.spacing(np.maximum(np.abs(least), np.abs(greatest))), np.float32(0))
        return self._inner._enclose(flush(least - slack), flush(greatest + slack))

    @property
    def _turns(self) -> tuple[float, ...]:
        """The vertex of x·(x + shift), its zero and its corner at the bound."""
        return -self.relu_shift / 2, -self.relu_shift, self.relu_upper_bound - self.relu_shift
