"""The examples of Keras's and TensorFlow's documentation, worked by hand: what a window holds, and lengths."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.one import holds, run

from refconv.ops.attributes import build
from refconv.ops.base import fits
from refconv.ops.table import TABLE
from refconv.primitives.geometry import window

FIVE = np.arange(1.0, 6).reshape(1, 5, 1)
NINE = np.arange(1.0, 10).reshape(1, 3, 3, 1)
TWELVE = np.arange(1.0, 13).reshape(1, 3, 4, 1)
PAIRS = np.arange(12.0).reshape(2, 2, 3)  # two samples of two steps

# keras.layers.*, the examples of each docstring: layer, configuration, input, output.
VALUES: list[tuple[str, dict[str, Any], np.ndarray, Any]] = [
    ("MaxPooling1D", {"pool_size": 2, "strides": 1}, FIVE, [[[2], [3], [4], [5]]]),
    ("MaxPooling1D", {"pool_size": 2, "strides": 2}, FIVE, [[[2], [4]]]),
    ("MaxPooling1D", {"pool_size": 2, "strides": 1, "padding": "same"}, FIVE, [[[2], [3], [4], [5], [5]]]),
    ("AveragePooling1D", {"pool_size": 2, "strides": 1}, FIVE, [[[1.5], [2.5], [3.5], [4.5]]]),
    ("AveragePooling1D", {"pool_size": 2, "strides": 2}, FIVE, [[[1.5], [3.5]]]),
    ("AveragePooling1D", {"pool_size": 2, "strides": 1, "padding": "same"}, FIVE,
     [[[1.5], [2.5], [3.5], [4.5], [5]]]),
    ("MaxPooling2D", {"pool_size": [2, 2], "strides": [1, 1]}, NINE, [[[[5], [6]], [[8], [9]]]]),
    ("MaxPooling2D", {"pool_size": [2, 2], "strides": [2, 2]}, TWELVE, [[[[6], [8]]]]),
    ("MaxPooling2D", {"pool_size": [2, 2], "strides": [1, 1], "padding": "same"}, NINE,
     [[[[5], [6], [6]], [[8], [9], [9]], [[8], [9], [9]]]]),
    ("AveragePooling2D", {"pool_size": [2, 2], "strides": [1, 1]}, NINE, [[[[3], [4]], [[6], [7]]]]),
    ("AveragePooling2D", {"pool_size": [2, 2], "strides": [2, 2]}, TWELVE, [[[[3.5], [5.5]]]]),
    ("AveragePooling2D", {"pool_size": [2, 2], "strides": [1, 1], "padding": "same"}, NINE,
     [[[[3], [4], [4.5]], [[6], [7], [7.5]], [[7.5], [8.5], [9]]]]),
    ("ZeroPadding1D", {"padding": 2}, PAIRS,
     [[[0, 0, 0], [0, 0, 0], [0, 1, 2], [3, 4, 5], [0, 0, 0], [0, 0, 0]],
      [[0, 0, 0], [0, 0, 0], [6, 7, 8], [9, 10, 11], [0, 0, 0], [0, 0, 0]]]),
    ("ZeroPadding2D", {"padding": 1}, np.arange(4.0).reshape(1, 1, 2, 2),
     [[[[0, 0], [0, 0], [0, 0], [0, 0]], [[0, 0], [0, 1], [2, 3], [0, 0]], [[0, 0], [0, 0], [0, 0], [0, 0]]]]),
    ("Cropping1D", {"cropping": 1}, np.arange(12.0).reshape(2, 3, 2), [[[2, 3]], [[8, 9]]]),
    ("UpSampling1D", {"size": 2}, PAIRS,
     [[[0, 1, 2], [0, 1, 2], [3, 4, 5], [3, 4, 5]], [[6, 7, 8], [6, 7, 8], [9, 10, 11], [9, 10, 11]]]),
    ("UpSampling2D", {"size": [1, 2]}, PAIRS.reshape(2, 2, 1, 3),
     [[[[0, 1, 2], [0, 1, 2]], [[3, 4, 5], [3, 4, 5]]], [[[6, 7, 8], [6, 7, 8]], [[9, 10, 11], [9, 10, 11]]]]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "config", "x", "expected"), VALUES)
def test_values(name: str, config: dict[str, Any], x: np.ndarray, expected: Any) -> None:
    found = run(name, config, x)
    assert found.mid.tolist() == expected
    assert holds(found, expected) and not holds(found, np.asarray(expected) + 0.01)
    assert np.asarray(getattr(keras.layers, name)(**config)(tf.constant(x, tf.float32))).tolist() == expected


# The same docstrings where they give shapes only. Those of DepthwiseConv1D and SeparableConv1D give their arguments in
# another order than the layers take them; meant is what their shapes say.
SHAPES: list[tuple[str, dict[str, Any], tuple[int, ...], tuple[int, ...]]] = [
    ("Conv1D", {"filters": 32, "kernel_size": 3}, (4, 10, 128), (4, 8, 32)),
    ("Conv2D", {"filters": 32, "kernel_size": 3}, (4, 10, 10, 128), (4, 8, 8, 32)),
    ("Conv3D", {"filters": 32, "kernel_size": 3}, (4, 10, 10, 10, 128), (4, 8, 8, 8, 32)),
    ("Conv1DTranspose", {"filters": 32, "kernel_size": 3, "strides": 2}, (4, 10, 128), (4, 21, 32)),
    ("Conv2DTranspose", {"filters": 32, "kernel_size": 2, "strides": 2}, (4, 10, 8, 128), (4, 20, 16, 32)),
    ("Conv3DTranspose", {"filters": 32, "kernel_size": 2, "strides": 2}, (4, 10, 8, 12, 128), (4, 20, 16, 24, 32)),
    ("DepthwiseConv1D", {"kernel_size": 3, "strides": 2, "depth_multiplier": 3}, (4, 10, 12), (4, 4, 36)),
    ("DepthwiseConv2D", {"kernel_size": 3}, (4, 10, 10, 12), (4, 8, 8, 12)),
    ("SeparableConv1D", {"filters": 4, "kernel_size": 3, "strides": 2}, (4, 10, 12), (4, 4, 4)),
    ("SeparableConv2D", {"filters": 4, "kernel_size": 3, "strides": 2}, (4, 10, 10, 12), (4, 4, 4, 4)),
    ("ZeroPadding3D", {"padding": 2}, (1, 1, 2, 2, 3), (1, 5, 6, 6, 3)),
    ("Cropping2D", {"cropping": [[2, 2], [4, 4]]}, (2, 28, 28, 3), (2, 24, 20, 3)),
    ("Cropping3D", {"cropping": [2, 4, 2]}, (2, 28, 28, 10, 3), (2, 24, 20, 6, 3)),
    ("UpSampling3D", {"size": [2, 2, 2]}, (2, 1, 2, 1, 3), (2, 2, 4, 2, 3)),
    ("GlobalMaxPooling1D", {}, (2, 3, 4), (2, 4)),
    ("GlobalAveragePooling1D", {}, (2, 3, 4), (2, 4)),
    ("GlobalMaxPooling3D", {}, (2, 4, 5, 4, 3), (2, 3)),
    ("GlobalAveragePooling3D", {}, (2, 4, 5, 4, 3), (2, 3)),
    ("AdaptiveAveragePooling1D", {"output_size": 32}, (1, 64, 3), (1, 32, 3)),
    ("AdaptiveMaxPooling1D", {"output_size": 32}, (1, 64, 3), (1, 32, 3)),
]


@pytest.mark.parametrize(("name", "config", "given", "expected"), SHAPES)
def test_shapes(name: str, config: dict[str, Any], given: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """And every output of a sum has as many terms as a window has taps and channels: all ones give their number."""
    attrs = build(TABLE[name].attributes, config, name)
    weights = {}
    for weight, shape in TABLE[name].weights(attrs).items():
        depth = given[-1] * config.get("depth_multiplier", 1) if weight in ("pointwise_kernel", "bias") else given[-1]
        weights[weight] = np.ones([depth if length is None else length for length in shape], np.float32)
        assert fits(shape, weights[weight].shape)
    found = run(name, config, np.ones(given), **weights)
    assert found.mid.shape == expected
    if "Conv" in name and "Transpose" not in name:
        taps = 3 ** (len(given) - 2) * (1 if name.startswith("Depthwise") else given[-1])
        assert np.all(found.mid == taps + 1)


def test_tensorflow_s_notes_on_padding() -> None:
    """Width 13, a window of 6 and strides of 5: VALID leaves out 12 and 13, SAME pads one before and two after."""
    valid, same = (window((13,), (6,), (5,), padding=padding) for padding in ("valid", "same"))
    assert (valid.out, valid.pads) == ((2,), ((0, 0),))
    assert (same.out, same.pads) == ((3,), ((1, 2),))
    x = np.arange(1.0, 14).reshape(1, 13, 1)
    config = {"filters": 1, "kernel_size": 6, "strides": 5, "use_bias": False}
    sums = {p: run("Conv1D", {**config, "padding": p}, x, kernel=np.ones((6, 1, 1))) for p in ("valid", "same")}
    assert sums["valid"].mid.ravel().tolist() == [1 + 2 + 3 + 4 + 5 + 6, 6 + 7 + 8 + 9 + 10 + 11]
    assert sums["same"].mid.ravel().tolist() == [1 + 2 + 3 + 4 + 5, 5 + 6 + 7 + 8 + 9 + 10, 10 + 11 + 12 + 13]


def test_causal_output_does_not_depend_on_what_comes_after() -> None:
    """Conv1D's documentation: output[t] does not depend on input[t + 1:]. Dilated, taps are four apart."""
    config = {"filters": 1, "kernel_size": 2, "padding": "causal", "dilation_rate": 4, "use_bias": False}
    kernel = np.array([10.0, 1]).reshape(2, 1, 1)
    assert run("Conv1D", config, np.arange(1.0, 7).reshape(1, 6, 1), kernel=kernel).mid.ravel().tolist() == [
        1, 2, 3, 4, 15, 26]  # fmt: skip


