"""Arithmetic: how an execution rounds, and so how far its results may lie from the exact ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from refconv.numerics.enclosure import Enclosure, Z
from refconv.numerics.exactness import accumulator_bits, certain
from refconv.numerics.formats import FLOAT32, FLOAT64, NEAREST_EVEN, Field, Format, Rule, gamma, round_to
from refconv.numerics.moments import Moments

DIRECT, WINOGRAD2, WINOGRAD4, FFT = "direct", "Winograd F(2×2, 3×3)", "Winograd F(4×4, 3×3)", "FFT"


@dataclass(frozen=True)
class Rounding:
    """A known rounding of operands: it is applied to the reference's operands, so that it costs no bound."""

    format: Format
    rule: Rule = NEAREST_EVEN

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Floats rounded, as float64; anything else as it is."""
        return values if np.asarray(values).dtype.kind in "iubSU" else round_to(values, self.format, self.rule)


@dataclass(frozen=True)
class Arithmetic:
    """How one execution rounds.

    Products and sums are rounded in `accumulate` (None: in `format`), in an unknown order, with or without fused
    multiply-add; everything else, and every result that is stored, in `format`.

    Attributes:
        name: what reports call it.
        operand: rounding of the inputs and of the weights they are multiplied by; None where they are used as given.
        bias_apart: a sum is stored before its bias is added, and again afterwards.
        fused: what one operation hands to the next may stay unrounded, as in XLA; inputs are known to u|x| only.
        algorithm: how a convolution is computed, where it can be computed so.
        softmax_wide: attention computes the softmax of its scores in float32, as oneDNN does.
        scores_wide: it scales its scores in float32, after their product, as Keras 3's kernel for it does.
        truncates: sums are cut off instead of rounded, as tensor cores may do: simulated only (NUMERICS).
    """

    format: Format = FLOAT32
    accumulate: Format | None = None
    operand: Rounding | None = None
    name: str = FLOAT32.name
    bias_apart: bool = True
    fused: bool = False
    algorithm: str = DIRECT
    softmax_wide: bool = False
    scores_wide: bool = False
    truncates: bool = False

    @property
    def u(self) -> float:
        return self.format.u

    @property
    def sums(self) -> Format:
        """The format of partial sums."""
        return self.accumulate or self.format

    @property
    def stepwise(self) -> Arithmetic:
        """The same for what rounds every operation to `format`, sums of a few tensors for one."""
        return replace(self, accumulate=None)

    @property
    def wide(self) -> Arithmetic:
        """float32 at least: for what computes in it inside, whatever its inputs, and rounds once at the end."""
        return self if self.u <= FLOAT32.u else Arithmetic()

    @property
    def splits(self) -> bool:
        """A sum is rounded before its bias is added."""
        return self.bias_apart and self.sums.u < self.u

    def close(self, m: Moments, widen: Callable[[Enclosure], Enclosure] = lambda e: e) -> Enclosure:
        """The enclosure of a sum; `widen` adds what its operands may have erred.

        σ² = u²(n+1)(y²/3 + Q/6), the mean of Σ S_k² over random orders; worst = γ(n+1, u)·A plus the reference's own
        γ(n, 2⁻⁵³)·A; floor = (n+1)·tiny + S for flushed subnormals, all of the accumulator. Derived and measured in
        NUMERICS, stage 1. Elements that are exact in every order (`exactness`) get no radius at all.
        Into a narrower format the sum is rounded before its bias is added, and once more after it.
        """
        if m.Q is None:
            return Enclosure(m.y)
        if m.before is None or m.bias is None or not self.splits:
            return self.store(self.blur(widen(self._sum(m)), m))
        return self.add(self.store(widen(self._sum(m.before))), m.bias)

    def add(self, e: Enclosure, term: np.ndarray | float) -> Enclosure:
        """A stored `e` plus an exact term, in float32 at least (u|y|), and stored again."""
        y = e.mid + term
        exact = np.asarray(e.limit) == 0
        own = np.where(exact & (y == FLOAT32.round(y)), 0.0, FLOAT32.u * np.abs(y))
        grown = Enclosure(y, np.asarray(e.sigma) + own / Z, np.asarray(e.worst) + own, e.floor, e.overflow)
        return self.store(grown)

    def store(self, e: Enclosure, computed: Format | None = None) -> Enclosure:
        """`e`, computed in a wider format (that of sums), rounded to `format`; `e` itself where it is no wider.

        Rounding to nearest is known and monotone: whatever lies in [mid ± r] comes out in [R(mid − r), R(mid + r)],
        which is R(mid) alone unless a tie is near.
        """
        if (computed or self.sums).u >= self.u:
            return e
        fmt = self.format
        mid = fmt.round(e.mid)
        apart = np.isfinite(e.mid) & ~np.isfinite(mid)  # overflow: keep the distance
        mid = np.where(apart, e.mid, mid)
        probable, limit = (self._stored(e.mid, np.asarray(r), mid, apart) for r in (e.probable, e.limit))
        overflow = np.asarray(e.overflow) | apart
        return Enclosure(mid, probable / Z, limit, 0.0, overflow if np.any(overflow) else False)

    def _stored(self, y: np.ndarray, r: np.ndarray, mid: np.ndarray, apart: np.ndarray) -> np.ndarray:
        """Largest |R(y') − mid| over |y' − y| ≤ r."""
        ends = [np.abs(self.format.round(y + side * r) - mid) for side in (-1, 1)]
        reach = np.where(apart, r + self.u * np.abs(y), np.nan_to_num(np.maximum(*ends), nan=np.inf, posinf=np.inf))
        return np.where(np.isfinite(y), reach, 0.0)

    def feed(self, e: Enclosure) -> Enclosure:
        """`e` as an operand of the next product: rounded as operands are."""
        if self.fused:
            blur = self.u * np.abs(e.mid)
            return Enclosure(e.mid, np.asarray(e.sigma) + blur / Z, np.asarray(e.worst) + blur, e.floor, e.overflow)
        if self.operand is None or self.operand.format.u <= self.u:
            return e
        mid = self.operand(e.mid)
        probable, limit = (
            np.max([np.abs(self.operand(e.mid + side * np.asarray(r)) - mid) for side in (-1, 1)], axis=0)
            for r in (e.probable, e.limit)
        )
        finite = np.isfinite(mid)
        return Enclosure(mid, np.where(finite, probable, 0.0) / Z, np.where(finite, limit, 0.0), 0.0, e.overflow)

    def blur(self, e: Enclosure, m: Moments, n: Field = 1.0) -> Enclosure:
        """The sum (or the mean of n) of terms that are known to u|t| only; nearest, so that σ² grows by u²Q/3."""
        if not self.fused or m.Q is None:
            return e
        sigma = np.hypot(e.sigma, self.u * np.sqrt(m.Q / 3) / n)
        worst = np.inf if m.A is None else np.asarray(e.worst) + self.u * (1 + self.u) * m.A / n
        return Enclosure(e.mid, sigma, worst, e.floor, e.overflow)

    def _sum(self, m: Moments) -> Enclosure:
        assert m.Q is not None
        n, fmt = np.asarray(m.n, dtype=np.float64), self.sums
        u = 2 * fmt.u if self.truncates else fmt.u
        sigma = np.array(m.y, dtype=np.float64)  # one array, worked on in place: u·√((n+1)(2y² + Q)/6)
        sigma *= sigma
        sigma *= 2
        sigma += m.Q
        sigma *= (n + 1) / 6
        np.sqrt(sigma, out=sigma)
        sigma *= fmt.u
        if self.truncates:  # every sum errs towards 0: 10σ + 2u·Σ|S_k|, of which Σ|S_k| ≤ √n·√ΣS_k²
            sigma = sigma * (1 + np.sqrt(n) * 2 / Z)
        floor = (n + 1) * fmt.tiny + m.S
        if m.A is None:
            return Enclosure(m.y, sigma, np.inf, floor)
        worst = (gamma(n + 1, u) + gamma(n, FLOAT64.u)) * m.A
        overflow, bits = m.A + worst > fmt.max, 0
        if m.grid and (exact := certain(m.A, m.grid, fmt) & (np.asarray(m.S) == 0)).any():
            sigma, worst, floor = (np.where(exact, 0.0, radius) for radius in (sigma, worst, floor))
            bits = accumulator_bits(m.A, m.grid) if exact.all() else 0
        return Enclosure(m.y, sigma, worst, floor, overflow if overflow.any() else False, accumulator=bits)
