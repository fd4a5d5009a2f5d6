"""Grids by hand, and that a certificate is given exactly where every order of summation gives the same bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.exactness import certain, grid, product_grid
from refconv.numerics.moments import Moments


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([1.0, 2.0, 3.0], 1.0),
        ([0.75, -2.0], 0.25),
        ([0.0, 0.0], np.inf),
        ([6.0, 10.0], 2.0),
        ([1.0, np.nan], 0.0),
        ([2.0**-149], 2.0**-149),
    ],
)
def test_grid(values, step):
    assert grid(np.array(values)) == step


def test_products_of_ordinary_floats_have_no_useful_grid():
    rng = np.random.default_rng(0)
    assert product_grid(rng.normal(size=9).astype(np.float32), rng.normal(size=9).astype(np.float32)) == 0.0
    assert product_grid(np.array([1.0, -3.0]), np.array([0.5, 0.25])) == 0.25


def test_a_fine_value_behind_the_sample_is_seen():
    x = np.ones(10_000)
    x[-1] = 1 + 2.0**-23
    assert product_grid(x, x) == 0.0


def test_up_to_24_bits_and_no_further():
    assert certain(np.array([2.0**24, 2.0**24 + 1]), 1.0).tolist() == [True, False]
    assert not certain(np.array([0.0]), 2.0**-127).any()


@given(st.integers(0, 2**32 - 1), st.integers(1, 300))
def test_certified_sums_are_the_same_in_every_order(seed, n):
    rng = np.random.default_rng(seed)
    x, w = rng.integers(-128, 128, n) * 2.0**-4, rng.integers(-128, 128, n) * 2.0**-7
    terms = x * w
    step = product_grid(x, w)
    moments = Moments(np.array([terms.sum()]), terms @ terms, n, np.array([np.abs(terms).sum()]), grid=step)
    enclosure = Arithmetic().close(moments)
    assert enclosure.exact
    shuffled = rng.permutation(terms.astype(np.float32))
    assert np.cumsum(shuffled, dtype=np.float32)[-1] == enclosure.mid[0]


def test_a_fine_bias_voids_the_certificate():
    moments = Moments(np.array([3.0]), 9.0, 1, np.array([3.0]), grid=1.0)
    assert Arithmetic().close(moments.plus(np.array([0.5]))).exact
    assert not Arithmetic().close(moments.plus(np.array([0.1]))).exact


def test_a_border_of_zeros_hides_nothing():
    """What ordinary floats follow on zeros shows in a sample from everywhere; the answer stays that of all elements."""
    x = np.zeros(100_000)
    assert product_grid(x, np.array([0.1])) == np.inf
    x[90_000:] = 3.0
    assert product_grid(x, np.array([0.5])) == 1.5 / 3.0
    x[90_001] = 0.1
    assert product_grid(x, np.array([0.5])) == 0.0
