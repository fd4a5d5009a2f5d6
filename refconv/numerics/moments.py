"""Moments of a sum: all that a bound on its rounding error needs to know."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from refconv.numerics.exactness import grid
from refconv.numerics.formats import Field


class Need(IntEnum):
    """How much of an enclosure is wanted: each more costs one more pass over the terms."""

    VALUES = 0  # mid alone: no radius means anything
    PROBABLE = 1  # long sums may leave worst = inf, since 10σ is below it
    WORST = 2


@dataclass(frozen=True)
class Moments:
    """Sums over the terms t_k of each output element, in float64.

    Attributes:
        y: Σ t_k, the exact result.
        Q: Σ t_k², or None where values alone are wanted.
        n: number of terms (a number, or an array that broadcasts against y).
        A: Σ |t_k|, or None where the worst case was not asked for.
        S: Σ |x||w| over the terms of which an operand is subnormal: kernels flush those (TRAPS 33).
        grid: a power of two of which every term is an integer multiple; 0 where none was looked for or found.
        before, bias: the moments before the last term was added, and that term: a step of its own in many kernels.
    """

    y: np.ndarray
    Q: Field | None
    n: Field
    A: np.ndarray | None
    S: Field = 0.0
    grid: float = 0.0
    before: Moments | None = None
    bias: np.ndarray | None = None

    def plus(self, term: np.ndarray) -> Moments:
        """Add one more term to every element, such as a bias of shape (channels,)."""
        term = np.asarray(term, dtype=np.float64)
        subnormal = np.where(np.abs(term) < 2.0**-126, np.abs(term), 0.0)
        return replace(
            self,
            y=self.y + term,
            Q=None if self.Q is None else self.Q + term**2,
            n=self.n + 1,
            A=None if self.A is None else self.A + np.abs(term),
            S=np.broadcast_to(self.S + subnormal, self.y.shape) if subnormal.any() else self.S,
            grid=min(self.grid, grid(term)) if self.grid else 0.0,
            before=self,
            bias=term,
        )
