"""ternary: −1, 0 or +1, with a given or a computed scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from refconv.quantizers import words
from refconv.quantizers.float32 import Nudge, f32, real_tanh, through
from refconv.quantizers.parameters import Alpha, alpha, number, optional, parameter, unused, whole
from refconv.quantizers.scaled import Scaled
from refconv.quantizers.scales import Search, scaling_axes


@dataclass(frozen=True)
class Ternary(Scaled):
    """q = scale·sign(x)·[|x| ≥ threshold], threshold 0.33 unless given.

    A computed scale begins at 2·max|x|/3; then number_of_unrolls times q = sign(x)·[|x|/scale rounds to at least 1] and
    scale = Σxq/(Σq² + ε) (Li et al. 2016, "Ternary weight networks").
    """

    name: ClassVar[str] = "ternary"

    alpha: Alpha = parameter(alpha, None)
    threshold: float | None = parameter(optional(number), None)
    use_stochastic_rounding: bool = unused(False)
    number_of_unrolls: int = parameter(whole(1), 5)

    def __post_init__(self) -> None:
        if self.auto and self.threshold is not None:
            raise ValueError(f"threshold = {self.threshold!r} does not go with alpha = {self.alpha!r}")

    def as_kernel(self) -> Ternary:
        return replace(self, alpha="auto_po2") if self.alpha is None else self

    def describe(self) -> str:
        threshold = "" if self.auto else f", 0 below {self._threshold:g}"
        return "−1, 0 or +1" + threshold + words.scale(self.alpha)

    @property
    def codes_range(self) -> tuple[int, int]:
        return -1, 1

    @property
    def _threshold(self) -> float:
        return 0.33 if self.threshold is None else self.threshold

    def _carrier(self, x: np.ndarray) -> np.ndarray:
        return real_tanh(x, 0) if self.alpha is None else x

    def _levels(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        return self._factor * ((np.abs(x) >= f32(self._threshold)) * np.sign(x))

    def _search(self, rank: int) -> Search:
        shared = scaling_axes(rank) if rank > 1 else ()

        def first(x: np.ndarray) -> np.ndarray:
            most = np.max(np.abs(x), axis=shared if rank > 1 else None, keepdims=True)
            return np.float32(2) * most / np.float32(3)

        def nearest(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
            return (np.abs(scale * through(x / scale)) >= scale / np.float32(2)) * np.sign(x)

        return Search(first, nearest, shared, rounds=self.number_of_unrolls, po2=self.alpha == "auto_po2")
