"""Filters, the cubic's table and areas by hand; TensorFlow's kernels inside, and what others would compute outside."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, pi, sin
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from support.laws import CONTEXT
from support.one import holds, run

from refconv.compare.stage1 import deviate
from refconv.numerics.enclosure import Enclosure, point
from refconv.ops import taps as module
from refconv.ops.filters import BEND, FILTERS, GAUSSIAN, NEAR, TRIANGLE, horner
from refconv.ops.resampling import resample
from refconv.ops.taps import taps

U = 2.0**-24
METHODS = (*FILTERS, "area")


def line(values: Any, target: int, method: str, **how: Any) -> Enclosure:
    """One row of pixels, resized along itself."""
    x = np.asarray(values, dtype=np.float32).reshape(1, 1, -1, 1)
    return run("Resizing", {"height": 1, "width": target, "interpolation": method, **how}, x)


def values(e: Enclosure) -> list[float]:
    return e.mid.ravel().tolist()


def test_cubic_by_hand() -> None:
    """Twice as long: w(¾) = 29/128 and w(¼) = 111/128 of pixel 2; then pixel 4 is missing, and 131/128 are left."""
    found = line([0, 0, 64, 0], 8, "bicubic")
    assert values(found)[3:6] == pytest.approx([14.5, 55.5, 64 * 111 / 131], rel=1e-14)
    assert not holds(found, np.float32(values(found)).reshape(found.mid.shape) * np.float32(1 + 1e-5))


def test_cubics_that_it_is_not() -> None:
    """a = −¾ as in PyTorch and in TensorFlow 1, and an edge that is repeated instead of left out."""
    found = values(line([0, 0, 64, 0], 8, "bicubic"))
    assert pytest.approx(found[3] / 64) != ((-0.75 + 2) * 0.75 - (-0.75 + 3)) * 0.75**2 + 1
    repeated = (np.array([-9, 111, 29, -3]) / 128) @ np.float64([0, 64, 0, 0])
    assert repeated == 55.5 and abs(repeated - found[5]) > 1


def test_the_cubics_table_has_1024_steps() -> None:
    """Three times as long: output 6 lies 682⅔ steps behind pixel 1; 683 are taken, which moves its weight by 10⁻⁴."""
    taken, exact = ((1.5 * t - 2.5) * t * t + 1 for t in (683 / 1024, 2 / 3))
    assert values(line([0, 1, 0, 0, 0, 0], 18, "bicubic"))[6] == pytest.approx(taken, rel=1e-12)
    assert abs(taken - exact) > 1000 * U


def test_area_by_hand() -> None:
    """TensorFlow's own example, four to three: ¾ of a pixel's first and third, and so on."""
    assert values(line([3, 6, 9, 12], 3, "area")) == pytest.approx([3.75, 7.5, 11.25], rel=1e-14)
    assert values(line([3, 5], 4, "area")) == [3, 3, 5, 5]
    assert values(line([3, 5], 3, "area")) == pytest.approx([3, 4, 5])


def test_antialiased_triangle_by_hand() -> None:
    """Four to two: twice as wide, ¾, ¾ and ¼ of three pixels, which add up to 7/4."""
    assert values(line([7, 14, 21, 28], 2, "bilinear", antialias=True)) == pytest.approx([12, 23], rel=1e-14)
    assert values(line([7, 14, 21, 28], 2, "bilinear")) == [10.5, 24.5]
    assert values(line([1, 3], 4, "bilinear", antialias=True)) == pytest.approx([1, 1.5, 2.5, 3])


def test_mitchell_and_gauss_blur_even_at_the_same_size() -> None:
    """w(0) = 8/9 and w(1) = 1/18, of which 17/18 are left at an end; w(1) = e⁻² and w(1½) = 0."""
    assert values(line([0, 18, 0], 3, "mitchellcubic")) == pytest.approx([18 / 17, 16, 18 / 17])
    assert values(line([0, 1, 0], 3, "gaussian"))[1] == pytest.approx(1 / (1 + 2 * exp(-2)))
    assert values(line([1, 2, 3, 4, 5], 5, "lanczos3")) == pytest.approx([1, 2, 3, 4, 5])


@pytest.mark.parametrize("a", [3, 5])
def test_lanczos_by_hand(a: int) -> None:
    """Twice as long, far from the ends: a·sin(πx)·sin(πx/a)/(πx)² at ¼, ¾, 1¼ …, divided by their sum."""
    weights = {x: a * sin(pi * x) * sin(pi * x / a) / (pi * x) ** 2 for x in np.arange(-a + 0.25, a)}
    found = values(line(np.eye(1, 20, 10), 40, f"lanczos{a}"))
    assert found[20] == pytest.approx(weights[0.25] / sum(weights.values()))
    assert found[19] == pytest.approx(weights[-0.75] / sum(weights.values()))


def test_horner_by_hand() -> None:
    """2x + 1 at 3: the coefficients 2u·3 and u, the product 6u, the sum 7u: 20u in all."""
    value, error = horner((2.0, 1.0), np.array([3.0]), U)
    assert value == 7 and error == 20 * U


@pytest.mark.parametrize("method", FILTERS)
def test_filters_bend_no_more_than_stated(method: str) -> None:
    """Second differences, but across a jump or the triangle's edges."""
    f = FILTERS[method]
    x = np.linspace(NEAR * 1.1, f.radius * (1 - 1e-9), 20_001)
    w = f.weigh(x, U)[0]
    assert np.max(np.abs(np.diff(w, 2))) / (x[1] - x[0]) ** 2 <= BEND * 1.01


