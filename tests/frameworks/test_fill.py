"""The numbers of integer probes: small enough for an exact sum, and none that leaves a tap or a channel out."""

from __future__ import annotations

import numpy as np
import pytest

from refconv.frameworks.worker import fill


@pytest.mark.parametrize(
    ("terms", "bits", "expected"),
    [
        (27, 24, 7),
        (342392, 24, 7),  # 342392·49 + 7 = 16777215 = 2²⁴ − 1
        (342393, 24, 6),
        (4, 8, 7),  # 4·49 + 7 = 203
        (9, 8, 5),  # 9·25 + 5 = 230, and 9·36 + 6 = 330 is too much
        (254, 8, 1),
        (255, 8, 0),
    ],
)
def test_magnitude_by_hand(terms: int, bits: int, expected: int) -> None:
    assert fill.magnitude(terms, bits) == expected


def test_thinned_by_hand() -> None:
    """Factors 1 and ⌊√3⌋ = 1: kept where row + column is a multiple of 3."""
    kept = fill.thinned(np.ones((3, 4), np.int16), 3)
    assert kept.tolist() == [[1, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0]]


def test_prime() -> None:
    assert [fill.prime(n) for n in (0, 2, 4, 24, 601)] == [2, 2, 5, 29, 601]


def test_nothing_is_zero_where_the_sum_fits() -> None:
    x, kernel, bias = fill.products((2, 5, 5, 3), {"kernel": (3, 3, 3, 4), "bias": (4,)}, 9, 3, 24)
    for values in (x, kernel, bias):
        assert np.all(values)
        assert np.max(np.abs(values)) <= 7
        assert np.min(values) < 0 < np.max(values)
    again, *_ = fill.products((2, 5, 5, 3), {"kernel": (3, 3, 3, 4), "bias": (4,)}, 9, 3, 24)
    np.testing.assert_array_equal(x, again)


def test_a_narrow_format_thins_the_input_and_keeps_the_sum_below_its_bits() -> None:
    """bfloat16, 9·64 terms: more than 255 products of ±1. Every channel keeps some position."""
    x, kernel, bias = fill.products((2, 8, 8, 64), {"kernel": (3, 3, 64, 4), "bias": (4,)}, 9, 64, 8)
    windows = np.lib.stride_tricks.sliding_window_view(np.abs(x), (3, 3), axis=(1, 2))
    assert windows.sum(axis=(3, 4, 5)).max() * np.abs(kernel).max() + np.abs(bias).max() < 256
    assert np.all(x.any(axis=(0, 1, 2)))
    assert np.all(kernel)


def test_an_operand_of_the_second_sum_fits_eleven_bits() -> None:
    shapes = {"depthwise_kernel": (7, 7, 8, 1), "pointwise_kernel": (1, 1, 8, 4), "bias": (4,)}
    x, depthwise, *_ = fill.separable((1, 9, 9, 8), shapes, 24)
    assert 49 * int(np.abs(x).max()) * int(np.abs(depthwise).max()) < 2**11


@pytest.mark.parametrize("size", [7, 56, 112, 224, 512])
def test_means_stay_below_the_bound_and_use_every_channel(size: int) -> None:
    (x,) = fill.averaged((1, size, size, 8), size * size, 24)
    assert np.all(x.any(axis=(0, 1, 2)))
    assert np.max(np.abs(x.astype(np.int64)).sum(axis=(1, 2))) * size * size < 2**23


def test_maxima_are_negative() -> None:
    (x,) = fill.negative((1, 4, 4, 2), 24)
    assert np.max(x) < 0
    assert np.min(x) >= -2047


def test_what_cannot_be_exact_is_refused() -> None:
    with pytest.raises(fill.Unfit, match="8 bits"):
        fill.products((1, 17, 17, 1), {"kernel": (17, 17, 1, 1)}, 289, 1, 8)
    with pytest.raises(fill.Unfit, match="8 bits"):
        fill.separable((1, 9, 9, 300), {"depthwise_kernel": (3, 3, 300, 1), "pointwise_kernel": (1, 1, 300, 2)}, 8)
    with pytest.raises(fill.Unfit, match="8 bits"):
        fill.averaged((1, 16, 16, 1), 256, 8)
