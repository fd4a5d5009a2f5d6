"""Arrays that a user gives: accepted, cast or refused with one line."""

import ml_dtypes
import numpy as np
import pytest

from refconv.errors import BadInput
from refconv.graph import TensorSpec
from refconv.inputs import prepare

IMAGE = TensorSpec("img", (None, 4, 4, 1))


def fed(given, *specs, preprocess="none", shapes=None):
    return prepare(specs or (IMAGE,), given, 2, 0, shapes or {}, preprocess)


def refused(given, *specs, **options):
    with pytest.raises(BadInput) as caught:
        fed(given, *specs, **options)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_an_array_feeds_the_only_input():
    x = np.arange(48, dtype=np.float32).reshape(3, 4, 4, 1)
    np.testing.assert_array_equal(fed(x)[0], x)


@pytest.mark.parametrize("given", [lambda x: [x], lambda x: (x,), lambda x: {"img": x}, lambda x: {"img": x.tolist()}])
def test_ways_to_name_one_input(given):
    x = np.ones((1, 4, 4, 1), np.float32)
    np.testing.assert_array_equal(fed(given(x))[0], x)


def test_several_inputs_by_order_and_by_name():
    specs = TensorSpec("a", (None, 2)), TensorSpec("b", (None, 3))
    a, b = np.ones((2, 2)), np.zeros((2, 3))
    for given in ([a, b], {"b": b, "a": a}):
        first, second = fed(given, *specs)
        assert first.shape == (2, 2) and second.shape == (2, 3)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (np.zeros((2, 4, 4, 3)), "input 'img': has shape (2, 4, 4, 3); input 'img' takes (?, 4, 4, 1)"),
        (np.zeros((4, 4, 1)),
         "input 'img': has shape (4, 4, 1); input 'img' takes (?, 4, 4, 1) (add the batch axis: x[None])"),
        (np.zeros((9, 4, 4)),
         "input 'img': has shape (9, 4, 4); input 'img' takes (?, 4, 4, 1) (add the channel axis: x[..., None])"),
        (np.zeros(()), "input 'img': has shape (); input 'img' takes (?, 4, 4, 1)"),
        (np.zeros((0, 4, 4, 1)), "input 'img': is empty, of shape (0, 4, 4, 1)"),
        (np.full((1, 4, 4, 1), np.nan, object),
         "input 'img': holds Python objects, not numbers (save it with one numeric dtype)"),
        (np.zeros((1, 4, 4, 1), complex), "input 'img': has dtype complex128; input 'img' takes float32"),
        (np.zeros((1, 4, 4, 1), "U3"), "input 'img': has dtype <U3; input 'img' takes float32"),
        (np.full((1, 4, 4, 1), 1e300), "input 'img': has values beyond float32, which input 'img' takes"),
        ({"image": np.zeros((1, 4, 4, 1))}, "input: no input is called 'image' (the inputs are img)"),
        ({}, "input: nothing is given for input 'img' (the inputs are img)"),
        ([np.zeros((1, 4, 4, 1))] * 2, "input: inputs given: 2, of the model: 1 (the inputs are img)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(given, line):
    assert refused(given) == line


def test_ragged_lists_are_no_array():
    assert refused({"img": [[1, 2], [3]]}).startswith("input 'img': is not an array")


def test_batches_must_agree():
    specs = TensorSpec("a", (None, 2)), TensorSpec("b", (None, 2))
    line = refused([np.zeros((2, 2)), np.zeros((3, 2))], *specs)
    assert line == "input: the inputs hold different numbers of samples: a 2, b 3"


def test_a_fixed_batch_is_exact():
    spec = TensorSpec("x", (32, 2))
    assert fed(np.zeros((32, 2)), spec)[0].shape == (32, 2)
    assert "batches of exactly 32" in refused(np.zeros((2, 2)), spec)


def test_integers_and_booleans_feed_floats():
    for array in (np.full((1, 4, 4, 1), 200, np.uint8), np.ones((1, 4, 4, 1), bool)):
        got = fed(array)[0]
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, array)


def test_nan_and_infinity_in_floats_pass():
    x = np.array([[np.nan, np.inf]])
    np.testing.assert_array_equal(fed(x, TensorSpec("x", (None, 2)))[0], x.astype(np.float32))


def test_bfloat16_passes_to_a_bfloat16_input():
    x = np.ones((1, 2), ml_dtypes.bfloat16)
    assert fed(x, TensorSpec("x", (None, 2), "bfloat16"))[0].dtype == ml_dtypes.bfloat16


def test_integral_floats_feed_an_integer_input_and_fractions_do_not():
    spec = TensorSpec("ids", (None, 2), "int32")
    got = fed(np.array([[3.0, -4.0]]), spec)[0]
    assert got.dtype == np.int32 and got.tolist() == [[3, -4]]
    for bad in (3.5, np.nan, np.inf):
        assert "input 'ids': holds fractions; input 'ids' takes int32" in refused(np.array([[3.0, bad]]), spec)


@pytest.mark.parametrize(
    ("dtype", "value"), [("uint8", 256), ("uint8", -1), ("int64", 2.0**63), ("bool", 2), ("int8", 128)]
)
def test_integers_beyond_the_dtype_are_refused(dtype, value):
    assert "beyond " in refused(np.array([[0, value]]), TensorSpec("x", (None, 2), dtype))


def test_zero_and_one_feed_a_boolean_input():
    got = fed(np.array([[0, 1]]), TensorSpec("mask", (None, 2), "bool"))[0]
    assert got.dtype == bool and got.tolist() == [[False, True]]


def test_strings_feed_a_string_input_only():
    spec = TensorSpec("words", (None, 1), "string")
    assert fed(np.array([["a"], ["b"]]), spec)[0].tolist() == [["a"], ["b"]]
    assert "takes strings" in refused(np.zeros((2, 1)), spec)


def test_an_unknown_dimension_takes_any_size_unless_a_shape_is_set():
    spec = TensorSpec("x", (None, None, 2))
    assert fed(np.zeros((1, 7, 2)), spec)[0].shape == (1, 7, 2)
    assert "takes (?, 5, 2)" in refused(np.zeros((1, 7, 2)), spec, shapes={"": (5,)})


def test_preprocessing_needs_something_given():
    assert refused(None, preprocess="tf").startswith("--preprocess is for pixels, and samples are drawn")


def test_preprocessing_reaches_the_only_input_and_pictures():
    vector, picture = TensorSpec("v", (None, 2)), TensorSpec("p", (None, 1, 1, 3))
    assert fed(np.full((1, 2), 255.0), vector, preprocess="unit")[0].tolist() == [[1.0, 1.0]]
    v, p = fed([np.full((1, 2), 255.0), np.full((1, 1, 1, 3), 255.0)], vector, picture, preprocess="unit")
    assert v.tolist() == [[255.0, 255.0]] and p.ravel().tolist() == [1.0, 1.0, 1.0]
