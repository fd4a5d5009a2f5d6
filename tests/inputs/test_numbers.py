"""Numbers in text: shapes that brackets and lines give, and how exactly digits tell a value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from refconv.errors import BadInput
from refconv.inputs.numbers import codes, parse

HALF = 2.0**-25  # of the distance of float32's neighbours in [0.5, 1)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("1.5", (1,)),
        ("1.5 2.5\n3.5 4.5", (2, 2)),
        ("1.5\n2.5\n3.5", (3,)),
        ("1.5, 2.5; 3.5", (3,)),
        ("[[1.5 2.5 3.5]\n [4.5 5.5 6.5]]", (2, 3)),
        ("[[[1.], [2.]], [[3.], [4.]]]", (2, 2, 1)),
        ("array([[1.5, 2.5]], dtype=float32)", (1, 2)),
        ("tensor([1.5, 2.5, 3.5], device='cpu')", (3,)),
        ("tf.Tensor([[1.5] [2.5]], shape=(2, 1), dtype=float32)", (2, 1)),
        ("{1.5f, 2.5f}".replace("f", ""), (2,)),
    ],
)
def test_shape(text: str, shape: tuple[int, ...]) -> None:
    assert parse(text, "y.txt").values.shape == shape


@pytest.mark.parametrize(
    ("text", "resolution"),
    [
        ("0.1234", [5e-5]),
        ("0.1234 0.5", [5e-5, 0.05]),  # nothing says that both were rounded alike
        ("[0.1234 0.5   ]", [5e-5, 5e-5]),  # NumPy rounds all of an array alike, and leaves out zeros
        ("1.5e-3 2.25e+01", [5e-5, 0.05]),
        ("[1.50e-03 2.2e+01]", [5e-6, 5e-2]),
        ("7 8 9", [0, 0, 0]),
        ("7 8.5", [0.05, 0.05]),
        ("0.123456789012", [HALF / 8]),
        ("0x3f800000 nan -inf", [0, 0, 0]),
    ],
)
def test_resolution_is_half_a_unit_of_the_last_digit(text: str, resolution: list[float]) -> None:
    np.testing.assert_allclose(parse(text, "y.txt").resolution, resolution, rtol=1e-6)


def test_bits_in_hexadecimal_are_a_float() -> None:
    values = np.float32([1.0, -0.15625, np.pi])
    text = " ".join("0x" + v.tobytes()[::-1].hex() for v in values)
    np.testing.assert_array_equal(parse(text, "y").values, values)
    assert parse("0xbff0000000000000", "y").values == -1.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1.0 ... 2.0", "left out"),
        ("[1. 2. ...]", "left out"),
        ("1.0 two", "'two' is no number"),
        ("[1. 2.", "not closed"),
        ("1. 2.]", "not opened"),
        ("[[1. 2.] [3.]]", "different lengths"),
        ("0x12", "no float in hexadecimal"),
        ("  \n", "no numbers"),
    ],
)
def test_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        parse(text, "y.txt")


@given(
    arrays.arrays(np.float32, arrays.array_shapes(max_dims=4, max_side=4), elements=st.floats(-1e6, 1e6, width=32)),
    st.integers(1, 9),
)
def test_what_numpy_prints_lies_within_its_resolution(values: np.ndarray, digits: int) -> None:
    with np.printoptions(precision=digits, threshold=10**6):
        found = parse(str(values), "y.txt")
    assert found.values.shape == values.shape
    assert (np.abs(found.values - values) <= found.resolution).all()


@given(arrays.arrays(np.float32, (3, 4), elements=st.floats(-1e6, 1e6, width=32)), st.sampled_from(["%.3f", "%.5e"]))
def test_what_c_prints_lies_within_its_resolution(values: np.ndarray, form: str) -> None:
    text = "\n".join(", ".join(form % v for v in row) for row in values)
    found = parse(text, "y.csv")
    assert found.values.shape == values.shape
    assert (np.abs(found.values - values) <= found.resolution).all()


def test_codes() -> None:
    np.testing.assert_array_equal(codes("[-5 3 0x0f]", "y"), [-5, 3, 15])
    np.testing.assert_array_equal(codes("0xfb 0x05 0x80", "y", bits=8), [-5, 5, -128])
    np.testing.assert_array_equal(codes("1 2\n3 4", "y"), [[1, 2], [3, 4]])


@pytest.mark.parametrize(("text", "bits"), [("0.5", None), ("nan", None), ("0x1ff", 8), ("x", None)])
def test_no_codes(text: str, bits: int | None) -> None:
    with pytest.raises(BadInput):
        codes(text, "y", bits)
