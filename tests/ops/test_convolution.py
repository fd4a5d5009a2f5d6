"""Conv2D by hand: sides of SAME, strides, dilation, groups, layouts, activations, and what is refused."""

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

RNG = np.random.default_rng(7)
ROW = np.array([1.0, 2, 3, 4, 5, 6])


def line(values: Any) -> np.ndarray:
    """One row of one channel: (1, 1, W, 1)."""
    return np.asarray(values, dtype=np.float32).reshape(1, 1, -1, 1)


def taps(*values: float) -> np.ndarray:
    """A kernel one high: (1, k, 1, 1)."""
    return np.asarray(values, dtype=np.float32).reshape(1, -1, 1, 1)


def conv(x: Any, kernel: np.ndarray, bias: Any = None, **config: Any) -> Any:
    given = {"kernel_size": kernel.shape[:2], "filters": kernel.shape[-1], "use_bias": bias is not None, **config}
    weights = {"kernel": kernel} if bias is None else {"kernel": kernel, "bias": np.asarray(bias, dtype=np.float32)}
    return run("Conv2D", {k: list(v) if isinstance(v, tuple) else v for k, v in given.items()}, x, **weights)


def test_it_is_a_correlation() -> None:
    """The kernel is not turned round: the last tap meets the element after."""
    assert conv(line(ROW), taps(1, 10, 100)).mid.ravel().tolist() == [321, 432, 543, 654]


def test_same_with_stride_two_pads_after_first() -> None:
    """Six elements, three taps, stride 2: one zero, after. The other side would give [210, 432, 654]."""
    found = conv(line(ROW), taps(1, 10, 100), padding="same", strides=2)
    assert found.mid.ravel().tolist() == [321, 543, 65]
    assert holds(found, line([321, 543, 65]))
    assert not holds(found, line([210, 432, 654]))


def test_same_with_an_odd_length_pads_both() -> None:
    assert conv(line(ROW[:5]), taps(1, 10, 100), padding="same", strides=2).mid.ravel().tolist() == [210, 432, 54]


def test_even_kernels_pad_after() -> None:
    assert conv(line(ROW[:3]), taps(1, 10), padding="same").mid.ravel().tolist() == [21, 32, 3]


def test_dilation() -> None:
    assert conv(line(ROW), taps(1, 10, 100), dilation_rate=2).mid.ravel().tolist() == [531, 642]


def test_a_kernel_larger_than_the_input_has_no_position() -> None:
    """TRAPS 6: with oneDNN TensorFlow gives zeros of shape (1, 2, 2, 1), without it nothing."""
    assert conv(np.ones((1, 2, 2, 1)), np.ones((3, 3, 1, 1))).mid.shape == (1, 0, 0, 1)


def test_groups_see_their_own_channels() -> None:
    x, kernel = np.array([1.0, 2, 3, 4]).reshape(1, 1, 1, 4), np.array([[1.0, 1, 100, 100], [10, 10, 1000, 1000]])
    found = conv(x, kernel.reshape(1, 1, 2, 4).astype(np.float32), groups=2)
    assert found.mid.ravel().tolist() == [21, 21, 4300, 4300]


def test_layouts_are_the_same_layer() -> None:
    x, kernel = RNG.standard_normal((2, 5, 4, 3)), RNG.standard_normal((3, 2, 3, 5)).astype(np.float32)
    last = conv(x, kernel, np.arange(5), padding="same")
    first = conv(x.transpose(0, 3, 1, 2), kernel, np.arange(5), padding="same", data_format="channels_first")
    assert np.array_equal(first.mid.transpose(0, 2, 3, 1), last.mid)
    assert np.array_equal(first.sigma.transpose(0, 2, 3, 1), last.sigma)
    assert conv(x, kernel, np.arange(5), padding="same", data_format=None).mid.shape == last.mid.shape


def test_bias_then_activation() -> None:
    found = conv(line([1, 2]), taps(1), [-1.5], activation="relu")
    assert found.mid.ravel().tolist() == [0, 0.5]


