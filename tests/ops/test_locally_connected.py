"""LocallyConnected1D and 2D by hand: three ways to store a kernel, a SAME of its own, a bias in another order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from support.laws import run_row
from support.one import holds, run

from refconv.compare.stage1 import deviate
from refconv.errors import UnreadableModel
from refconv.ops.attributes import build
from refconv.ops.locally_connected import used
from refconv.ops.table import TABLE

FIVE = np.array([1.0, 2, 3, 4, 5]).reshape(1, 5, 1)


def local(x: Any, kernel: Any, **config: Any) -> Any:
    held = {"kernel": np.asarray(kernel, np.float32)}
    bias = config.pop("bias", None)
    held |= {} if bias is None else {"bias": np.asarray(bias, np.float32)}
    given = {"filters": 1, "kernel_size": 2, "use_bias": bias is not None, **config}
    return run("LocallyConnected1D", given, x, **held)


def test_every_position_has_its_own_kernel() -> None:
    """(1, 10), (1, 100), (1, 0), (0, 1) over neighbours."""
    kernel = np.array([[1, 10], [1, 100], [1, 0], [0, 1]])[..., None]
    found = local(FIVE, kernel, bias=[[0], [0], [0.5], [-9]], activation="relu")
    assert found.mid.ravel().tolist() == [21, 302, 3.5, 0]
    assert found.exact
    assert holds(found, np.array([21, 302, 3.5, 0]).reshape(1, 4, 1))
    assert not holds(found, np.array([21, 203, 3.5, 0]).reshape(1, 4, 1))


def test_same_begins_half_a_window_before() -> None:
    """A kernel of two begins one before, where a convolution's SAME pads after; one of three in steps of two at −1."""
    matrix = np.zeros((5, 1, 5, 1))
    matrix[range(5), 0, range(5)] = 1  # the second tap
    matrix[range(4), 0, range(1, 5)] = 10  # the first, and for the first position it lies on padding
    found = local(FIVE, matrix, padding="same", implementation=2)
    assert found.mid.ravel().tolist() == [1, 12, 23, 34, 45]
    ones = np.ones(2 + 3 + 2)
    assert local(FIVE, ones, kernel_size=3, strides=2, padding="same", implementation=3).mid.ravel().tolist() == [
        3,
        9,
        9,
    ]


def test_unused_weights_of_the_matrix_change_nothing() -> None:
    matrix = np.arange(20.0).reshape(5, 1, 4, 1)
    found = local(FIVE, matrix, implementation=2)
    matrix[4, 0, 0] = 1e30
    assert np.array_equal(local(FIVE, matrix, implementation=2).mid, found.mid)
    matrix[1, 0, 0] += 1
    assert (local(FIVE, matrix, implementation=2).mid - found.mid).ravel().tolist() == [2, 0, 0, 0]


def test_a_row_is_sorted_by_output_and_then_by_input() -> None:
    """Two filters, two channels, two windows of one: filters outside the channels within a position."""
    x = np.array([[1.0, 2], [3, 4]])[None]
    config = {"filters": 2, "kernel_size": 1, "implementation": 3}
    row = [1, 10, 100, 1000, 1, 10, 100, 1000]
    assert local(x, row, **config).mid.tolist() == [[[21, 2100], [43, 4300]]]
    first = {**config, "data_format": "channels_first"}
    # one filter's positions, then the other's; the channels of a position are (1, 2) and (3, 4)
    found = local(x.transpose(0, 2, 1), [1, 10, 1, 10, 100, 1000, 100, 1000], **first)
    assert found.mid.tolist() == [[[21, 43], [2100, 4300]]]


def test_the_bias_of_channels_first_is_not_transposed() -> None:
    """tf-keras reshapes (*out, filters) to (filters, *out): filter 0 has the first two numbers."""
    config = {"filters": 2, "kernel_size": 1, "data_format": "channels_first"}
    found = local(np.zeros((1, 1, 2)), np.ones((2, 1, 2)), bias=[[1, 2], [3, 4]], **config)
    assert found.mid.tolist() == [[[1, 2], [3, 4]]]
    layer = tf_keras.layers.LocallyConnected1D(**config)
    layer.build((1, 1, 2))
    layer.set_weights([np.ones((2, 1, 2)), np.array([[1.0, 2], [3, 4]])])
    assert np.asarray(layer(np.zeros((1, 1, 2), np.float32))).tolist() == found.mid.tolist()


@pytest.mark.parametrize(
    ("implementation", "kernel", "wanted"),
    [(1, (4, 3, 1), r"\(4, 2, 1\)"), (2, (5, 1, 5, 1), r"\(5, 1, 4, 1\)"), (3, (7,), r"\(8,\)")],
)
def test_a_kernel_that_does_not_fit(implementation: int, kernel: tuple[int, ...], wanted: str) -> None:
    with pytest.raises(UnreadableModel, match=f"an input of .5, 1. want {wanted}"):
        local(FIVE, np.ones(kernel), implementation=implementation)


@pytest.mark.parametrize("implementation", [1, 2, 3])
def test_an_input_without_positions(implementation: int) -> None:
    with pytest.raises(UnreadableModel, match=r"an input of \(1, 1\) has no position for a window of \(2,\)"):
        local(FIVE[:, :1], np.ones((0, 2, 1)), implementation=implementation)


def test_a_bias_that_does_not_fit() -> None:
    with pytest.raises(UnreadableModel, match=r"bias has shape \(3, 1\), its layer and input want \(4, 1\)"):
        local(FIVE, np.ones((4, 2, 1)), bias=np.zeros((3, 1)))


def test_padding_as_a_convolution_is_seen() -> None:
    config = {"filters": 3, "kernel_size": [2, 3], "padding": "same", "implementation": 2, "use_bias": False}
    x = np.random.default_rng(3).standard_normal((2, 6, 7, 2)).astype(np.float32)
    right = run_row("LocallyConnected2D", config, [x], keras=2)
    assert not deviate(right.enclosures[0], right.outputs[0]).outside.any()
    later = np.asarray(right.layer(tf.constant(np.roll(x, -1, axis=1))))
    assert deviate(right.enclosures[0], later).impossible.any()


def test_which_weights_are_used() -> None:
    """Of the matrix those on two diagonals; of the other forms all."""
    attrs = build(TABLE["LocallyConnected1D"].attributes, {"filters": 1, "kernel_size": 2, "implementation": 2}, "x")
    found = used(attrs, np.zeros((5, 1, 4, 1)), (5, 1))[:, 0, :, 0]
    assert np.array_equal(found, np.eye(5, 4, dtype=bool) | np.eye(5, 4, -1, dtype=bool))
    assert used(replace(attrs, implementation=1), np.zeros((4, 2, 1)), (5, 1)).all()
    assert used(replace(attrs, implementation=3), np.zeros(8), (5, 1)).all()