def test_one_position_across_at_a_stride_of_two() -> None:
    """y = 10·x: the tap of 100 lies on padding. TensorFlow 2.21 with oneDNN gives [10, 0, 30, 0] for it."""
    x = np.arange(1.0, 5).reshape(2, 1, 2, 1, 1)
    kernel = np.array([10.0, 100.0]).reshape(1, 1, 2, 1, 1)
    config = {"filters": 1, "kernel_size": [1, 1, 2], "strides": [1, 1, 2], "padding": "same", "use_bias": False}
    assert run("Conv3D", config, x, kernel=kernel).mid.ravel().tolist() == [10, 20, 30, 40]


def test_one_column_of_several_rows() -> None:
    """y = 10·a + b of a row's first two of three. TensorFlow 2.21 with oneDNN writes the first row alone."""
    x = np.arange(1.0, 7).reshape(1, 2, 3, 1)
    config = {"filters": 1, "kernel_size": [1, 2], "strides": [1, 2], "use_bias": False}
    assert run("Conv2D", config, x, kernel=np.array([10.0, 1]).reshape(1, 2, 1, 1)).mid.ravel().tolist() == [12, 45]


@pytest.mark.parametrize("name", ["AveragePooling3D", "MaxPooling3D"])
def test_steps_beyond_the_window(name: str) -> None:
    """Every third of six, nothing is padded. TensorFlow 2.21 without oneDNN begins one late: [2, 5]."""
    assert window((6,), (1,), (3,), padding="same").pads == ((0, 0),)
    x = np.arange(1.0, 7).reshape(1, 1, 1, 6, 1)
    config = {"pool_size": [1, 1, 1], "strides": [1, 1, 3], "padding": "same"}
    assert run(name, config, x).mid.ravel().tolist() == [1, 4]
