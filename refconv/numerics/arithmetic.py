"""Arithmetic: how an execution rounds, and so how far its sums may lie from the exact ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refconv.numerics.enclosure import Enclosure
from refconv.numerics.exactness import accumulator_bits, certain
from refconv.numerics.formats import FLOAT32, FLOAT64, Format, gamma
from refconv.numerics.moments import Moments


@dataclass(frozen=True)
class Arithmetic:
    """Products and sums rounded in `format`, in an unknown order, with or without fused multiply-add."""

    format: Format = FLOAT32

    @property
    def u(self) -> float:
        return self.format.u

    def close(self, m: Moments) -> Enclosure:
        """The enclosure of a sum.

        σ² = u²(n+1)(y²/3 + Q/6), the mean of Σ S_k² over random orders; worst = γ(n+1, u)·A plus the reference's own
        γ(n, 2⁻⁵³)·A; floor = (n+1)·tiny + S for flushed subnormals. Derived and measured in NUMERICS, stage 1.
        Elements that are exact in every order (`exactness`) get no radius at all.
        """
        if m.Q is None:
            return Enclosure(m.y)
        n = np.asarray(m.n, dtype=np.float64)
        sigma = self.u * np.sqrt((n + 1) * (m.y**2 / 3 + m.Q / 6))
        floor = (n + 1) * self.format.tiny + m.S
        if m.A is None:
            return Enclosure(m.y, sigma, np.inf, floor)
        worst = (gamma(n + 1, self.u) + gamma(n, FLOAT64.u)) * m.A
        overflow, bits = m.A + worst > self.format.max, 0
        if m.grid and (exact := certain(m.A, m.grid) & (np.asarray(m.S) == 0)).any():
            sigma, worst, floor = (np.where(exact, 0.0, radius) for radius in (sigma, worst, floor))
            bits = accumulator_bits(m.A, m.grid) if exact.all() else 0
        return Enclosure(m.y, sigma, worst, floor, overflow if overflow.any() else False, accumulator=bits)
