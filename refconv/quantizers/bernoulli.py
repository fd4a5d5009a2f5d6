"""bernoulli: 0 or 1, drawn at every call, at inference too (TRAPS 10)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from refconv.quantizers import words
from refconv.quantizers.base import Enclosed, Quantized
from refconv.quantizers.binary import sign_search
from refconv.quantizers.float32 import EPSILON, Nudge, f32, flush, internal_sigmoid, sign
from refconv.quantizers.parameters import Alpha, alpha, flag, number, parameter, process_state
from refconv.quantizers.scaled import Scaled
from refconv.quantizers.scales import Search, scaling_axes


@dataclass(frozen=True)
class Bernoulli(Scaled):
    """q = scale with probability sigmoid(temperature·x/σ), else 0; σ = std + ε per channel for a computed scale.

    `values` are the more probable ones, [x ≥ 0]; `allowed` holds both. Where the probability is 1 in float32 only the
    scale may occur; 0 never excludes it, because the number that is drawn may be 0 too.
    """

    name: ClassVar[str] = "bernoulli"
    random: ClassVar[bool] = True

    alpha: Alpha = parameter(alpha, None)
    temperature: float = parameter(number, 6.0)
    use_real_sigmoid: bool = parameter(flag, True)
    sigmoid: str = process_state("hard")

    def quantize(self, x: ArrayLike, scale: ArrayLike | None = None) -> Quantized:
        found = super().quantize(x, scale)
        x = flush(x)
        with np.errstate(all="ignore"):
            codes = np.stack([self._certain(x).astype(np.float32), np.ones_like(x)])
            allowed = self._emit(x, self._apply(codes, f32(found.scale)))
        return Quantized(found.values, found.codes, found.scale, allowed=allowed)

    def as_kernel(self) -> Bernoulli:
        return replace(self, alpha="auto_po2") if self.alpha is None else self

    def describe(self) -> str:
        return f"0 or 1, drawn at every call{words.scale(self.alpha)}"

    @property
    def codes_range(self) -> tuple[int, int]:
        return 0, 1

    def _levels(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        return self._factor * self._probable(x)

    def _probable(self, x: np.ndarray) -> np.ndarray:
        return (sign(x) + np.float32(1)) / np.float32(2)

    def _certain(self, x: np.ndarray) -> np.ndarray:
        """Where every conforming sigmoid is 1."""
        scaled = f32(self.temperature) * x / (self._deviation(x) * np.float32(1 + 2.0**-16))
        if self.use_real_sigmoid or self.sigmoid == "real":
            return scaled > 18  # e⁻¹⁸ is lost in 1 + e⁻ˣ, with whatever error
        return internal_sigmoid(self.sigmoid, scaled, 0) == 1

    def _deviation(self, x: np.ndarray) -> np.ndarray:
        if not self.auto:
            return np.ones((), np.float32)
        axes = scaling_axes(x.ndim) if x.ndim > 1 else (0,)
        return f32(x.std(axis=axes, keepdims=True, dtype=np.float64)) + EPSILON

    def _search(self, rank: int) -> Search:
        return sign_search(self._probable, rank, self.alpha)

    def _enclose(self, low: np.ndarray, high: np.ndarray) -> Enclosed:
        small, large = self._bounds(low, high)[1] if self.auto else (self._factor, self._factor)
        # σ depends on every element, so with a computed scale nothing is certain once one of them is not.
        unknown = self.auto and bool(np.any(low != high))
        least = np.zeros_like(low) if unknown else self._certain(low).astype(np.float32)
        return self._between(low, high, self._apply(least, small), self._apply(np.ones_like(high), large))
