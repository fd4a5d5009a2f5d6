"""Faults planted in a layer are found, and the example that is left is one small layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from support.planted_layers import convolve, pool, smallest

from refconv.quantizers.quantized_bits import QuantizedBits
from refconv.testing.strategies import (
    ConvolutionCase,
    PoolCase,
    QuantizerCase,
    conv2d_cases,
    conv3d_cases,
    pool_cases,
    quantizer_cases,
)


def shape(case: Any) -> tuple[int, ...]:
    """(samples, longest side, channels, filters)."""
    return len(case.x), max(case.spatial), case.channels, case.filters


# Fault → (longest side, channels, filters) at most, and the rule that explains it.
CONVOLUTIONS = {
    "other side": ((1, 1, 1), "RC201"),
    "kernel flipped": ((2, 1, 1), "RC203"),
    "dilation ignored": ((3, 1, 1), "RC208"),
    "strides start later": ((2, 1, 1), "RC207"),
    "groups in another order": ((1, 4, 2), "RC209"),
}


@settings(max_examples=150)
@given(conv2d_cases(max_side=5))
def test_the_loops_are_right(case: ConvolutionCase) -> None:
    case.check(convolve(case))


@pytest.mark.parametrize("fault", CONVOLUTIONS)
def test_a_wrong_convolution_ends_as_a_small_one(fault: str) -> None:
    (side, channels, filters), rule = CONVOLUTIONS[fault]
    found = smallest(conv2d_cases(max_side=6), lambda case: case.check(convolve(case, fault)))
    case = found.case
    assert len(case.x) == 1 and max(case.spatial) <= side, case
    assert case.channels <= channels and case.filters <= filters, case
    assert case.bias is None and case.activation == "linear"
    assert np.array_equal(case.kernel, np.rint(case.kernel)) and np.abs(case.kernel).max() <= 8
    assert rule in [finding.code for finding in found.findings], str(found)


def test_a_volume_ends_as_small() -> None:
    case = smallest(conv3d_cases(max_side=3), lambda case: case.check(convolve(case, "other side"))).case
    assert case.x.size == 1 and case.kernel.size == 2


def test_an_average_that_divides_by_the_padding() -> None:
    cases = pool_cases(reductions=("average",), max_side=5)
    found = smallest(cases, lambda case: case.check(pool(case, "by the padding")))
    assert found.case.x.size == 1 and sum(found.case.pool_size) == 3 and found.case.padding == "same"
    assert "RC210" in [finding.code for finding in found.findings]


@settings(max_examples=100)
@given(pool_cases(max_side=5))
def test_the_pooling_loops_are_right(case: PoolCase) -> None:
    case.check(pool(case))


def test_a_quantizer_with_another_tie_rule() -> None:
    """Half away from zero: the smallest tie is half a step, which goes to 0 by half to even."""

    def rounded(case: QuantizerCase) -> np.ndarray:
        quantizer = case.spec.reference
        assert isinstance(quantizer, QuantizedBits)
        step = float(quantizer._step())
        low, high = quantizer.codes_range
        codes = np.copysign(np.floor(np.abs(case.x.astype(np.float64)) / step + 0.5), case.x)
        return np.clip(codes, low, high) * step

    cases = quantizer_cases(("quantized_bits",), alphas=(1.0,))
    found = smallest(cases.filter(lambda case: dict(case.spec.parameters)["bits"] > 1), lambda c: c.check(rounded(c)))
    assert found.case.x.size == 1
    assert dict(found.case.spec.parameters)["bits"] <= 3
    assert "RC103" in [finding.code for finding in found.findings], str(found)


def test_what_hypothesis_finds_is_the_same_again() -> None:
    one, other = (smallest(conv2d_cases(), lambda c: c.check(convolve(c, "other side"))).case for _ in range(2))
    assert repr(one) == repr(other)
