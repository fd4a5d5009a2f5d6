"""Sums stored in 16 bits: rounded once or twice, exactly known but for ties; hand-worked."""

import numpy as np
import pytest

from refconv.numerics.arithmetic import Arithmetic, Rounding
from refconv.numerics.enclosure import Enclosure, bounded
from refconv.numerics.formats import BFLOAT16, FLOAT16, FLOAT32, NEAREST_AWAY, TF32, TRUNCATED
from refconv.numerics.moments import Moments
from refconv.primitives.numpy_engine import ENGINE
from refconv.primitives.sums import matmul_moments

APART = Arithmetic(BFLOAT16, FLOAT32)
JOINT = Arithmetic(BFLOAT16, FLOAT32, bias_apart=False)
HALF = Arithmetic(FLOAT16)


def product(x, w, bias=None):
    m = matmul_moments(ENGINE, np.array([x], np.float64), np.array(w, np.float64)[:, None])
    return m if bias is None else m.plus(np.array([bias]))


def test_away_from_ties_one_value_is_allowed():
    stored = APART.store(bounded(np.array([1.001, 1.005]), 1e-4))
    assert stored.mid.tolist() == [1.0, 1.0078125]
    assert stored.limit.tolist() == [0.0, 0.0]


def test_near_a_tie_both_neighbours_are():
    stored = APART.store(bounded(np.array([1.00390625 + 1e-6]), 1e-5))  # 1 + 2⁻⁸ is the tie
    assert stored.mid.tolist() == [1.0078125]
    assert stored.limit.tolist() == [0.0078125]


def test_the_probable_radius_may_be_free_of_a_tie_that_the_worst_case_reaches():
    stored = APART.store(Enclosure(np.array([1.003]), sigma=1e-5, worst=1e-3))
    assert (stored.probable[0], stored.limit[0]) == (0.0, 0.0078125)


def test_what_passes_the_range_keeps_its_distance_and_may_be_infinite():
    stored = Arithmetic(FLOAT16, FLOAT32).store(bounded(np.array([70000.0, 1.0]), 1.0))
    assert stored.overflow.tolist() == [True, False]
    assert stored.mid.tolist() == [70000.0, 1.0]


def test_a_format_that_is_no_wider_stores_nothing():
    e = bounded(np.array([1.001]), 1e-4)
    assert HALF.store(e) is e
    assert HALF.store(e, FLOAT32).mid.tolist() == [1.0009765625]


def test_bias_in_a_step_of_its_own_rounds_twice():
    # 1 + 3·2⁻⁹ is stored as 1 + 2⁻⁷; with 2⁻⁸·1.1: 1.0121…; once: 1.01015…
    x, w, bias = [1.0, 1.0], [1.0, 3 * 2.0**-9], 1.125 * 2.0**-8
    assert APART.close(product(x, w, bias)).mid[0, 0] == 1 + 2 * 2.0**-7
    assert JOINT.close(product(x, w, bias)).mid[0, 0] == 1 + 2.0**-7
    assert APART.close(product(x, w)).mid[0, 0] == JOINT.close(product(x, w)).mid[0, 0] == 1 + 2.0**-7


def test_small_integers_are_certified_and_larger_ones_rounded_once():
    exact = APART.close(product([1.0, 2.0], [3.0, 4.0], 5.0))
    assert exact.exact
    assert exact.mid[0, 0] == 16.0
    rounded = APART.close(product([100.0, 1.0], [3.0, 1.0]))  # 301 has nine bits
    assert (rounded.exact, rounded.mid[0, 0]) == (True, 300.0)


def test_what_the_accumulator_cannot_hold_is_not_certified():
    fits, passes = ([[1024.0, 1023.0], [1.0, 1.0]], [[1024.0, 1025.0], [1.0, 1.0]])  # 2047 and 2049: 11 and 12 bits
    assert HALF.close(product(*fits)).exact
    assert not HALF.close(product(*passes)).exact
    assert Arithmetic(FLOAT16, FLOAT32).close(product(*passes)).exact


def test_sums_in_sixteen_bits_by_hand():
    # y = 0.75, Q = 0.3125, n = 2: σ² = u²·3·(0.5625/3 + 0.3125/6), u = 2⁻¹¹
    m = Moments(np.array([0.75]), np.array([0.3125]), 2, np.array([0.75]))
    e = HALF.close(m)
    assert e.sigma[0] == pytest.approx(2.0**-11 * np.sqrt(3 * (0.5625 / 3 + 0.3125 / 6)), rel=1e-14)
    assert e.worst[0] == pytest.approx(3 * 2.0**-11 / (1 - 3 * 2.0**-11) * 0.75, rel=1e-12)
    assert float(e.floor) == 3 * 2.0**-25


def test_a_step_between_two_products_is_rounded_as_an_operand():
    even = Arithmetic(operand=Rounding(TF32)).feed(bounded(np.array([1 + 2.0**-11 + 2.0**-20, 1.3]), 2.0**-19))
    assert even.mid[0] == 1 + 2.0**-10
    assert even.limit[0] == 2.0**-10  # the tie is within reach
    assert even.limit[1] == 0.0
    truncated = Arithmetic(operand=Rounding(TF32, TRUNCATED)).feed(bounded(np.array([1 + 2.0**-11]), 2.0**-19))
    assert (truncated.mid[0], truncated.limit[0]) == (1.0, 0.0)
    untouched = bounded(np.array([1.3]), 0.1)
    assert Arithmetic().feed(untouched) is untouched


def test_integers_are_no_operands_to_round():
    assert Rounding(BFLOAT16)(np.array([257])).tolist() == [257]
    assert Rounding(BFLOAT16)(np.array([257.0])).tolist() == [256.0]
    assert Rounding(BFLOAT16, NEAREST_AWAY)(np.array([257.0])).tolist() == [258.0]


def sequential(x, w, dtype):
    total = np.zeros((), dtype)
    for term in x.astype(dtype) * w.astype(dtype):
        total = (total + term).astype(dtype)
    return float(total)


def test_real_float16_sums_stay_inside_and_float32_ones_equal_the_stored_value():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x, w = (rng.normal(size=50).astype(np.float16) for _ in range(2))
        m = product(x, w)
        e = HALF.close(m)
        assert abs(sequential(x, w, np.float16) - e.mid[0, 0]) <= e.probable[0, 0]
        stored = Arithmetic(FLOAT16, FLOAT32).close(m)
        got = float(np.float16(sequential(x.astype(np.float32), w.astype(np.float32), np.float32)))
        assert abs(got - stored.mid[0, 0]) <= stored.probable[0, 0]
