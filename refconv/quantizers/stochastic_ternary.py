"""stochastic_ternary: at inference the same as ternary."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from refconv.quantizers.delegated import Delegated
from refconv.quantizers.parameters import Alpha, alpha, number, optional, parameter, unused, whole
from refconv.quantizers.ternary import Ternary


@dataclass(frozen=True)
class StochasticTernary(Delegated):
    """q = scale·sign(x)·[|x| ≥ threshold]: QKeras draws only while it trains."""

    name: ClassVar[str] = "stochastic_ternary"

    alpha: Alpha = parameter(alpha, None)
    threshold: float | None = parameter(optional(number), None)
    temperature: float = unused(8.0)
    use_real_sigmoid: bool = unused(True)
    number_of_unrolls: int = parameter(whole(1), 5)

    def __post_init__(self) -> None:
        _ = self._inner

    def as_kernel(self) -> StochasticTernary:
        return replace(self, alpha="auto_po2") if self.alpha is None else self

    def describe(self) -> str:
        return f"{self._inner.describe()} (drawn only while training)"

    @property
    def _inner(self) -> Ternary:
        return Ternary(alpha=self.alpha, threshold=self.threshold, number_of_unrolls=self.number_of_unrolls)
