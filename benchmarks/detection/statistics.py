"""Intervals for shares and for differences of paired shares."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Share:
    """`hits` of `total`, and its 95% interval."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        return self.hits / self.total if self.total else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval (Wilson 1927): (p + z²/2n ± z√(p(1−p)/n + z²/4n²)) / (1 + z²/n)."""
        if not self.total:
            return 0.0, 1.0
        n, p, z2 = self.total, self.value, Z95**2
        centre, half = p + z2 / (2 * n), Z95 * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        return max((centre - half) / (1 + z2 / n), 0.0), min((centre + half) / (1 + z2 / n), 1.0)


@dataclass(frozen=True)
class Paired:
    """Two policies on the same `total` mutants: how many only the first and only the second found."""

    first: int
    second: int
    total: int

    @property
    def difference(self) -> float:
        """Detection rate of the first less that of the second."""
        return (self.first - self.second) / self.total if self.total else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Wald's interval with half a mutant added to each of the four cells (Agresti and Min 2005)."""
        n, b, c = self.total + 2, self.first + 0.5, self.second + 0.5
        centre = (b - c) / n
        half = Z95 * sqrt(max(b + c - (b - c) ** 2 / n, 0.0)) / n
        return max(centre - half, -1.0), min(centre + half, 1.0)
