"""UpSampling2D and Resizing by hand: half-pixel centres, what float32 decides, and the bound's three parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from support.laws import CONTEXT
from support.one import holds, run

from refconv.compare.stage1 import deviate
from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import Unknown, build
from refconv.ops.interpolation import half_pixel, interpolate, nearest_indices
from refconv.ops.table import TABLE

U = 2.0**-24


def resize(x: Any, target: tuple[int, int], method: str = "bilinear") -> Enclosure:
    config = {"height": target[0], "width": target[1], "interpolation": method}
    return run("Resizing", config, np.asarray(x, dtype=np.float32))


def line(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=np.float32).reshape(1, 1, -1, 1)


def test_nearest_up_sampling_repeats() -> None:
    found = run("UpSampling2D", {"size": [2, 3]}, line([1.0, 2]))
    assert found.mid[0, ..., 0].tolist() == [[1, 1, 1, 2, 2, 2]] * 2
    assert found.exact


def test_bilinear_by_hand() -> None:
    """Twice as long: centres at −¼, ¼, ¾, 1¼; the ends are held."""
    found = run("UpSampling2D", {"size": [1, 2], "interpolation": "bilinear"}, line([0.0, 4]))
    assert found.mid.ravel().tolist() == [0, 1, 3, 4]
    assert resize(line([0, 4, 8]), (1, 2)).mid.ravel().tolist() == [1, 7]
    assert resize(np.float32([[0, 4], [8, 12]]).reshape(1, 2, 2, 1), (1, 1)).mid.item() == 6


def test_corners_are_not_aligned() -> None:
    """The older conventions, without half-pixel centres, are other values."""
    found = resize(line([0, 4]), (1, 4))
    assert holds(found, line([0, 1, 3, 4]))
    assert not holds(found, line([0, 2, 4, 4]))  # TensorFlow 1's
    assert not holds(found, line([0, 4 / 3, 8 / 3, 4]))  # corners aligned


def test_layouts() -> None:
    x = np.random.default_rng(0).standard_normal((1, 3, 4, 2)).astype(np.float32)
    for config in ({"size": 2}, {"size": [3, 2], "interpolation": "bilinear"}):
        last = run("UpSampling2D", config, x)
        first = run("UpSampling2D", {**config, "data_format": "channels_first"}, x.transpose(0, 3, 1, 2))
        assert np.allclose(first.mid.transpose(0, 2, 3, 1), last.mid, rtol=1e-14)


def test_nearest_takes_the_pixel_that_the_centre_falls_into() -> None:
    assert nearest_indices(4, 2).tolist() == [1, 3]
    assert nearest_indices(2, 4).tolist() == [0, 0, 1, 1]
    assert nearest_indices(5, 3).tolist() == [0, 2, 4]


@pytest.mark.parametrize("length", [1, 2, 3, 7, 64, 100])
def test_nearest_where_float32_decides(length: int) -> None:
    """Centres that are integers in exact arithmetic fall where TensorFlow's float32 product falls."""
    x = np.arange(length, dtype=np.float32).reshape(1, length, 1, 1)
    for target in range(1, 130):
        got = tf.image.resize(x, (target, 1), method="nearest").numpy().ravel().astype(int)
        assert nearest_indices(length, target).tolist() == got.tolist()


@given(st.integers(1, 300), st.integers(1, 300))
def test_positions_in_float32_lie_within_the_drift(length: int, target: int) -> None:
    """Computed in float32 in two ways: the scale first, and the product first."""
    grid = half_pixel(length, target, U)
    centres, n, m = np.arange(target, dtype=np.float32) + np.float32(0.5), np.float32(length), np.float32(target)
    exact = (np.arange(target) + 0.5) * length / target - 0.5
    half = np.float32(0.5)
    for position in (centres * (n / m) - half, centres * n / m - half):
        assert np.all(np.abs(position - exact) <= grid.drift + 1e-13 * length)
        assert np.all(np.abs(position.clip(0, length - 1) - grid.lower - grid.weight) <= grid.drift + 1e-13 * length)


def test_a_dyadic_scale_does_not_drift() -> None:
    assert not half_pixel(10, 20, U).drift.any()
    assert not half_pixel(20, 10, U).drift.any()
    assert half_pixel(10, 30, U).drift.any()


def test_the_bound_by_hand() -> None:
    """0 and 4 at t = ¼: 4u·1 for the blend, 2u·4 for the difference; nothing for the position."""
    grid = Enclosure(np.array([[0.0, 4.0]]))
    radius = np.asarray(interpolate(grid, 1, 4, CONTEXT.arithmetic).worst)
    assert np.allclose(radius, [[8 * U, (4 + 8) * U, (12 + 8) * U, (16) * U]], rtol=1e-6)


def test_drift_crosses_to_the_steeper_side() -> None:
    """Five to fifteen: the second centre is pixel 0 itself, flat before it and steep after."""
    x = np.array([[1.0, 1e6, 1e6, 1e6, 1e6]])
    found = interpolate(Enclosure(x), 1, 15, CONTEXT.arithmetic)
    assert found.mid[0, 1] == 1
    assert np.asarray(found.worst)[0, 1] > 1e6 * 3 * 0.5 / 3 * U


