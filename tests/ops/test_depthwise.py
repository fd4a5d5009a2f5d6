"""DepthwiseConv2D and SeparableConv2D by hand, and where strides meet dilation."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.laws import run_row
from support.one import holds, run

from refconv.compare.stage1 import deviate
from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure
from refconv.ops.carry import carry

RNG = np.random.default_rng(8)


def test_every_channel_has_its_own_filters() -> None:
    """Channel c's filters come out at c·M … c·M + M − 1."""
    kernel = np.array([[1.0, 10], [100, 1000]]).reshape(1, 1, 2, 2)
    found = run("DepthwiseConv2D", {"kernel_size": 1, "depth_multiplier": 2, "use_bias": False},
                np.array([2.0, 3]).reshape(1, 1, 1, 2), kernel=kernel)  # fmt: skip
    assert found.mid.ravel().tolist() == [2, 20, 300, 3000]


def strided_and_dilated(padding: str) -> dict[str, Any]:
    return {"kernel_size": 3, "strides": 2, "dilation_rate": 2, "padding": padding, "use_bias": False}


def test_strides_and_dilation_together() -> None:
    """TRAPS 7. Nine ones, dilated by 2, over 0 … 48 as 7×7, every second position; `tf.nn` computes something else."""
    x, kernel = np.arange(49.0, dtype=np.float32).reshape(1, 7, 7, 1), np.ones((3, 3, 1, 1), np.float32)
    valid = run("DepthwiseConv2D", strided_and_dilated("valid"), x, kernel=kernel)
    assert valid.mid[0, ..., 0].tolist() == [[144, 162], [270, 288]]
    same = run("DepthwiseConv2D", strided_and_dilated("same"), x, kernel=kernel)
    assert same.mid[0, 0, :, 0].tolist() == [32, 54, 66, 48]
    for padding, found in (("valid", valid), ("same", same)):
        layer = keras.layers.DepthwiseConv2D(depthwise_initializer="ones", **strided_and_dilated(padding))
        assert holds(found, np.asarray(layer(tf.constant(x))))
    with pytest.warns(UserWarning, match="dilation rate"):
        wrong = tf.nn.depthwise_conv2d(x, kernel, (1, 2, 2, 1), "VALID", dilations=(2, 2)).numpy()
    assert wrong.shape != valid.mid.shape


def test_a_kernel_of_other_channels() -> None:
    config = {"kernel_size": 1, "use_bias": False}
    with pytest.raises(UnreadableModel, match="takes 2 input channels, but the input has 3"):
        run("DepthwiseConv2D", config, np.ones((1, 2, 2, 3)), kernel=np.ones((1, 1, 2, 1)))


SEPARABLE = {"filters": 2, "kernel_size": [1, 2], "use_bias": True}


def test_separable_by_hand() -> None:
    """(1·1 + 2·10) = 21 and (3·1 + 4·10) = 43 from two channels, then both filters over them."""
    x = np.array([[1.0, 3], [2, 4]]).reshape(1, 1, 2, 2)
    found = run(
        "SeparableConv2D",
        SEPARABLE,
        x,
        depthwise_kernel=np.array([1.0, 1, 10, 10]).reshape(1, 2, 2, 1),
        pointwise_kernel=np.array([[1.0, 100], [2, -1]]).reshape(1, 1, 2, 2),
        bias=[0.5, 0.0],
    )
    assert found.mid.ravel().tolist() == [21 + 86 + 0.5, 2100 - 43]
    assert found.exact


