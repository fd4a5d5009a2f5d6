"""Many dot products of one length, in every order and unit, beside their exact results and refconv's bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from support.data import FINITE, Kind
from support.exact import ExactDots, dots
from support.float32 import UNITS, Unit
from support.orders import ORDERS

from refconv.compare import stage2
from refconv.compare.stage1 import deviate
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.formats import FLOAT64, gamma
from refconv.ops.base import Terms
from refconv.primitives.sums import product_moments

# How many dot products of each kind of data by their length: around LONG, kernels' usual ones, and up to 100,000.
LENGTHS = {
    **dict.fromkeys((1, 2, 3, 4, 5, 8, 9, 16, 25, 27, 48, 49, 64, 100, 147, 256, 576), 8),
    1152: 6,
    2304: 4,
    4608: 4,
    20_000: 2,
    100_000: 1,
}
QUICK = {n: count for n, count in LENGTHS.items() if n <= 4608}
FAST = ("pairwise", "blocks of 256", "16 lanes")  # orders of few steps, for the longest sums
_SLACK = 1 + 2.0**-48  # of the measured distance, whose own error is 2⁻⁵⁰


@dataclass(frozen=True)
class Batch:
    """Dot products of one length: x and w (n, dots), a bias for half of them as a last term, and what is exact."""

    x: np.ndarray
    w: np.ndarray
    bias: np.ndarray | None
    kinds: tuple[Kind, ...]  # of each dot product
    exact: ExactDots
    enclosure: Enclosure

    @property
    def mid_share(self) -> np.ndarray:
        """|mid − exact| as a share of γ(n, 2⁻⁵³)·A, which the reference is stated to keep; 0 where both are 0."""
        n = len(self.x) + (self.bias is not None)
        distance, allowed = self.exact.distance(self.enclosure.mid), gamma(n, FLOAT64.u) * self.exact.size
        return np.divide(distance, allowed, out=np.where(distance > 0, np.inf, 0.0), where=allowed > 0)

    @cached_property
    def second(self) -> np.ndarray:
        """Stage 2's probable radius where the data is ordered; NaN elsewhere."""
        radii = np.full(len(self.kinds), np.nan)
        for i, kind in enumerate(self.kinds):
            if kind.ordered:
                radii[i] = stage2.enclose(self.terms(i), Arithmetic()).probable
        return radii

    def run(self, order: str, unit: Unit) -> np.ndarray:
        """The results in float32."""
        x, w = unit.operand(self.x), unit.operand(self.w)
        total = ORDERS[order](unit, x, w)
        return total if self.bias is None else unit.add(total, unit.operand(self.bias))

    def terms(self, i: int) -> Terms:
        products = self.x[:, i].astype(np.float64) * self.w[:, i]
        return Terms(products, None if self.bias is None else float(self.bias[i]), lambda enclosure: enclosure)


@dataclass(frozen=True)
class Outcome:
    """One order and unit over a batch; every array has one value per dot product.

    Attributes:
        outside: left the worst case (and no overflow allows it), by exact arithmetic.
        sigmas: |error|/σ; NaN where σ says nothing (0, or below what flushing may do).
        worst: |error| as a share of the worst case.
        probable: left the probable bound, as `compare` decides it.
        second: |error| as a share of stage 2's radius; NaN where the data is not ordered.
    """

    batch: Batch
    order: str
    unit: Unit
    got: np.ndarray
    outside: np.ndarray
    sigmas: np.ndarray
    worst: np.ndarray
    probable: np.ndarray
    second: np.ndarray


def batches(lengths: dict[int, int], seed: int = 0, kinds: Sequence[Kind] = FINITE) -> Iterator[Batch]:
    """For every length, one batch with a bias and one without."""
    for n, count in lengths.items():
        for with_bias in (False, True):
            rng = np.random.default_rng((seed, n, with_bias))
            yield batch(rng, n, -(-count // 2), kinds, with_bias=with_bias)


def batch(rng: np.random.Generator, n: int, count: int, kinds: Sequence[Kind], *, with_bias: bool) -> Batch:
    """`count` dot products of each kind, all of length n."""
    drawn = [kind(rng, n, count) for kind in kinds]
    x, w = (np.concatenate(column, axis=1) for column in zip(*drawn, strict=True))
    bias = rng.normal(size=x.shape[1]).astype(np.float32) if with_bias else None
    return of(x, w, bias, tuple(kind for kind in kinds for _ in range(count)))


def of(x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, kinds: tuple[Kind, ...] = ()) -> Batch:
    moments = product_moments(x, w)
    moments = moments if bias is None else moments.plus(bias)
    return Batch(x, w, bias, kinds, dots(x, w, bias), Arithmetic().close(moments))


def outcomes(batch: Batch, orders: Sequence[str] = tuple(ORDERS), units: Sequence[Unit] = UNITS) -> Iterator[Outcome]:
    for order in orders:
        for unit in units:
            yield outcome(batch, order, unit)


def outcome(batch: Batch, order: str, unit: Unit) -> Outcome:
    got = batch.run(order, unit)
    shape = got.shape
    limit, sigma, floor, overflow = (
        np.broadcast_to(v, shape)
        for v in (batch.enclosure.limit, batch.enclosure.sigma, batch.enclosure.floor, batch.enclosure.overflow)
    )
    with np.errstate(all="ignore"):
        distance = batch.exact.distance(got) * _SLACK
        outside = ~(distance <= limit) & ~(overflow & ~np.isfinite(got))
        telling = (sigma > 0) & (floor < sigma / 100) & np.isfinite(got)
        sigmas = np.where(telling, distance / sigma, np.nan)
        worst, second = (np.where(distance > 0, distance / radius, 0 * radius) for radius in (limit, batch.second))
    probable = deviate(batch.enclosure, got).outside
    return Outcome(batch, order, unit, got, outside, sigmas, worst, probable, second)
