"""A case: what it expects, what it accepts, and how it tells what is wrong."""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
import pytest
import qkeras
import tf_keras
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import refconv.testing.strategies as drawn
from refconv.result import Verdict
from refconv.testing.strategies import (
    ConvolutionCase,
    DenseCase,
    DepthwiseCase,
    Mismatch,
    PoolCase,
    QuantizerCase,
    QuantizerSpec,
    conv1d_cases,
    conv2d_cases,
    conv3d_cases,
    dense_cases,
    depthwise_cases,
    pool_cases,
    quantizer_cases,
)

PAIR = ConvolutionCase(x=[[[[1], [2]]]], kernel=[[[[10]], [[1]]]], padding="same")  # 1×2, SAME: 10·1 + 2, 10·2 + 0
EVERY = [
    *(conv1d_cases(), conv2d_cases(data_formats=("channels_last", "channels_first")), conv3d_cases(max_side=3)),
    *(depthwise_cases(1), depthwise_cases(2), pool_cases(1), pool_cases(2), dense_cases(), quantizer_cases()),
    conv2d_cases(dtypes=("float16", "bfloat16")),
]
some = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])


def test_the_reference_by_hand() -> None:
    assert PAIR.expected().mid.ravel().tolist() == [12, 20]
    assert PAIR.replace(bias=[0.5]).expected().mid.ravel().tolist() == [12.5, 20.5]
    assert PAIR.replace(activation="relu", bias=[-15]).expected().mid.ravel().tolist() == [0, 5]
    grouped = ConvolutionCase(x=[[[1, 2, 3, 4]]], kernel=[[[1, 10], [1, 10]]], groups=2)
    assert grouped.expected().mid.ravel().tolist() == [3, 70]
    depthwise = DepthwiseCase(x=[[[[1, 2]]]], kernel=[[[[3, 4], [5, 6]]]])
    assert depthwise.expected().mid.ravel().tolist() == [3, 4, 10, 12]
    assert PoolCase(x=[[[1], [2], [4]]], pool_size=(2,)).expected().mid.ravel().tolist() == [2]
    average = PoolCase(x=[[[1], [2], [4]]], pool_size=(2,), reduction="average", padding="same")
    assert average.expected().mid.ravel().tolist() == [1.5, 4]
    assert DenseCase(x=[[1, 2]], kernel=[[3], [4]], bias=[1]).expected().mid.tolist() == [[12]]


def test_geometry_follows_from_the_arrays() -> None:
    case = ConvolutionCase(x=np.zeros((2, 5, 4, 6)), kernel=np.zeros((3, 2, 3, 4)), groups=2)
    assert (case.rank, case.kernel_size, case.channels, case.filters) == (2, (3, 2), 6, 4)
    assert (case.strides, case.dilation, case.spatial) == ((1, 1), (1, 1), (5, 4))
    assert case.replace(data_format="channels_first", x=np.zeros((2, 6, 5, 4))).spatial == (5, 4)
    assert PoolCase(x=np.zeros((1, 4, 4, 1)), pool_size=(2, 3)).strides == (2, 3)


def test_what_is_right_is_accepted_in_any_kind_of_array() -> None:
    for right in ([[[[12], [20]]]], np.array([[[[12.0], [20]]]]), np.array([[[[12], [20]]]], np.int32)):
        PAIR.check(right)


def test_a_wrong_output_is_told_where_how_far_and_why() -> None:
    with pytest.raises(Mismatch) as caught:
        PAIR.check([[[[1], [12]]]])
    text = str(caught.value)
    assert "at [0,0,0,0] expected 12, got 1; no rounding is allowed" in text
    assert "2 of 2 values are off" in text
    assert re.search(r"^ +RC201  SAME padding on the other side$", text, re.MULTILINE)
    assert caught.value.judgement.verdict is Verdict.MISMATCH


def test_rounding_is_allowed_and_its_share_is_told() -> None:
    case = DenseCase(x=[[0.1] * 3], kernel=[[0.7]] * 3)
    exact = case.expected()
    case.check(exact.mid)
    case.check(exact.mid + exact.probable / 2)
    with pytest.raises(Mismatch, match=r"±\S+ allowed, \S+ times the bound"):
        case.check(exact.mid + 4 * exact.limit)


