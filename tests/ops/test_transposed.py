"""Conv2DTranspose by hand: where each tap lands, output padding, and what TensorFlow refuses too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from support.one import holds, run

from refconv.errors import UnreadableModel


def transposed(values: Any, taps: Any, **config: Any) -> Any:
    """One row of one channel through a kernel one high."""
    kernel = np.asarray(taps, dtype=np.float32).reshape(1, -1, 1, 1)
    given = {"filters": 1, "kernel_size": list(kernel.shape[:2]), "use_bias": False, **config}
    return run("Conv2DTranspose", given, np.asarray(values, dtype=np.float32).reshape(1, 1, -1, 1), kernel=kernel)


def test_stride_one_turns_the_kernel() -> None:
    """Each element paints the kernel, first tap first."""
    assert transposed([1, 0, 0], [1, 10, 100]).mid.ravel().tolist() == [1, 10, 100, 0, 0]
    assert transposed([1, 2, 3], [1, 10, 100]).mid.ravel().tolist() == [1, 12, 123, 230, 300]


def test_valid_with_strides() -> None:
    assert transposed([1, 2], [1, 10, 100], strides=[1, 2]).mid.ravel().tolist() == [1, 10, 102, 20, 200]
    assert transposed([1, 2], [1], strides=[1, 3]).mid.ravel().tolist() == [1, 0, 0, 2, 0, 0]


def test_same_crops_what_the_convolution_pads() -> None:
    """A convolution of four by three taps and stride 2 pads one zero, after: so here the last value goes."""
    assert transposed([1, 2], [1, 10, 100], strides=[1, 2], padding="same").mid.ravel().tolist() == [1, 10, 102, 20]
    assert transposed([1, 2], [1, 10, 100], padding="same").mid.ravel().tolist() == [12, 120]


def test_output_padding() -> None:
    """SAME with output padding 0 is one shorter, and then both ends are cropped."""
    even = {"strides": [1, 2], "padding": "same"}
    assert transposed([1, 2], [1, 10, 100], output_padding=[0, 0], **even).mid.ravel().tolist() == [10, 102, 20]
    assert transposed([1, 2], [1, 10, 100], output_padding=[0, 1], **even).mid.ravel().tolist() == [1, 10, 102, 20]
    wide = transposed([1, 2], [1, 10, 100], output_padding=[0, 1], strides=[1, 2])
    assert wide.mid.ravel().tolist() == [1, 10, 102, 20, 200, 0]


def test_dilation() -> None:
    assert transposed([1, 2], [1, 10], dilation_rate=2).mid.ravel().tolist() == [1, 2, 10, 20]


def test_kernels_are_output_by_input() -> None:
    kernel = np.array([[1.0, 2], [10, 20], [100, 200]]).reshape(1, 1, 3, 2)
    config = {"filters": 3, "kernel_size": 1, "use_bias": True}
    found = run("Conv2DTranspose", config, np.array([1.0, 3]).reshape(1, 1, 1, 2), kernel=kernel, bias=[0.5, 0, 0])
    assert found.mid.ravel().tolist() == [7.5, 70, 700]


def test_an_output_padding_that_does_not_lead_back() -> None:
    """An even kernel, SAME and output padding 0: the convolution of the result has one position less. Neither runs."""
    config = {"filters": 1, "kernel_size": [1, 2], "strides": [1, 2], "padding": "same", "output_padding": [0, 0]}
    with pytest.raises(UnreadableModel, match=r"output of \(1, 2\).* but the input has \(1, 2\)"):
        transposed([1, 2], [1, 10], **{k: v for k, v in config.items() if k not in ("filters", "kernel_size")})
    with pytest.raises(tf.errors.OpError):  # InvalidArgument, and Aborted where oneDNN runs it
        tf_keras.layers.Conv2DTranspose(**config)(np.ones((1, 1, 2, 1), np.float32))


@pytest.mark.parametrize(
    ("shape", "message"),
    [((1, 1, 1, 3), "takes 3 input channels, but the input has 2"), ((1, 1, 4, 2), r"wants \(1, 1, 1, 2\)")],
)
def test_a_kernel_that_does_not_fit(shape: tuple[int, ...], message: str) -> None:
    config = {"filters": 1, "kernel_size": 1, "use_bias": False}
    with pytest.raises(UnreadableModel, match=message):
        run("Conv2DTranspose", config, np.ones((1, 1, 1, 2)), kernel=np.ones(shape))


def test_a_moved_crop_is_seen() -> None:
    found = transposed([1, 2], [1, 10, 100], strides=[1, 2], padding="same")
    assert holds(found, np.float32([1, 10, 102, 20]).reshape(1, 1, 4, 1))
    assert not holds(found, np.float32([10, 102, 20, 200]).reshape(1, 1, 4, 1))
