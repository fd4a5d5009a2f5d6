"""The meaning of keras.applications.imagenet_utils.preprocess_input, worked out by hand and beside Keras itself."""

import numpy as np
import pytest

from refconv.errors import BadInput
from refconv.inputs.preprocess import preprocess

PIXEL = np.array([[[[255.0, 0.0, 51.0]]]], np.float32)  # red 255, green 0, blue 51


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("none", [255.0, 0.0, 51.0]),
        ("unit", [1.0, 0.0, 0.2]),
        ("tf", [1.0, -1.0, -0.6]),
        ("caffe", [-52.939, -116.779, 131.32]),  # blue 51 - 103.939, green 0 - 116.779, red 255 - 123.68
        ("torch", [2.2489083, -2.0357143, -0.9155556]),  # (1-.485)/.229, (0-.456)/.224, (.2-.406)/.225
    ],
)
def test_one_pixel_by_hand(mode, wanted):
    got = preprocess(PIXEL, mode)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got[0, 0, 0], wanted, rtol=3e-7, atol=1e-7)


@pytest.mark.parametrize("mode", ["caffe", "torch", "tf", "unit"])
def test_channels_first_is_the_same_picture(mode):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3)).astype(np.float32)
    first = preprocess(np.moveaxis(pixels, -1, 1), mode, channel_axis=1)
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), preprocess(pixels, mode))


@pytest.mark.parametrize("mode", ["caffe", "torch", "tf"])
def test_keras_agrees_bit_for_bit(mode):
    keras_utils = pytest.importorskip("keras").applications.imagenet_utils
    pixels = np.random.default_rng(1).integers(0, 256, (2, 4, 5, 3)).astype(np.float32)
    theirs = keras_utils.preprocess_input(pixels.copy(), data_format="channels_last", mode=mode)
    np.testing.assert_array_equal(preprocess(pixels, mode), theirs)


def test_the_pixels_are_left_as_they_were():
    pixels = PIXEL.copy()
    preprocess(pixels, "caffe")
    np.testing.assert_array_equal(pixels, PIXEL)


@pytest.mark.parametrize("mode", ["caffe", "torch"])
def test_colour_statistics_want_three_channels(mode):
    with pytest.raises(BadInput, match=f"{mode} wants three channels"):
        preprocess(np.zeros((1, 2, 2, 1)), mode)


def test_an_unknown_mode_lists_the_known_ones():
    with pytest.raises(BadInput, match=r"no preprocessing 'imagenet' \(none, unit, caffe, tf, torch\)"):
        preprocess(PIXEL, "imagenet")
