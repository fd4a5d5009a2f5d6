"""Seeded samples: what they exercise, and that they repeat."""

import numpy as np
import pytest

from refconv.errors import BadInput
from refconv.graph import TensorSpec
from refconv.inputs import prepare


def drawn(*specs, samples=2, seed=0, shapes=None, ranges=None):
    return prepare(specs, None, samples, seed, shapes or {}, "none", ranges or {})


def test_floats_have_both_signs_and_many_magnitudes():
    (x,) = drawn(TensorSpec("x", (None, 64, 64, 3)))
    assert x.shape == (2, 64, 64, 3) and x.dtype == np.float32
    assert 0.45 < (x < 0).mean() < 0.55
    rows = np.abs(x).mean(axis=(2, 3)).ravel()
    assert rows.max() / rows.min() > 16
    assert np.abs(x).max() < 64


def test_one_seed_gives_the_same_samples_and_another_gives_others():
    spec = TensorSpec("x", (None, 5))
    np.testing.assert_array_equal(drawn(spec, seed=3)[0], drawn(spec, seed=3)[0])
    assert (drawn(spec, seed=3)[0] != drawn(spec, seed=4)[0]).all()


def test_an_input_does_not_change_another():
    alone = drawn(TensorSpec("a", (None, 4)))[0]
    beside = drawn(TensorSpec("a", (None, 4)), TensorSpec("b", (None, 9)))[0]
    np.testing.assert_array_equal(alone, beside)


@pytest.mark.parametrize(("dtype", "limit", "highest"), [("int32", 10, 9), ("int32", None, 255), ("int8", None, 127)])
def test_integers_fill_their_range(dtype, limit, highest):
    (x,) = drawn(TensorSpec("x", (None, 5000)), ranges={})
    (x,) = drawn(TensorSpec("ids", (None, 5000), dtype), ranges={"ids": limit} if limit else {})
    assert x.dtype == dtype and x.min() == 0 and x.max() == highest


def test_a_float_input_of_an_embedding_holds_integers():
    (x,) = drawn(TensorSpec("ids", (None, 1000)), ranges={"ids": 7})
    assert x.dtype == np.float32
    assert set(x.ravel()) == set(range(7))


def test_an_embedding_of_one_row_is_fed_zeros():
    assert not drawn(TensorSpec("ids", (None, 50), "int32"), ranges={"ids": 1})[0].any()


def test_booleans_take_both_values():
    (x,) = drawn(TensorSpec("mask", (None, 100), "bool"))
    assert x.dtype == bool and 0.2 < x.mean() < 0.8


@pytest.mark.parametrize("dtype", ["float16", "float64", "bfloat16"])
def test_other_float_formats(dtype):
    (x,) = drawn(TensorSpec("x", (None, 8, 8, 3), dtype))
    assert x.dtype.name == dtype and np.isfinite(x.astype(np.float32)).all()


def test_a_fixed_batch_is_honoured_for_every_input():
    a, b = drawn(TensorSpec("a", (32, 4)), TensorSpec("b", (None, 4)))
    assert a.shape == (32, 4) and b.shape == (32, 4)


def test_strings_are_not_drawn():
    with pytest.raises(BadInput, match=r"input 'words' takes strings.*--input words=FILE.npy"):
        drawn(TensorSpec("words", (None, 1), "string"))


def test_no_samples_are_refused():
    with pytest.raises(BadInput, match="0 samples cannot be checked"):
        drawn(TensorSpec("x", (None, 4)), samples=0)


def test_an_unknown_dtype_is_named():
    with pytest.raises(BadInput, match="input 'x' has the unknown dtype 'float7'"):
        drawn(TensorSpec("x", (None, 4), "float7"))


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((None, None), (2, 16)),
        ((None, None, 8), (2, 16, 8)),
        ((None, None, None, 3), (2, 32, 32, 3)),
        ((None, 20, None, 3), (2, 20, 32, 3)),
        ((None, None, None, None), (2, 32, 32, 3)),
        ((None, 3, None, None), (2, 3, 32, 32)),
        ((None, None, None, None, 1), (2, 16, 16, 16, 1)),
        ((None,), (2,)),
    ],
)
def test_unknown_dimensions_have_stated_defaults(shape, wanted):
    assert drawn(TensorSpec("x", shape))[0].shape == wanted


@pytest.mark.parametrize(
    ("shapes", "wanted"),
    [
        ({"": (48, 40)}, (2, 48, 40, 3)),
        ({"": (48, 40, 3)}, (2, 48, 40, 3)),
        ({"x": (48, 40)}, (2, 48, 40, 3)),
    ],
)
def test_a_shape_fills_unknown_dimensions(shapes, wanted):
    assert drawn(TensorSpec("x", (None, None, None, 3)), shapes=shapes)[0].shape == wanted


def test_a_nameless_shape_leaves_known_inputs_alone():
    a, b = drawn(TensorSpec("a", (None, None, 3)), TensorSpec("b", (None, 7)), shapes={"": (5,)})
    assert a.shape == (2, 5, 3) and b.shape == (2, 7)


@pytest.mark.parametrize("shape", [(48, 40, 1), (48,), (1, 48, 40, 3), (0, 40)])
def test_a_shape_that_does_not_fit_is_refused(shape):
    with pytest.raises(BadInput, match=r"does not fit input 'x' \(the model takes \(\?, \?, 3\) after the batch\)"):
        drawn(TensorSpec("x", (None, None, None, 3)), shapes={"x": shape})


def test_a_shape_for_an_unknown_input_lists_the_inputs():
    with pytest.raises(BadInput, match=r"no input is called 'y' \(the inputs are x\)"):
        drawn(TensorSpec("x", (None, 3)), shapes={"y": (3,)})
