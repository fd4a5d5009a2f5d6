"""stochastic_binary: at inference the same as binary."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from refconv.quantizers.binary import Binary
from refconv.quantizers.delegated import Delegated
from refconv.quantizers.parameters import Alpha, alpha, parameter, unused


@dataclass(frozen=True)
class StochasticBinary(Delegated):
    """q = scale·sign(x): QKeras draws only while it trains."""

    name: ClassVar[str] = "stochastic_binary"

    alpha: Alpha = parameter(alpha, None)
    temperature: float = unused(6.0)
    use_real_sigmoid: bool = unused(True)

    def as_kernel(self) -> StochasticBinary:
        return replace(self, alpha="auto_po2") if self.alpha is None else self

    def describe(self) -> str:
        return f"{self._inner.describe()} (drawn only while training)"

    @property
    def _inner(self) -> Binary:
        return Binary(alpha=self.alpha)
