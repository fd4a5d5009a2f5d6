"""binary: the sign, with a given or a computed scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from refconv.quantizers import words
from refconv.quantizers.float32 import Nudge, real_tanh, sign
from refconv.quantizers.parameters import Alpha, alpha, flag, parameter, unused
from refconv.quantizers.scaled import Scaled
from refconv.quantizers.scales import Search, scaling_axes


@dataclass(frozen=True)
class Binary(Scaled):
    """q = scale·sign(x), 0 counting as +1; (sign(x) + 1)/2 where use_01. A computed scale is Σxq/(Σq² + ε)."""

    name: ClassVar[str] = "binary"

    use_01: bool = parameter(flag, False)
    alpha: Alpha = parameter(alpha, None)
    use_stochastic_rounding: bool = unused(False)

    def as_kernel(self) -> Binary:
        return replace(self, alpha="auto_po2") if self.alpha is None else self

    def describe(self) -> str:
        return ("0 or 1" if self.use_01 else "−1 or +1") + words.scale(self.alpha)

    @property
    def codes_range(self) -> tuple[int, int]:
        return (0 if self.use_01 else -1), 1

    def _carrier(self, x: np.ndarray) -> np.ndarray:
        return real_tanh(x, 0) if self.alpha is None else x

    def _sign(self, x: np.ndarray) -> np.ndarray:
        return (sign(x) + np.float32(1)) / np.float32(2) if self.use_01 else sign(x)

    def _levels(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        return self._factor * self._sign(x)

    def _search(self, rank: int) -> Search:
        return sign_search(self._sign, rank, self.alpha)


def sign_search(codes: Callable[[np.ndarray], np.ndarray], rank: int, alpha: Alpha) -> Search:
    """The scale fitted once to codes that do not depend on it."""
    axes = scaling_axes(rank) if rank > 1 else ()
    return Search(np.ones_like, lambda x, scale: codes(x), axes, rounds=1, po2=alpha == "auto_po2", rounds_first=False)
