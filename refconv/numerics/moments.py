"""Moments of a sum: all that a bound on its rounding error needs to know."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from refconv.numerics.exactness import grid

Field = np.ndarray | float


@dataclass(frozen=True)
class Moments:
    """Sums over the terms t_k of each output element, in float64.

    Attributes:
        y: Σ t_k, the exact result.
        Q: Σ t_k².
        n: number of terms (a number, or an array that broadcasts against y).
        A: Σ |t_k|, or None where the worst case was not asked for.
        S: Σ |x||w| over the terms of which an operand is subnormal: kernels flush those (TRAPS 33).
        grid: a power of two of which every term is an integer multiple; 0 where none was looked for or found.
    """

    y: np.ndarray
    Q: Field
    n: Field
    A: np.ndarray | None
    S: Field = 0.0
    grid: float = 0.0

    def plus(self, term: np.ndarray) -> Moments:
        """Add one more term to every element, such as a bias of shape (channels,)."""
        term = np.asarray(term, dtype=np.float64)
        subnormal = np.where(np.abs(term) < 2.0**-126, np.abs(term), 0.0)
        return replace(
            self,
            y=self.y + term,
            Q=self.Q + term**2,
            n=self.n + 1,
            A=None if self.A is None else self.A + np.abs(term),
            S=self.S + subnormal if subnormal.any() else self.S,
            grid=min(self.grid, grid(term)) if self.grid else 0.0,
        )
