"""Rounding to every format, by hand, by bits, and against the libraries that have the formats."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refconv.numerics.formats import (
    BFLOAT16,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    NEAREST_AWAY,
    NEAREST_EVEN,
    TF32,
    TRUNCATED,
    float64,
    is_float,
    round_to,
)

STEP = 2.0**-10  # of TF32 and float16 at 1


@pytest.mark.parametrize(
    ("x", "even", "away", "truncated"),
    [
        (1.0, 1.0, 1.0, 1.0),
        (1 + STEP / 4, 1.0, 1.0, 1.0),
        (1 + STEP / 2, 1.0, 1 + STEP, 1.0),  # a tie: 1 has an even last bit
        (1 + 3 * STEP / 2, 1 + 2 * STEP, 1 + 2 * STEP, 1 + STEP),
        (-1 - STEP / 2, -1.0, -1 - STEP, -1.0),
        (1 + 0.51 * STEP, 1 + STEP, 1 + STEP, 1.0),
        (2 - STEP / 4, 2.0, 2.0, 2 - STEP),  # into the next binade
        (0.0, 0.0, 0.0, 0.0),
        (np.inf, np.inf, np.inf, np.inf),
    ],
)
def test_tf32_by_hand(x, even, away, truncated):
    assert round_to(x, TF32, NEAREST_EVEN) == even
    assert round_to(x, TF32, NEAREST_AWAY) == away
    assert round_to(x, TF32, TRUNCATED) == truncated


@pytest.mark.parametrize(
    ("fmt", "x", "rounded"),
    [
        (BFLOAT16, 1 + 2.0**-8, 1.0),
        (BFLOAT16, 1 + 3 * 2.0**-8, 1 + 2.0**-6),
        (BFLOAT16, 0.1, 0.10009765625),
        (FLOAT16, 0.1, 0.0999755859375),
        (FLOAT16, 65519.0, 65504.0),
        (FLOAT16, 65520.0, np.inf),
        (FLOAT16, -1e6, -np.inf),
        (FLOAT16, 2.0**-25, 0.0),  # half of the smallest subnormal ties to even
        (FLOAT16, 1.5 * 2.0**-25, 2.0**-24),
        (FLOAT32, 0.1, 0.100000001490116119384765625),
        (FLOAT64, 0.1, 0.1),
    ],
)
def test_other_formats_by_hand(fmt, x, rounded):
    assert fmt.round(x) == rounded


def test_nan_stays():
    assert np.isnan(round_to(np.nan, FLOAT16, TRUNCATED))


def everywhere(count=200_000):
    """float32 values of every size and sign, subnormals too, drawn by their bits; and ties of 8 and 11 digits."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, count, dtype=np.uint32)
    x = np.concatenate([bits, bits & 0xFFFF8000 | 0x8000, bits & 0xFFFFE000 | 0x1000]).view(np.float32)
    return x[np.isfinite(x)]


def test_tf32_is_the_upper_nineteen_bits():
    x = everywhere()
    bits = x.view(np.uint32).astype(np.int64)
    sign, size = bits & 0x80000000, bits & 0x7FFFFFFF
    changed = {
        TRUNCATED: size,
        NEAREST_AWAY: size + 0x1000,
        NEAREST_EVEN: size + 0xFFF + (size >> 13 & 1),
    }
    for rule, moved in changed.items():
        wanted = (sign | moved & 0x7FFFE000).astype(np.uint32).view(np.float32)
        np.testing.assert_array_equal(round_to(x, TF32, rule), wanted.astype(np.float64))


@pytest.mark.parametrize(("fmt", "dtype"), [(FLOAT16, np.float16), (BFLOAT16, ml_dtypes.bfloat16)])
def test_nearest_even_is_the_conversion_of_the_dtype(fmt, dtype):
    x = everywhere()
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(fmt.round(x), x.astype(dtype).astype(np.float64))


def test_float32_from_float64():
    x = np.random.default_rng(1).normal(size=10_000) * 10.0 ** np.random.default_rng(2).integers(-44, 44, 10_000)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(FLOAT32.round(x), x.astype(np.float32).astype(np.float64))


@pytest.mark.parametrize(
    ("fmt", "digits", "largest", "lost"),
    [
        (FLOAT32, 24, 3.4028234663852886e38, 2.0**-126),
        (TF32, 11, 3.4011621342146535e38, 2.0**-126),
        (BFLOAT16, 8, 3.3895313892515355e38, 2.0**-126),
        (FLOAT16, 11, 65504.0, 2.0**-25),  # TensorFlow keeps its subnormals
    ],
)
def test_the_numbers_of_a_format(fmt, digits, largest, lost):
    assert (fmt.digits, fmt.u, fmt.max, fmt.tiny) == (digits, 2.0**-digits, largest, lost)


def test_spacing():
    assert FLOAT16.spacing(np.array([1.0, 1.99, 2.0, -0.6, 1e-9])).tolist() == [
        2.0**-10,
        2.0**-10,
        2.0**-9,
        2.0**-11,
        2.0**-24,
    ]


def test_bfloat16_is_a_float_and_integers_are_not():
    assert is_float(np.dtype(ml_dtypes.bfloat16))
    assert is_float(np.dtype(np.float16))
    assert not is_float(np.dtype(np.int32))


def by_definition(v):
    """To the nearest even, and no rule that `round_to` knows a shortcut for."""
    return np.rint(v)


@given(st.lists(st.floats(width=64), min_size=1, max_size=20), st.integers(0, 2**31))
def test_float32_by_conversion_is_float32_by_definition(values, seed):
    """The conversion that the machine has, against multiples of the spacing: ties, subnormals, overflow, NaN."""
    near = float64(np.random.default_rng(seed).integers(0, 2**32, 64, dtype=np.uint32).view(np.float32))
    with np.errstate(all="ignore"):
        x = np.concatenate([values, near, near * (1 + 2.0**-24), near * (1 + 3 * 2.0**-25)])
    assert np.array_equal(FLOAT32.round(x), round_to(x, FLOAT32, by_definition), equal_nan=True)
