"""Stage 2 accepts what ordered data does to real float32 sums, and still sees a wrong weight."""

import numpy as np
import pytest

from refconv.compare import stage2
from refconv.compare.stage1 import deviate
from refconv.compare.stage2 import enclose, walk
from refconv.compare.tensor import compare
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.moments import Moments
from refconv.ops.base import Terms
from refconv.result import Verdict

U = 2.0**-24


def terms_of(products, bias=None):
    return Terms(np.asarray(products, np.float64), bias, lambda e: e)


def sequential(products):
    return np.cumsum(np.asarray(products, np.float32), dtype=np.float32)[-1]


def stage1(products):
    t = np.asarray(products, np.float64)
    return Arithmetic().close(Moments(np.array([t.sum()]), np.array([t @ t]), t.size, np.array([np.abs(t).sum()])))


def half_and_half(n, rng):
    return np.concatenate([rng.uniform(1, 2, n // 2), -rng.uniform(1, 2, n // 2)]).astype(np.float32)


@pytest.mark.parametrize(
    "make",
    [
        half_and_half,
        lambda n, rng: np.sort(rng.normal(size=n)).astype(np.float32),
        lambda n, rng: np.sin(np.arange(n) * 2 * np.pi / n).astype(np.float32),
        lambda n, rng: np.full(n, 0.1, np.float32),
        lambda n, rng: np.concatenate([[1e6], rng.uniform(0, 1e-2, n - 1)]).astype(np.float32),
    ],
    ids=["block-signed", "sorted", "slow wave", "constant", "dominant first term"],
)
@pytest.mark.parametrize("n", [64, 1000, 20_000])
def test_ordered_terms_stay_inside(make, n):
    products = make(n, np.random.default_rng(n))
    got = sequential(products)
    assert not deviate(enclose(terms_of(products), Arithmetic()), np.asarray(got)).outside.any()


def test_such_a_sum_fails_stage_one_and_is_explained():
    products = np.sort(np.random.default_rng(0).normal(size=20_000)).astype(np.float32)
    got = np.array([sequential(products)])
    assert deviate(stage1(products), got).outside.any()
    judged = compare(stage1(products), got, lambda index: enclose(terms_of(products), Arithmetic()))
    assert (judged.verdict, judged.explained, judged.failing) == (Verdict.WITHIN, 1, 0)
    assert compare(stage1(products), got).verdict is Verdict.SUSPECT


def test_a_wrong_term_is_not_explained():
    products = np.random.default_rng(1).normal(size=576).astype(np.float32)
    wrong = products.copy()
    wrong[7] *= 1.001
    allowed = enclose(terms_of(products), Arithmetic())
    assert deviate(allowed, np.asarray(sequential(wrong))).outside.any()


def test_never_beyond_the_worst_case():
    products = np.sort(np.random.default_rng(2).normal(size=20))
    enclosure = enclose(terms_of(products), Arithmetic())
    assert enclosure.probable <= enclosure.limit
    assert enclosure.limit == pytest.approx(22 * U * np.abs(products).sum(), rel=1e-3)


def test_sigma_of_the_path_by_hand():
    # 1, 1, −2 forwards: S = 1, 2, 0; backwards: −2, −1, 0; both Σ S² = 5; random order: 4·(0/3 + 6/6) = 4
    assert walk(np.array([1.0, 1.0, -2.0]), None, U).sigma == pytest.approx(U * np.sqrt(5))
    # with a bias of 3 first: 4, 5, 3 after 3: 9 + 16 + 25 + 9 = 59, the largest
    assert walk(np.array([1.0, 1.0, -2.0]), 3.0, U).sigma == pytest.approx(U * np.sqrt(59))


def test_phase_of_exact_terms_is_zero():
    assert walk(np.array([1.0, 2.0, 3.0]), None, U).phase == 0.0


def test_loop_orders_are_all_walked(monkeypatch):
    monkeypatch.setattr(stage2, "_LANES", ())
    kernel_order = np.zeros((2, 2, 2))
    kernel_order[..., 0], kernel_order[..., 1] = 1.0, -1.0  # signs alternate, unless channels are the outer loop
    assert walk(kernel_order, None, U).sigma == pytest.approx(U * np.sqrt(1 + 4 + 9 + 16 + 9 + 4 + 1))


def test_accumulators_side_by_side_are_walked():
    # of 1, −1, 1, −1, … two lanes take 1, 2, 3, 4 and −1 … −4: Σ S² = 60, and joining them 4² + 0²
    alternating = np.tile([1.0, -1.0], 4)
    assert walk(alternating, None, U).sigma == pytest.approx(U * np.sqrt(76))
    # with a bias of 1 the lanes are joined to 4, 0 and 1
    assert walk(alternating, 1.0, U).sigma == pytest.approx(U * np.sqrt(60 + 16 + 1))


def test_phases_of_lanes_add_up():
    # every lane repeats one error of its own, and no single order of all terms shows it
    two = np.array([0.3, -0.3], np.float64)
    one_lane = walk(np.tile(two[:1], 500), None, U).phase
    assert walk(np.tile(two, 500), None, U).phase >= 2 * 0.9 * one_lane


@pytest.mark.parametrize(("count", "period"), [(4, 2), (4, 4), (8, 8), (16, 16)])
def test_terms_that_alternate_beside_lanes_stay_inside(count, period):
    """Found on TensorFlow's reduce_mean: 22σ, and 2.9 times what the orders of one accumulator allow."""
    rng = np.random.default_rng(period)
    worst = 0.0
    for _ in range(50):
        values = rng.uniform(0.05, 1, period) * np.where(np.arange(period) % 2, -1, 1)
        products = np.tile(values, 4608 // period).astype(np.float32)
        lanes = np.cumsum(products.reshape(-1, count), axis=0, dtype=np.float32)[-1]
        while len(lanes) > 1:
            lanes = lanes[::2] + lanes[1::2]
        enclosure = enclose(terms_of(products), Arithmetic())
        deviation = deviate(enclosure, lanes[0])
        assert not deviation.outside.any()
        worst = max(worst, float(deviate(stage1(products), lanes).used[0]))
    assert worst > 1  # stage 1 alone would not do


def test_what_follows_the_sum_is_applied():
    relu = Terms(np.array([-1.0, -2.0]), None, lambda e: Enclosure(np.maximum(e.mid, 0), 0.0, 0.0))
    assert enclose(relu, Arithmetic()).mid == 0.0


def test_an_element_without_terms_is_its_bias() -> None:
    """A transposed convolution leaves some outputs without any product."""
    path = walk(np.zeros((1, 0)), None, Arithmetic().u)
    assert (path.sigma, path.phase) == (0.0, 0.0)