def test_the_inputs_radius_is_carried() -> None:
    x = Enclosure(np.array([[0.0, 0.0, 0.0]]), 0.0, np.array([[1.0, 2.0, 8.0]]), 0.5)
    found = interpolate(x, 1, 6, CONTEXT.arithmetic)
    assert np.allclose(found.worst, [[1, 2, 2, 8, 8, 8]])
    assert np.allclose(found.floor, 0.5)


IMAGE = np.random.default_rng(0).standard_normal((1, 11, 13, 3)).astype(np.float32) * 100


def framework(size: tuple[int, int], *, xla: bool) -> np.ndarray:
    return tf.function(lambda v: tf.image.resize(v, size), jit_compile=xla)(IMAGE).numpy()


@pytest.mark.parametrize("size", [(7, 5), (16, 16), (300, 301)])
@pytest.mark.parametrize("xla", [False, True])
def test_kernels_are_inside_and_a_moved_image_is_not(size: tuple[int, int], xla: bool) -> None:
    found, got = resize(IMAGE, size), framework(size, xla=xla)
    assert not deviate(found, got).outside.any()
    assert deviate(found, np.roll(got, 1, axis=1)).outside.mean() > 0.9


def test_xla_takes_the_wrong_pixel_at_a_whole_position() -> None:
    """TRAPS 12: column 34 of 13 → 299 is pixel 1 itself; XLA's index rounds up to 1, its weight to that of 0.999…

    What it returns is pixel 2, a mismatch. Eager mode is right.
    """
    found, column = resize(IMAGE, (299, 299)), (0, slice(None), 34)
    assert half_pixel(13, 299, U).lower[34] + half_pixel(13, 299, U).weight[34] == 1
    assert not deviate(found, framework((299, 299), xla=False)).outside.any()
    wrong = framework((299, 299), xla=True)
    assert deviate(found, wrong).impossible[column].all()
    assert np.allclose(wrong[0, 0, 34], IMAGE[0, 0, 2])


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("UpSampling2D", {"interpolation": "mitchell"}),
        ("Resizing", {"height": 2, "width": 2, "interpolation": 3}),
        ("Resizing", {"height": 2, "width": 2, "fill_mode": "reflect"}),
    ],
)
def test_what_has_no_reference(name: str, config: dict[str, Any]) -> None:
    field = list(config)[-1]
    with pytest.raises(Unknown, match=f"{field} = .* has no reference"):
        build(TABLE[name].attributes, config, "x")


def test_defaults_are_read() -> None:
    written = {"height": 2, "width": 3, "crop_to_aspect_ratio": False, "pad_to_aspect_ratio": False,
               "fill_mode": "constant", "fill_value": 0.0, "antialias": False, "data_format": None}  # fmt: skip
    assert build(TABLE["Resizing"].attributes, written, "x").interpolation == "bilinear"


def test_integers_are_rounded_by_keras_3_alone() -> None:
    """A tie may fall either way; what overshoots is held inside the type."""
    x = np.array([0, 255], dtype=np.uint8).reshape(1, 1, 2, 1)
    assert run("Resizing", {"height": 1, "width": 1, "interpolation": "nearest"}, x).mid.tolist() == [[[[255]]]]
    half = run("Resizing", {"height": 1, "width": 1}, x)
    assert half.mid.item() == 128 and half.mid.dtype == np.uint8 and np.asarray(half.worst).item() == 1
    assert run("Resizing", {"height": 1, "width": 1, "whole": False}, x).mid.item() == 127.5
    assert run("UpSampling2D", {"size": [1, 2], "interpolation": "bilinear"}, x).mid.ravel()[1] == 63.75
    cubic = run("Resizing", {"height": 1, "width": 5, "interpolation": "bicubic"}, np.repeat(x, 2, axis=2))
    assert cubic.mid.ravel()[[0, -1]].tolist() == [0, 255]


def test_cut_and_filled_to_the_aspect_ratio_by_hand() -> None:
    """2×5 to a square: the middle 2×2, or 1 line of the fill value above and below (an odd one is left out)."""
    x = np.arange(10, dtype=np.float32).reshape(1, 2, 5, 1)
    square = {"height": 2, "width": 2, "interpolation": "nearest"}
    assert run("Resizing", {**square, "crop_to_aspect_ratio": True}, x).mid.ravel().tolist() == [1, 2, 6, 7]
    filled = {"height": 4, "width": 4, "pad_to_aspect_ratio": True, "fill_value": 9.0, "interpolation": "nearest"}
    found = run("Resizing", filled, x).mid[0, ..., 0]
    assert found.tolist() == [[9, 9, 9, 9], [0, 1, 3, 4], [5, 6, 8, 9], [9, 9, 9, 9]]


def test_the_middle_of_an_image() -> None:
    x = np.arange(12, dtype=np.float32).reshape(1, 3, 4, 1)
    found = run("CenterCrop", {"height": 2, "width": 1}, x)
    assert found.mid.ravel().tolist() == [1, 5] and found.exact
    first = run("CenterCrop", {"height": 2, "width": 1, "data_format": "channels_first"}, x.transpose(0, 3, 1, 2))
    assert first.mid.ravel().tolist() == [1, 5]
    assert run("CenterCrop", {"height": 6, "width": 6}, x).mid.shape == (1, 6, 6, 1)