def test_another_shape_is_told() -> None:
    with pytest.raises(Mismatch, match=r"shape \(1, 1, 1, 1\), which is not the reference's"):
        PAIR.check([[[[12]]]])


def test_another_arithmetic_may_be_declared() -> None:
    """Operands rounded to TF32 keep 11 bits: (1 + 2⁻¹²)·3 becomes 3."""
    case = DenseCase(x=[[1 + 2.0**-12]], kernel=[[3 + 2.0**-20]])
    with pytest.raises(Mismatch):
        case.check([[3.0]])
    case.check([[3.0]], arithmetic="tf32")


def test_what_stands_in_16_bits_is_judged_in_them() -> None:
    case = DenseCase(x=[[1, 1]], kernel=[[2048], [1]], dtype="float16")
    assert case.x.dtype == case.kernel.dtype == np.float16
    case.check([[2048]])  # 2049 lies between 2048 and 2050
    with pytest.raises(Mismatch):
        case.replace(dtype="float32").check([[2048]])


@some
@given(st.one_of(*EVERY))
def test_a_case_is_printed_as_the_call_that_makes_it(case: Any) -> None:
    again = eval(repr(case), {**vars(drawn), "nan": np.nan, "inf": np.inf})
    assert repr(again) == repr(case)
    assert again.config == case.config and np.array_equal(again.x, case.x)
    assert all(np.array_equal(again.weights[name], w) for name, w in case.weights.items())


def test_what_has_its_default_is_not_printed() -> None:
    assert repr(PAIR) == "ConvolutionCase(x=[[[[1], [2]]]], kernel=[[[[10]], [[1]]]], padding='same')"
    assert repr(DenseCase(x=[[0.1]], kernel=[[1e-7]])) == "DenseCase(x=[[0.1]], kernel=[[1e-07]])"


@some
@given(st.one_of(*EVERY))
def test_the_expected_output_is_right_and_another_is_not(case: Any) -> None:
    enclosure = case.expected()
    with np.errstate(all="ignore"):
        moved = enclosure.mid + 3 * enclosure.limit + np.abs(enclosure.mid) + 1
        finite = np.isfinite(moved.astype(case.rounded(moved).dtype)).all()
    if case.dtype == "float32":
        case.check(enclosure.mid)
    if finite and not np.any(enclosure.overflow):
        assert not case.right(moved)


@pytest.mark.parametrize("package", [keras, tf_keras])
def test_keras_layers_are_made_of_a_case(package: Any) -> None:
    assert PAIR.run(package.layers.Conv2D).ravel().tolist() == [12, 20]
    assert PAIR.replace(bias=[1]).run(package.layers.Conv2D, name="mine").ravel().tolist() == [13, 21]
    assert PoolCase(x=[[[1], [2]]], pool_size=(2,)).run(package.layers.MaxPooling1D).ravel().tolist() == [2]
    half = DenseCase(x=[[1, 1]], kernel=[[2048], [1]], dtype="float16")
    assert half.run(package.layers.Dense).dtype == np.float16


def test_a_layer_of_ones_own_takes_its_place() -> None:
    class Flipped(keras.layers.Conv2D):
        def call(self, x: Any) -> Any:
            return keras.ops.conv(x, keras.ops.flip(self.kernel, (0, 1)), padding=self.padding)

    with pytest.raises(Mismatch, match="RC203"):
        case = ConvolutionCase(x=[[[[1], [2], [3]]]], kernel=[[[[10]], [[1]]]])
        case.check(case.run(Flipped))


def test_quantizers_are_applied_as_qactivation_does() -> None:
    case = QuantizerCase(x=[[0.3, 0.5], [-2, 0]], spec=QuantizerSpec("quantized_bits", (("bits", 3), ("alpha", 1.0))))
    assert case.spec.text == "quantized_bits(bits=3,alpha=1.0)"
    assert case.values.tolist() == [[0.25, 0.5], [-1, 0]]
    case.check(case.run(qkeras.QActivation))
    with pytest.raises(Mismatch, match="RC104|RC10"):
        case.check([[0.25, 0.5], [-0.75, 0]])
