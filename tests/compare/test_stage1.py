"""Every guard of stage 1 accepts what it should and rejects what it should."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refconv.compare.stage1 import _carefully, _plainly, deviate
from refconv.numerics.enclosure import Enclosure, bounded, point
from refconv.numerics.formats import BFLOAT16, FLOAT16, FLOAT32

NAN, INF = np.nan, np.inf


def f32(*values):
    return np.array(values, np.float32)


def test_correctly_rounded_is_equal_and_needs_no_bound():
    third = Enclosure(np.array([1 / 3]))
    assert deviate(third, f32(1 / 3)).equal.all()
    assert not deviate(third, f32(1 / 3)).outside.any()
    off = deviate(third, np.nextafter(f32(1 / 3), f32(1)))
    assert off.outside.all()
    assert off.impossible.all()
    assert off.used[0] == INF


def test_inside_and_outside_the_two_radii():
    enclosure = Enclosure(np.array([1.0, 1.0, 1.0]), sigma=1e-3, worst=0.1)
    d = deviate(enclosure, f32(1.005, 1.05, 1.2))
    assert d.outside.tolist() == [False, True, True]
    assert d.impossible.tolist() == [False, False, True]
    assert d.used == pytest.approx([0.5, 5.0, 20.0], rel=1e-4)


@pytest.mark.parametrize(
    ("expected", "got", "accepted"),
    [
        (NAN, NAN, True),
        (NAN, 1.0, False),
        (1.0, NAN, False),
        (INF, INF, True),
        (INF, -INF, False),
        (INF, NAN, False),
        (1.0, INF, False),
        (-INF, 3e38, False),
        (1e39, INF, True),  # beyond float32: the rounded result is infinite
        (0.0, -0.0, True),
    ],
)
def test_nan_and_infinity_are_values(expected, got, accepted):
    d = deviate(Enclosure(np.array([expected]), sigma=1e-6, worst=1e-5), f32(got))
    assert bool(d.impossible[0]) is not accepted
    assert bool(d.outside[0]) is not accepted


def test_overflow_allows_what_is_not_finite_and_nothing_else():
    enclosure = Enclosure(np.array([1.0, 1.0, 1.0]), worst=1e-5, overflow=np.array([True, False, True]))
    assert deviate(enclosure, f32(INF, INF, 2.0)).impossible.tolist() == [False, True, True]


def test_a_subnormal_may_be_flushed_by_an_exact_layer_but_not_changed():
    enclosure = point(f32(1e-40, 1e-40, 1e-30))
    assert deviate(enclosure, f32(0.0, 2e-40, 0.0)).impossible.tolist() == [False, True, True]


def test_integers_compare_as_integers():
    assert deviate(point(np.array([3, 4])), np.array([3, 5])).impossible.tolist() == [False, True]


def test_the_input_arrays_are_left_untouched():
    mid, got = np.array([1.0, NAN]), f32(1.0, NAN)
    deviate(bounded(mid, 1.0), got)
    assert mid[0] == 1.0
    assert np.isnan(mid[1])
    assert np.isnan(got[1])


def test_bfloat16_is_compared_as_what_it_is():
    mid = np.array([1.001, 1.001, np.nan, np.inf])
    got = np.array([1.0, 1.0078125, np.nan, np.inf]).astype(ml_dtypes.bfloat16)
    d = deviate(Enclosure(mid), got, BFLOAT16)
    assert d.equal.tolist() == [True, False, True, True]
    assert d.outside.tolist() == [False, True, False, False]
    assert deviate(Enclosure(mid), got).outside.tolist() == [True, True, False, False]  # float32's 1.001 is not 1


def test_range_and_subnormals_are_those_of_the_storage_format():
    mid = np.array([70000.0, 70000.0, 1e-7, 1e-8])
    got = np.array([INF, INF, 0.0, 0.0], np.float16)
    assert not deviate(Enclosure(mid[:2], worst=1.0), got[:2], FLOAT16).impossible.any()
    assert deviate(Enclosure(mid[:2], worst=1.0), f32(INF, INF)).impossible.tolist() == [True, True]
    assert deviate(Enclosure(mid[2:]), got[2:], FLOAT16).outside.tolist() == [True, False]  # float16 keeps 1e-7


NUMBERS = st.sampled_from([0.0, -0.0, 1.0, 1 + 2.0**-25, 1 + 2.0**-24, -3.5, 1e-39, 2e-38, 3e38, 4e38, np.inf, np.nan])
RADII = st.sampled_from([0.0, 2.0**-26, 1e-7, 1.0, np.inf])


@given(st.lists(st.tuples(NUMBERS, NUMBERS, RADII, RADII), min_size=1, max_size=4), st.booleans())
def test_the_quick_way_gives_the_same(elements, same):
    mid, got, sigma, worst = (np.array(column) for column in zip(*elements, strict=True))
    with np.errstate(all="ignore"):
        got = (mid if same else got).astype(np.float32)
    enclosure = Enclosure(mid, sigma, worst, 1e-38)
    careful, quick = _carefully(enclosure, got, FLOAT32), _plainly(enclosure, got, FLOAT32)
    if quick is None:
        strange = ~np.isfinite(mid) | ~np.isfinite(got) | ((np.abs(mid) < FLOAT32.tiny) & (mid != 0))
        assert strange.any() or not np.isfinite(np.abs(got - mid)).all()
        return
    for name in ("error", "probable", "limit", "equal", "outside", "impossible", "used"):
        np.testing.assert_array_equal(getattr(quick, name), getattr(careful, name), err_msg=name)