def test_separable_carries_the_first_steps_error() -> None:
    """The second step's own bound is too small where its input cancels: errors of 1e4 remain beside a sum near 1."""
    x = np.array([1e4 / 3, 1e4 / 7]).reshape(1, 1, 1, 2).astype(np.float32)
    depthwise = np.array([0.1, 0.7 / 3]).reshape(1, 1, 2, 1).astype(np.float32)
    middle = (x.astype(float) * depthwise[..., 0]).ravel()
    pointwise = np.array([1.0, -middle[0] / middle[1]]).reshape(1, 1, 2, 1).astype(np.float32)
    config = {"filters": 1, "kernel_size": 1, "use_bias": False}
    found = run("SeparableConv2D", config, x, depthwise_kernel=depthwise, pointwise_kernel=pointwise)
    run_in_float32 = np.float32(x * depthwise[..., 0]).ravel() @ pointwise.ravel()
    assert holds(found, run_in_float32.reshape(1, 1, 1, 1))
    assert float(found.limit.item()) >= np.abs(middle) @ np.abs(pointwise.ravel()) * 2.0**-24


def test_separable_of_inexact_middle_is_not_certified() -> None:
    """Its products lie on a grid only as long as the first step rounds nothing."""
    config = {"filters": 1, "kernel_size": 1, "use_bias": False}
    kernels = {"depthwise_kernel": np.full((1, 1, 2, 1), 1 + 2.0**-20), "pointwise_kernel": np.ones((1, 1, 2, 1))}
    assert not run("SeparableConv2D", config, np.full((1, 1, 1, 2), 1 + 2.0**-20), **kernels).exact


def test_separable_kernels_that_do_not_fit() -> None:
    right = {"depthwise_kernel": np.ones((1, 2, 2, 1)), "pointwise_kernel": np.ones((1, 1, 2, 2)), "bias": np.zeros(2)}
    x = np.ones((1, 1, 2, 2))
    run("SeparableConv2D", SEPARABLE, x, **right)
    for name, shape, message in (
        ("depthwise_kernel", (1, 2, 3, 1), "depthwise_kernel .* takes 3 input channels, but the input has 2"),
        ("pointwise_kernel", (1, 1, 3, 2), "pointwise_kernel .* takes 3 input channels, but the input has 2"),
        ("pointwise_kernel", (1, 1, 2, 3), "does not have 2 filters"),
        ("bias", (3,), r"bias of shape \(3,\) does not fit 2"),
    ):
        with pytest.raises(UnreadableModel, match=message):
            run("SeparableConv2D", SEPARABLE, x, **{**right, name: np.ones(shape)})


def test_a_large_separable_layer_uses_little_of_its_bound() -> None:
    config = {"filters": 16, "kernel_size": [7, 7], "padding": "same", "activation": "relu"}
    found = run_row("SeparableConv2D", config, [RNG.standard_normal((1, 12, 12, 32)).astype(np.float32)], keras=3)
    deviation = deviate(found.enclosures[0], found.outputs[0])
    assert not deviation.outside.any()
    assert deviation.used.max() < 0.5


def test_carry_by_hand() -> None:
    """Through y = 3a − 4b: σ² = 0.5² + (3·1 + 4·2)², worst and floor likewise by sums, grown by the step's own γ."""
    weights = np.array([[3.0], [4.0]])
    middle = Enclosure(np.zeros((1, 2)), np.array([[1.0, 2]]), np.array([[10.0, 20]]), 0.25)
    found = carry(Enclosure(np.zeros((1, 1)), 0.5, 5.0), middle, lambda v: v @ weights, growth=0.5)
    assert np.isclose(found.sigma.item(), np.hypot(0.5, 11))
    assert found.worst.item() == 5 + 1.5 * 110
    assert found.floor.item() == 1.5 * 1.75


def test_carry_of_nothing_and_of_too_much() -> None:
    own, weights = Enclosure(np.zeros((1, 1)), 0.5, 5.0), np.array([[0.0], [1.0]])
    assert carry(own, Enclosure(np.zeros((1, 2))), lambda v: v @ weights) is own
    unbounded = Enclosure(np.zeros((1, 2)), 0.5, np.inf, overflow=np.array([[True, False]]))
    found = carry(own, unbounded, lambda v: v @ weights)
    assert np.all(np.isinf(found.worst))
    assert not np.any(found.overflow)
    assert np.all(carry(own, unbounded, lambda v: v @ weights[::-1]).overflow)
