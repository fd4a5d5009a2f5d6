"""What is drawn keeps to what was asked for, gives an output, and reaches every kind of layer."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from refconv.testing.strategies import (
    KINDS,
    conv1d_cases,
    conv2d_cases,
    dense_cases,
    depthwise_cases,
    pool_cases,
    quantizer_cases,
    quantizers,
    tensors,
)
from refconv.testing.strategies.tosa import BOUND, SETS, Place
from refconv.testing.strategies.values import Fill

some = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
quick = settings(max_examples=2000, database=None, derandomize=True, phases=[Phase.generate])


@some
@given(
    conv2d_cases(max_side=4, max_kernel=3, max_stride=2, max_dilation=2, max_channels=3, max_filters=2, max_groups=2)
)
def test_convolutions_keep_to_their_limits(case: Any) -> None:
    assert max(case.spatial) <= 4 and max(case.kernel_size) <= 3
    assert max(case.strides) <= 2 and max(case.dilation) <= 2
    assert case.channels <= 3 and case.filters <= 2 and case.groups <= 2 and len(case.x) <= 2
    assert max(case.strides) == 1 or max(case.dilation) == 1
    assert case.expected().mid.size > 0


@some
@given(
    conv1d_cases(paddings=("causal",), biases=(True,), activations=("relu",), data_formats=("channels_first",)),
    conv2d_cases(max_groups=1, kinds=("integers",), dtypes=("bfloat16",)),
)
def test_choices_are_what_was_asked_for(line: Any, image: Any) -> None:
    assert (line.padding, line.activation, line.data_format) == ("causal", "relu", "channels_first")
    assert line.bias is not None and line.rank == 1
    assert image.groups == 1 and image.x.dtype == ml_dtypes.bfloat16
    assert np.array_equal(image.x, np.rint(image.x.astype(np.float32))) and np.abs(image.kernel).max() <= 8


@some
@given(
    depthwise_cases(both=True),
    pool_cases(3, max_side=3, reductions=("average",)),
    dense_cases(max_inputs=5, max_rank=2),
)
def test_so_do_the_others(depthwise: Any, pool: Any, dense: Any) -> None:
    assert len(set(depthwise.strides)) == len(set(depthwise.dilation)) == 1
    assert depthwise.expected().mid.size > 0
    assert pool.reduction == "average" and pool.rank == 3 and max(pool.x.shape[1:-1]) <= 3
    assert pool.expected().mid.size > 0
    assert dense.x.ndim == 2 and dense.x.shape[-1] <= 5


REACHED = {
    "strides beyond the kernel": lambda c: max(s - k for s, k in zip(c.strides, c.kernel_size, strict=True)) > 0,
    "dilation under SAME": lambda c: c.padding == "same" and max(c.dilation) > 1 and max(c.kernel_size) > 1,
    "groups of several channels": lambda c: c.groups > 1 and c.kernel.shape[-2] > 1,
    "a kernel beyond the image": lambda c: max(k - n for k, n in zip(c.kernel_size, c.spatial, strict=True)) > 0,
    "a bias": lambda c: c.bias is not None,
    "an odd zero": lambda c: c.padding == "same" and c.kernel_size[0] == 2 and c.strides == (1, 1),
    "several samples of an uneven image": lambda c: len(c.x) > 1 and c.spatial[0] != c.spatial[1],
    "no zero": lambda c: np.all(c.x != 0) and c.x.size > 9,
}


@pytest.mark.parametrize("what", REACHED)
def test_every_kind_of_convolution_is_drawn(what: str) -> None:
    assert find(conv2d_cases(), REACHED[what], settings=quick)


@some
@given(st.data())
def test_tensors(data: st.DataObject) -> None:
    kind, dtype = data.draw(st.sampled_from(KINDS)), data.draw(st.sampled_from(list(BOUND)))
    x = data.draw(tensors(kinds=(kind,), dtypes=(dtype,), operand=data.draw(st.integers(0, 2)), max_side=3))
    assert x.dtype.name == dtype and x.size > 0 and 1 <= x.ndim <= 4 and max(x.shape) <= 3
    assert np.isfinite(x.astype(np.float64)).all()
    assert data.draw(tensors((2, 3))).shape == (2, 3)
    assert data.draw(tensors(st.just((4,)))).shape == (4,)


@pytest.mark.parametrize("name", SETS)
def test_tosa_s_sets_by_their_aim(name: str) -> None:
    """Dot products of 50 terms, 40 of them: what the specification says each set is for."""
    n, dots = 50, 40
    fill = Fill(name, "float32", n, 3)
    k = np.arange(n)[:, None]
    x, w = (fill((n, dots), operand, k).astype(np.float64) for operand in (0, 1))
    products = x * w
    aims = {
        "tosa_zeros": np.all(products == 0) and x.any() and w.any(),
        "tosa_large": np.abs(products).min() > 2.0**119 and np.abs(products).sum(0).max() < 2.0**128 * 1.01,
        "tosa_one_large": np.all(products[0] == 1) and np.abs(products[1:]).max() <= 1 / n * 1.01,
        "tosa_one_large_varied": np.all(np.abs(products[0]) == 256) and np.abs(products[1:]).max() <= np.exp(4),
        "tosa_mixed": np.all(products[n // 2] == -0.25) and np.count_nonzero(products) == dots,
        "tosa_signed": (products > 0).any() and (products < 0).any() and np.abs(products).max() < 2.0**128 / n * 1.01,
    }
    assert aims[name]
    bias = fill((dots,), 2)
    assert bias.any() == (name == "tosa_large")


def test_a_set_differs_from_operand_to_operand() -> None:
    at = Place(np.zeros(3, int), 1, 0, BOUND["float32"])
    draw = iter([np.array([0.5, -1, 1]), np.array([1.0, 0, -1])])
    values = SETS["tosa_large"](at, lambda: next(draw), np.zeros(3, bool))
    assert values.tolist() == [2.0**64 / np.sqrt(2) * v * (1 - 2.0**-24) for v in (1.0, -0.75, 0.5)]


@some
@given(quantizers(max_bits=4, alphas=(1.0, None)), quantizer_cases(("quantized_relu",), max_values=3, max_channels=1))
def test_quantizers_keep_to_their_limits(spec: Any, case: Any) -> None:
    said = dict(spec.parameters)
    assert said.get("bits", 1) <= 4 and said.get("alpha", 1.0) == 1.0
    assert spec.reference.name == spec.name == spec.text.partition("(")[0]
    assert case.spec.name == "quantized_relu" and case.x.shape[0] <= 3 and case.x.shape[1] == 1


def test_a_quantizer_is_asked_at_its_ties() -> None:
    def tie(case: Any) -> bool:
        step = float(case.spec.reference._step())
        return bool(np.any(np.abs(case.x / step) % 1 == 0.5))

    assert find(quantizer_cases(("quantized_bits",), alphas=(1.0,)), tie, settings=quick)
