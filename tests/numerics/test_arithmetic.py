"""The bound of a sum, against exact rational arithmetic and real float32 sums in many orders."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.formats import FLOAT32, gamma
from refconv.numerics.moments import Need
from refconv.primitives.geometry import window
from refconv.primitives.numpy_engine import ENGINE
from refconv.primitives.sums import correlate_moments, matmul_moments

ORDERS = {
    "sequential": lambda t: _sequential(t),
    "reverse": lambda t: _sequential(t[::-1]),
    "pairwise": lambda t: _pairwise(t),
    "lanes of 8": lambda t: _sequential(np.array([_sequential(t[i::8]) for i in range(8)], np.float32)),
    "blocks of 64": lambda t: _sequential(np.array([_sequential(b) for b in np.split(t, range(64, len(t), 64))])),
}


def _sequential(terms: np.ndarray) -> np.float32:
    return np.cumsum(terms.astype(np.float32), dtype=np.float32)[-1] if len(terms) else np.float32(0)


def _pairwise(terms: np.ndarray) -> np.float32:
    if len(terms) <= 2:
        return _sequential(terms)
    half = len(terms) // 2
    return np.float32(_pairwise(terms[:half]) + _pairwise(terms[half:]))


def _exact_dot(x: np.ndarray, w: np.ndarray) -> Fraction:
    return sum((Fraction(float(a)) * Fraction(float(b)) for a, b in zip(x, w, strict=True)), Fraction(0))


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3, 9, 27, 100, 576]), st.sampled_from(sorted(ORDERS)))
def test_no_order_of_a_float32_dot_product_leaves_the_bounds(seed, n, order):
    rng = np.random.default_rng(seed)
    x, w = (rng.normal(size=n).astype(np.float32) for _ in range(2))
    enclosure = Arithmetic().close(matmul_moments(ENGINE, x[None], w[:, None]))
    error = abs(Fraction(float(ORDERS[order](x * w))) - _exact_dot(x, w))
    assert error <= Fraction(float(enclosure.limit[0, 0]))
    assert error <= Fraction(float(enclosure.probable[0, 0]))


def test_the_reference_itself_is_exact_to_float64():
    rng = np.random.default_rng(1)
    x, w = (rng.normal(size=200).astype(np.float32) for _ in range(2))
    y = ENGINE.matmul(x[None].astype(np.float64), w[:, None].astype(np.float64))[0, 0]
    total = float(np.abs(x.astype(np.float64) * w).sum())
    assert abs(Fraction(float(y)) - _exact_dot(x, w)) <= Fraction(float(gamma(200, 2.0**-53)) * total)


def test_sigma_of_a_sum_worked_by_hand():
    # two terms, 0.3·1 and 0.4·1: y = 0.7, Q = 0.25, n = 2: σ² = u²·3·(0.49/3 + 0.25/6)
    enclosure = Arithmetic().close(matmul_moments(ENGINE, np.array([[0.3, 0.4]]), np.ones((2, 1))))
    assert enclosure.sigma[0, 0] == pytest.approx(2.0**-24 * np.sqrt(3 * (0.49 / 3 + 0.25 / 6)), rel=1e-14)
    assert enclosure.worst[0, 0] == pytest.approx(3 * 2.0**-24 * 0.7, rel=1e-6)


def test_a_wrong_value_of_one_percent_leaves_the_worst_case():
    rng = np.random.default_rng(2)
    x, w = rng.normal(size=(1, 27)), rng.normal(size=(27, 1))
    enclosure = Arithmetic().close(matmul_moments(ENGINE, x, w))
    changed = w.copy()
    changed[3] *= 1.01
    assert abs((x @ changed - x @ w)[0, 0]) > enclosure.limit[0, 0]


def test_the_worst_case_may_be_left_out_of_long_sums_only():
    thirds = (np.full((n, 1), 1 / 3) for n in (48, 49))
    short, long = (matmul_moments(ENGINE, w.T, w, need=Need.PROBABLE) for w in thirds)
    assert short.A is not None
    assert long.A is None
    assert np.isinf(Arithmetic().close(long).worst)


@given(st.integers(0, 2**32 - 1), st.integers(49, 400))
def test_from_49_terms_on_ten_sigma_never_exceeds_the_worst_case(seed, n):
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(1, n)), rng.normal(size=(n, 1)) * 10.0 ** rng.integers(-6, 6, size=(n, 1))
    enclosure = Arithmetic().close(matmul_moments(ENGINE, x, w))
    assert np.all(10 * enclosure.sigma <= enclosure.worst)


def test_subnormal_operands_may_be_flushed():
    # TRAPS 33: x = 1e-39 times w = 1e6 gives 0 on TensorFlow's CPU kernels, not 1e-33
    moments = matmul_moments(ENGINE, np.array([[1e-39]]), np.array([[1e6]]))
    assert Arithmetic().close(moments).limit[0, 0] >= 1e-33
    ordinary = matmul_moments(ENGINE, np.array([[1e-30]]), np.array([[1e6]]))
    assert Arithmetic().close(ordinary).limit[0, 0] < 1e-30


def test_a_subnormal_bias_may_be_flushed():
    moments = matmul_moments(ENGINE, np.zeros((1, 1)), np.zeros((1, 1))).plus(np.array([1e-39]))
    assert moments.S.shape == moments.y.shape == (1, 1)  # fields have as many axes as the output, which may be moved
    assert moments.S.item() == pytest.approx(1e-39)


def test_overflow_is_allowed_only_where_partial_sums_can_overflow():
    x = np.array([[2e38, 2e38, -3e38], [1.0, 1.0, -1.0]])
    enclosure = Arithmetic().close(matmul_moments(ENGINE, x, np.ones((3, 1))))
    assert enclosure.overflow.tolist() == [[True], [False]]


def test_gamma_is_infinite_once_nu_reaches_one():
    assert gamma(2**24, FLOAT32.u) == np.inf
    assert gamma(2**23, FLOAT32.u) == pytest.approx(1.0)


def test_moments_of_a_correlation_count_bias_as_a_term():
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    m = correlate_moments(ENGINE, x, -np.ones((2, 2, 1, 1)), window((3, 3), (2, 2), (1, 1))).plus(np.array([5.0]))
    # the first window holds 0, 1, 3, 4
    assert (m.y[0, 0, 0, 0], m.Q[0, 0, 0, 0], m.A[0, 0, 0, 0], m.n) == (-3.0, 51.0, 13.0, 5)