def test_what_a_drift_may_move() -> None:
    """Along a slope by the slope times it; over the edge of the Gauss curve by e⁻⁴·⁵; nothing without one."""
    at, drift = np.array([0.5]), np.array([1e-5])
    assert TRIANGLE.near(at, drift, 0.0)[1] == pytest.approx(1e-5, rel=1e-4)
    assert TRIANGLE.near(at, 0 * drift, 0.0)[1] == 0
    assert GAUSSIAN.near(at + 1.0, drift, 0.0)[0] == 0
    assert GAUSSIAN.near(at + 1.0, drift, 0.0)[1] == pytest.approx(exp(-4.5), rel=1e-3)
    assert GAUSSIAN.near(at + 1.0, 0 * drift, 0.0)[1] == 0


@given(st.sampled_from(METHODS), st.integers(1, 60), st.integers(1, 60), st.booleans())
def test_weights_add_up_to_one(method: str, length: int, target: int, antialias: bool) -> None:
    found = taps(method, length, target, antialias=antialias, u=U)
    assert np.allclose(found.weights.sum(axis=1), 1, rtol=1e-12)
    assert np.all(found.taken | (found.weights == 0)) and np.all(found.spread >= 0)


def test_a_flat_line_only_rounds() -> None:
    """Weights that err, but still add up to one, move nothing where all pixels are the same."""
    for method in FILTERS:
        weights = taps(method, 10, 23, antialias=True, u=U)
        found = resample(point(np.full((1, 10), 5.0, dtype=np.float32)), 1, weights, CONTEXT.arithmetic)
        assert np.all(np.asarray(found.worst) < 5 * 50 * U)
        assert weights.spread.any()


def test_radii_and_what_is_not_finite_are_carried() -> None:
    weights = taps("area", 4, 2, antialias=False, u=U)
    x = Enclosure(np.array([[1.0, 1.0, 1.0, np.inf]]), 0.0, np.array([[1.0, 3.0, 0.0, 0.0]]))
    found = resample(x, 1, weights, CONTEXT.arithmetic)
    assert np.asarray(found.worst)[0, 0] == pytest.approx(2, rel=1e-5)
    assert np.asarray(found.worst)[0, 1] == np.inf and np.asarray(found.overflow).tolist() == [[False, True]]


IMAGE = np.random.default_rng(0).standard_normal((1, 11, 13, 3)).astype(np.float32) * 100


def enclosure(method: str, size: tuple[int, int], antialias: bool) -> Enclosure:
    config = {"height": size[0], "width": size[1], "interpolation": method, "antialias": antialias}
    return run("Resizing", config, IMAGE)


def framework(method: str, size: tuple[int, int], antialias: bool, x: np.ndarray = IMAGE) -> np.ndarray:
    return tf.image.resize(x, size, method=method, antialias=antialias).numpy()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [(7, 5), (16, 16), (11, 13), (90, 31)])
@pytest.mark.parametrize("antialias", [False, True])
def test_kernels_are_inside(method: str, size: tuple[int, int], antialias: bool) -> None:
    got = framework(method, size, antialias)
    assert not deviate(enclosure(method, size, antialias), got).outside.any()


FAULTS: dict[str, Callable[[str], np.ndarray]] = {
    "moved by a line": lambda method: np.roll(framework(method, (7, 9), True), 1, axis=1),
    "not antialiased": lambda method: framework(method, (7, 9), False),
    "corners cut": lambda method: framework(method, (7, 9), True, IMAGE[:, :-1]),
    "one part in 10,000": lambda method: framework(method, (7, 9), True) * np.float32(1.0001),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", METHODS)
def test_faults_are_outside(fault: str, method: str) -> None:
    if (fault, method) == ("not antialiased", "area"):
        pytest.skip("the same")
    assert deviate(enclosure(method, (7, 9), True), FAULTS[fault](method)).outside.mean() > 0.6


def test_the_cubic_without_its_table_is_outside() -> None:
    """Which is what antialiasing computes at a larger size: TensorFlow has two bicubics, apart by 10⁻³ of a pixel."""
    plain, exact = (framework("bicubic", (29, 31), antialias) for antialias in (False, True))
    assert deviate(enclosure("bicubic", (29, 31), False), exact).outside.mean() > 0.5
    assert deviate(enclosure("bicubic", (29, 31), True), plain).outside.mean() > 0.5


def test_where_the_table_is_in_doubt_both_entries_are_allowed() -> None:
    """Exact ties do not drift, and go to the even entry."""
    assert taps("bicubic", 3, 6144, antialias=False, u=U).spread.max() < 2 * U
    doubtful = module.tabled(5, 7, 1e-4)
    assert doubtful.spread.max() > 1e-4
