"""The enclosure of a mean: a sum, and then one more rounding or two."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, Z
from refconv.numerics.exactness import accumulator_bits, certain
from refconv.numerics.formats import FLOAT64, Format, gamma
from refconv.numerics.moments import Moments


def mean(m: Moments, arithmetic: Arithmetic) -> Enclosure:
    """Σx/n from the moments of Σx.

    With y, Q = Σx²/n² and A = Σ|x|/n those of the terms x/n:
    - σ² = u²·((n+1)(y²/3 + Q/6) + y²): the sum's, scaled, and the division's (NUMERICS, stage 1).
    - worst = γ(n+2, u)·A plus the reference's own γ(n+1, 2⁻⁵³)·A. A division adds one rounding to n − 1 additions;
      kernels that multiply the sum, or each term, by a rounded 1/n add two (1/n's and the product's): n + 1 in all.
      Those two are at most 2u|y|, inside 10σ ≥ 10u|y|.
    - floor = (n+2)·tiny + S/n: partial sums, terms x/n and the result may be flushed, and so may subnormal x.
    Where every partial sum is exact and n is a power of two, nothing is rounded: no radius.
    A narrower format stores the mean with one rounding more.
    """
    if m.Q is None:
        return Enclosure(m.y / np.asarray(m.n, dtype=np.float64))
    blurred = arithmetic.blur(_mean(m, arithmetic.sums), m, m.n)
    return arithmetic.store(_shifted(blurred, m, arithmetic) if arithmetic.fused else blurred)


def _shifted(e: Enclosure, m: Moments, arithmetic: Arithmetic) -> Enclosure:
    """Fused with what comes before, all terms of a channel may lie to one side: its bias was not rounded either.

    No average removes that. A bias is not known here, and taken to be no larger than the terms are in the root of the
    mean of their squares: the shift is at most u·√(Q/n), a radius of its own. XLA in bfloat16 missed a mean of 2,016
    terms after a Conv3DTranspose by 11σ of independent roundings, by the same in both samples.
    """
    assert m.Q is not None
    shift = arithmetic.u * np.sqrt(m.Q / np.asarray(m.n, dtype=np.float64))
    return replace(e, sigma=np.asarray(e.sigma) + shift / Z, worst=np.asarray(e.worst) + shift)


def _mean(m: Moments, fmt: Format) -> Enclosure:
    assert m.Q is not None
    n = np.asarray(m.n, dtype=np.float64)
    y, u = m.y / n, fmt.u
    squares = m.Q / n**2
    sigma = u * np.sqrt((n + 1) * (y**2 / 3 + squares / 6) + y**2)
    floor = np.broadcast_to((n + 2) * fmt.tiny + m.S / n, y.shape)
    if m.A is None:
        return Enclosure(y, sigma, np.inf, floor)
    worst = (gamma(n + 2, u) + gamma(n + 1, FLOAT64.u)) * (m.A / n)
    overflow = m.A * (1 + gamma(n, u)) > fmt.max
    exact = _exact(m, n, fmt)
    if exact.any():
        sigma, worst, floor = (np.where(exact, 0.0, radius) for radius in (sigma, worst, floor))
    bits = accumulator_bits(m.A, m.grid) if exact.all() else 0
    return Enclosure(y, sigma, worst, floor, overflow if overflow.any() else False, accumulator=bits)


def _exact(m: Moments, n: np.ndarray, fmt: Format) -> np.ndarray:
    """Terms and sums on a grid that stays normal when divided by a power of two."""
    assert m.A is not None
    power_of_two = np.frexp(n)[0] == 0.5
    on_grid = certain(m.A, m.grid, fmt) & (m.grid / n >= 2.0**fmt.least) & (np.asarray(m.S) == 0)
    return on_grid & power_of_two
