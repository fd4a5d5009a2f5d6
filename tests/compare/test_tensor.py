"""Every verdict of a tensor, reached and not reached."""

import numpy as np
import pytest

from refconv.compare.tensor import compare
from refconv.numerics.enclosure import Enclosure, point
from refconv.result import Verdict


def f32(*values):
    return np.array(values, np.float32)


def test_verdicts():
    enclosure = Enclosure(np.array([1.0, 2.0]), sigma=1e-4, worst=0.1)
    assert compare(enclosure, f32(1, 2)).verdict is Verdict.EXACT
    assert compare(enclosure, f32(1.0005, 2)).verdict is Verdict.WITHIN
    assert compare(enclosure, f32(1.05, 2)).verdict is Verdict.SUSPECT
    assert compare(enclosure, f32(1.5, 2)).verdict is Verdict.MISMATCH


def test_certified_only_where_bit_equality_is_demanded():
    assert compare(point(f32(1, 2)), f32(1, 2)).certified
    assert not compare(Enclosure(np.array([1.0]), worst=1e-9), f32(1)).certified
    assert compare(point(f32(1, 2)), f32(1, np.nextafter(np.float32(2), np.float32(3)))).verdict is Verdict.MISMATCH


def test_the_worst_element_is_named():
    got = f32(1, 2.05, 3)
    worst = compare(Enclosure(np.array([1.0, 2.0, 3.0]), sigma=1e-4, worst=0.1), got).worst
    assert worst.index == (1,)
    assert worst.expected == 2.0
    assert worst.got == pytest.approx(2.05)
    assert worst.allowed == pytest.approx(1e-3)


def test_errors_in_ulps():
    above = np.nextafter(np.float32(1), np.float32(2))
    assert compare(Enclosure(np.array([1.0]), worst=1.0), f32(above)).max_ulp_error == 1.0


def test_a_wrong_shape_is_a_mismatch():
    assert compare(point(np.zeros((1, 2))), np.zeros((2, 1), np.float32)).verdict is Verdict.MISMATCH


def test_an_infinite_error_names_its_element():
    judged = compare(Enclosure(np.array([1.0, 2.0]), sigma=1.0, worst=1.0), f32(1.5, np.nan))
    assert judged.verdict is Verdict.MISMATCH
    assert judged.worst.index == (1,)


def test_one_unexplained_element_among_explained_ones_is_suspect():
    enclosure = Enclosure(np.zeros(3), sigma=1e-6, worst=1.0)
    got = f32(0.1, 0.2, 0.3)

    def explain(index):
        return Enclosure(np.float64(0), sigma=0.025, worst=1.0)  # allows 0.25

    assert compare(enclosure, got, explain).verdict is Verdict.SUSPECT
    assert compare(enclosure, got[:2].repeat([1, 2]), explain).verdict is Verdict.WITHIN


def test_an_empty_tensor_compares():
    assert compare(point(np.zeros((1, 0))), np.zeros((1, 0), np.float32)).verdict is Verdict.EXACT
