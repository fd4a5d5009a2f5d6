"""Stage 2: one element, from its exact terms, in the orders that kernels use. Derived and measured in NUMERICS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, Z
from refconv.numerics.formats import FLOAT64, Format, gamma
from refconv.ops.base import Terms

WORST_ELEMENTS = 64  # the worst of a tensor: all of them explained, or the layer fails
_SIGMAS = 6.0
_GRIDS = range(-1, 8)
_LANES = (2, 4, 8, 16, 32, 64)  # accumulators side by side: a vector register's, and up to four of those


@dataclass(frozen=True)
class Path:
    """What the natural orders of one element's terms allow: σ_path and φ, both in absolute units."""

    sigma: float
    phase: float


def enclose(terms: Terms, arithmetic: Arithmetic) -> Enclosure:
    """The element's enclosure under stage 2: probable radius 6σ_path + φ before storage and what follows the sum."""
    if terms.bias is None or not arithmetic.splits:
        return terms.finish(arithmetic.store(terms.widen(_sum(terms, terms.bias, arithmetic.sums))))
    alone = arithmetic.store(terms.widen(_sum(terms, None, arithmetic.sums)))
    return terms.finish(arithmetic.add(alone, terms.bias))


def _sum(terms: Terms, bias: float | None, fmt: Format) -> Enclosure:
    products = terms.products * terms.scale
    values = _with_bias(products.ravel(), bias, last=True)
    n, y, total = len(values), float(values.sum()), float(np.abs(values).sum())
    path = walk(products, bias, fmt.u)
    sigma = np.hypot(path.sigma, 0.0 if terms.scale == 1.0 else fmt.u * abs(y))
    worst = float((gamma(n + 2, fmt.u) + gamma(n, FLOAT64.u)) * total)
    radius = (_SIGMAS * sigma + path.phase) / Z
    return Enclosure(np.asarray(y), np.float64(radius), np.float64(worst), np.float64((n + 1) * fmt.tiny))


def walk(products: np.ndarray, bias: float | None, u: float) -> Path:
    """σ_path = u·√max((n+1)(y²/3 + Q/6), Σ S_k² over the natural orders), and φ over the same orders.

    The natural orders are all loop orders of the kernel's axes, forwards and backwards, bias first and last; and each
    loop order dealt out to accumulators side by side, as vector registers take it. Terms that alternate in sign keep
    every S_k of one accumulator small, while each of several accumulators gets terms of one sign.
    """
    flat = _with_bias(products.ravel(), bias, last=True)
    y, squares, n = float(flat.sum()), float(flat @ flat), len(flat)
    variance, phase = (n + 1) * (y**2 / 3 + squares / 6), 0.0
    for terms in _orders(products, bias):
        sums = np.cumsum(terms)
        variance = max(variance, float(sums @ sums))
        phase = max(phase, _phase(terms, sums, u))
    for lanes in _dealt(products):
        sums = np.cumsum(lanes, axis=0)
        variance = max(variance, float(np.sum(sums**2)) + _joining(sums[-1], bias))
        phase = max(phase, _phase(lanes, sums, u))
    return Path(u * float(np.sqrt(variance)), phase)


def _phase(terms: np.ndarray, sums: np.ndarray, u: float) -> float:
    """φ = max over b and j of |Σ_{k≤j} (t_k − g·rne(t_k/g))|, g = 2⁻ᵇ·ulp(max|S|); of lanes (n/lanes, lanes) the sum.

    Equal terms added to a large sum repeat one rounding error: it does not average out as σ assumes. Each lane has a
    grid of its own, and nothing makes their errors cancel. An element may have no terms at all.
    """
    peak = np.max(np.abs(sums), axis=0, initial=0.0)
    if not np.all(np.isfinite(peak)):
        return 0.0
    with np.errstate(divide="ignore"):
        ulp = np.where(peak > 0, 2.0 * u * 2.0 ** np.floor(np.log2(peak)), 1.0)
    grids = (ulp * 2.0**-b for b in _GRIDS)
    missed = (np.cumsum(terms - g * np.rint(terms / g), axis=0) for g in grids)
    phases = [np.max(np.abs(m), axis=0, initial=0.0) for m in missed]
    return float(np.sum(np.max(phases, axis=0)))


def _dealt(products: np.ndarray) -> Iterator[np.ndarray]:
    """Every loop order as (n/lanes, lanes), filled up by zeros, where each lane gets several terms."""
    for axes in permutations(range(products.ndim)):
        terms = products.transpose(axes).ravel()
        for lanes in _LANES:
            if 2 * lanes <= len(terms):
                yield np.pad(terms, (0, -len(terms) % lanes)).reshape(-1, lanes)


def _joining(lanes: np.ndarray, bias: float | None) -> float:
    """Σ S² of the sums that join the lanes, one after another, and the bias."""
    sums = np.cumsum(_with_bias(lanes, bias, last=True))
    return float(sums @ sums)


def _orders(products: np.ndarray, bias: float | None) -> Iterator[np.ndarray]:
    for axes in permutations(range(products.ndim)):
        forwards = products.transpose(axes).ravel()
        for terms in (forwards, forwards[::-1]):
            yield _with_bias(terms, bias, last=True)
            if bias is not None:
                yield _with_bias(terms, bias, last=False)


def _with_bias(terms: np.ndarray, bias: float | None, *, last: bool) -> np.ndarray:
    if bias is None:
        return terms
    return np.append(terms, bias) if last else np.insert(terms, 0, bias)
