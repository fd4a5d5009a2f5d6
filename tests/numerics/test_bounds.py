"""No dot product leaves its bounds: hundreds of thousands in float32, beside exact rational arithmetic.

`python benchmarks/bounds.py` runs the same in every order for the longest too, and prints what is measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from support.bounds import FAST, LENGTHS, QUICK, Batch, Outcome, batch, batches, outcome, outcomes
from support.data import FINITE, NOT_FINITE, Kind
from support.float32 import UNITS, Unit
from support.orders import ORDERS

from refconv.compare.stage1 import deviate
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.formats import FLOAT64, gamma
from refconv.numerics.moments import Need
from refconv.primitives.numpy_engine import ENGINE
from refconv.primitives.sums import matmul_moments, product_moments

UNORDERED, ORDERED = ([kind for kind in FINITE if kind.ordered is ordered] for ordered in (False, True))


@pytest.fixture(scope="module")
def quick() -> list[Outcome]:
    """Up to 4608 terms, in every order and unit."""
    return [found for one in batches(QUICK) for found in outcomes(one)]


@pytest.fixture(scope="module")
def long() -> list[Outcome]:
    """20,000 and 100,000 terms, in the orders of few steps, and in the plain order where NumPy has it as one call."""

    def found() -> Iterator[Outcome]:
        for one in batches({n: count for n, count in LENGTHS.items() if n > 4608}):
            yield from outcomes(one, FAST)
            yield outcome(one, "sequential", Unit())

    return list(found())


def where(found: Outcome, bad: np.ndarray) -> str:
    kinds = sorted({found.batch.kinds[i].name for i in np.flatnonzero(bad)})
    return f"{found.order}, {found.unit.name}, n = {len(found.batch.x)}: {kinds}"


def test_no_dot_product_leaves_the_worst_case(quick, long):
    assert sum(len(found.got) for found in quick) >= 180_000
    assert {len(found.batch.x) for found in long} == {20_000, 100_000}
    for found in (*quick, *long):
        assert not found.outside.any(), where(found, found.outside)


def test_only_ordered_data_leaves_the_probable_bound(quick, long):
    ordered = 0
    for found in (*quick, *long):
        unexpected = found.probable & ~np.array([kind.ordered for kind in found.batch.kinds])
        assert not unexpected.any(), where(found, unexpected)
        ordered += found.probable.sum()
    assert ordered > 100  # the ordered sets do break stage 1


def test_errors_of_unordered_data_stay_far_below_ten_sigma(quick, long):
    """3.3σ in NUMERICS's runs of real kernels; here 2.4σ."""
    largest = max(np.nanmax(f.sigmas[[not k.ordered for k in f.batch.kinds]]) for f in (*quick, *long))
    assert 1 < largest < 3.5


def test_stage_two_holds_for_ordered_data(quick, long):
    largest = max(np.nanmax(found.second) for found in (*quick, *long))
    assert 0.3 < largest <= 1


def test_the_reference_is_as_exact_as_it_says(quick, long):
    for one in {id(found.batch): found.batch for found in (*quick, *long)}.values():
        assert one.mid_share.max() <= 1


@pytest.mark.parametrize("kind", FINITE, ids=lambda kind: kind.name)
@pytest.mark.parametrize("n", [1, 9, 49, 576, 4608])
def test_the_engine_is_as_exact_as_it_says(kind: Kind, n: int):
    """The same for the product that Dense and Conv2D use, which sums in BLAS's order."""
    one = batch(np.random.default_rng(n), n, 3, [kind], with_bias=False)
    y = [float(matmul_moments(ENGINE, one.x.T[i : i + 1], one.w[:, i : i + 1], Need.VALUES).y[0, 0]) for i in range(3)]
    assert np.all(one.exact.distance(np.array(y)) <= gamma(n, FLOAT64.u) * one.exact.size)


# That the checks can fail: the same, with a bound too small or arithmetic that is wrong.


def shrunk(one: Batch, share: float) -> Batch:
    return replace(one, enclosure=replace(one.enclosure, worst=one.enclosure.worst * share))


def test_a_worst_case_of_less_than_half_is_left():
    one = batch(np.random.default_rng(0), 1, 50, UNORDERED, with_bias=False)
    assert not any(found.outside.any() for found in outcomes(one))
    assert any(found.outside.any() for found in outcomes(shrunk(one, 0.4)))


def test_the_worst_case_is_reached_to_a_third_by_sums_too(quick):
    assert max(found.worst[[not k.ordered for k in found.batch.kinds]].max() for found in quick) > 1 / 3


@pytest.mark.parametrize("n", [9, 576])
def test_a_lower_precision_is_seen(n: int):
    """Operands of bfloat16's 8 bits, or one term lost, leave the probable bound."""
    kind = next(kind for kind in FINITE if kind.name == "normal")
    one = batch(np.random.default_rng(1), n, 100, [kind], with_bias=False)
    rounded = (one.x.view(np.int32) & ~0xFFFF).view(np.float32)
    assert deviate(one.enclosure, ORDERS["8 lanes"](Unit(), rounded, one.w)).outside.mean() > 0.5
    assert deviate(one.enclosure, ORDERS["8 lanes"](Unit(), one.x[1:], one.w[1:])).impossible.mean() > 0.5


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
@pytest.mark.parametrize("kind", NOT_FINITE, ids=lambda kind: kind.name)
def test_nan_and_infinity_come_out_of_every_order(kind: Kind, unit: Unit):
    for n in (1, 9, 300):
        x, w = kind(np.random.default_rng(n), n, 20)
        with np.errstate(all="ignore"):
            enclosure = Arithmetic().close(product_moments(x, w))
        for order in ORDERS.values():
            got = order(unit, x, w)
            assert not np.isfinite(got).any()
            assert not deviate(enclosure, got).impossible.any()
            assert deviate(enclosure, np.zeros_like(got)).impossible.all()


def test_overflow_is_allowed_where_an_order_overflows_and_nowhere_else():
    kind = next(kind for kind in FINITE if kind.name == "overflowing")
    one = batch(np.random.default_rng(4), 50, 40, [kind], with_bias=False)
    overflow = np.broadcast_to(one.enclosure.overflow, 40)
    assert 0 < overflow.sum() < 40
    for found in outcomes(one):
        assert np.isfinite(found.got[~overflow]).all()
        assert not found.outside.any()
    assert deviate(one.enclosure, np.full(40, np.inf, np.float32)).impossible[~overflow].all()