def test_softmax_runs_along_the_last_axis_of_the_layout() -> None:
    """Keras applies the activation to what the layer returns: in channels_first, along the width."""
    x, kernel = RNG.standard_normal((1, 1, 2, 3)), np.ones((1, 1, 1, 2), np.float32)
    found = conv(x, kernel, data_format="channels_first", activation="softmax")
    assert np.allclose(found.mid.sum(axis=-1), 1)


def test_small_integers_are_certified() -> None:
    assert conv(line(ROW), taps(1, 2, 3), [4.0]).exact
    assert not conv(line(ROW / 3), taps(1, 2, 3), [4.0]).exact


def test_a_changed_weight_is_seen() -> None:
    x, kernel = RNG.standard_normal((1, 8, 8, 4)), RNG.standard_normal((3, 3, 4, 2)).astype(np.float32)
    right = conv(x, kernel)
    assert holds(right, right.mid)
    turned = conv(x, np.ascontiguousarray(kernel[::-1, ::-1]))
    assert not holds(right, turned.mid)
    kernel[1, 1, 2, 0] *= 1.01
    changed = deviate(right, conv(x, kernel).mid.astype(np.float32))
    assert changed.outside[..., 0].any()
    assert not changed.outside[..., 1].any()


def test_an_infinite_input_stays_where_it_is_seen() -> None:
    found = conv(line([1, np.inf, 1, 1, np.nan]), taps(1, 1))
    assert np.array_equal(found.mid.ravel(), [np.inf, np.inf, 2, np.nan], equal_nan=True)


@pytest.mark.parametrize(
    ("kernel", "config", "message"),
    [
        ((3, 3, 2, 4), {}, r"takes 2 input channels, but the input has 3"),
        ((3, 3, 3, 4), {"groups": 2}, r"3 input channels cannot be split into 2 groups"),
        ((3, 3, 1, 4), {"groups": 3}, r"4 filters cannot be split into 3 groups"),
        ((3, 3, 3, 4), {"filters": 5}, r"shape \(3, 3, 3, 4\), its layer wants \(3, 3, 3, 5\)"),
        ((3, 3, 3, 4), {"kernel_size": (3, 2)}, r"wants \(3, 2, 3, 4\)"),
    ],
)
def test_a_kernel_that_does_not_fit(kernel: tuple[int, ...], config: dict[str, Any], message: str) -> None:
    with pytest.raises(UnreadableModel, match=message):
        conv(np.ones((1, 5, 5, 3)), np.ones(kernel, np.float32), **config)


def test_a_bias_that_does_not_fit() -> None:
    with pytest.raises(UnreadableModel, match=r"bias of shape \(3,\) does not fit 1 output channels"):
        conv(line(ROW), taps(1), [1.0, 2, 3])


def test_an_input_of_another_rank() -> None:
    with pytest.raises(UnreadableModel, match="4 dimensions is wanted, this one has 3"):
        conv(np.ones((5, 5, 1)), taps(1))


def test_keras_misplaces_a_bias_as_long_as_the_width() -> None:
    """Keras 3.15 on TensorFlow: `ops.add` takes the (1, F, 1, 1) bias for one along the last axis where sizes agree."""
    config = {"filters": 2, "kernel_size": [1, 1], "data_format": "channels_first"}
    wrong = run_row("Conv2D", config, [np.ones((1, 3, 4, 2), np.float32)], keras=3)
    assert wrong.misplaces_bias
    assert deviate(wrong.enclosures[0], wrong.outputs[0]).impossible.any()
    for width, version in ((5, 3), (2, 2)):
        right = run_row("Conv2D", config, [np.ones((1, 3, 4, width), np.float32)], keras=version)
        assert not right.misplaces_bias
        assert not deviate(right.enclosures[0], right.outputs[0]).outside.any()


def test_flushed_weights_are_allowed() -> None:
    """TRAPS 33: 1e-39 times 1e6 is 0 in TensorFlow's CPU kernels; both answers are right."""
    found = conv(line([1e6, 1]), taps(1e-39))
    assert holds(found, line([0, 0]))
    assert holds(found, line([1e-33, 0]))
    assert not holds(found, line([3e-33, 0]))
    layer = keras.layers.Conv2D(1, 1, use_bias=False)
    layer.build((1, 1, 2, 1))
    layer.set_weights([taps(1e-39)])
    assert holds(found, np.asarray(layer(tf.constant(line([1e6, 1])))))
