"""GlobalMaxPooling2D and GlobalAveragePooling2D by hand."""

from __future__ import annotations

import numpy as np
import pytest
from support.one import holds, run

from refconv.compare.declared import unrounded
from refconv.compare.stage1 import deviate
from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure, point
from refconv.numerics.formats import BFLOAT16
from refconv.ops.attributes import build
from refconv.ops.base import Context
from refconv.ops.table import TABLE
from refconv.primitives.numpy_engine import ENGINE

X = np.arange(12.0).reshape(1, 2, 3, 2)


@pytest.mark.parametrize(("kind", "expected"), [("Max", [10, 11]), ("Average", [5, 6])])
def test_by_hand(kind: str, expected: list[float]) -> None:
    name = f"Global{kind}Pooling2D"
    assert run(name, {}, X).mid.tolist() == [expected]
    assert run(name, {"keepdims": True}, X).mid.tolist() == [[[expected]]]
    first = X.transpose(0, 3, 1, 2)
    assert run(name, {"data_format": "channels_first"}, first).mid.tolist() == [expected]
    kept = run(name, {"data_format": "channels_first", "keepdims": True}, first)
    assert kept.mid.tolist() == [[[[value]] for value in expected]]


def test_the_mean_of_what_a_mask_shows() -> None:
    """Of 0, 2, 4 and 1, 3, 5 the first two steps; of the second sample none, and 0/0 is NaN."""
    x, mask = np.arange(12.0).reshape(2, 3, 2), np.array([[True, True, False], [False] * 3])
    found = run("GlobalAveragePooling1D", {"masks": ["mask"]}, x, mask).mid
    np.testing.assert_array_equal(found, [[1, 2], [np.nan] * 2])
    first = {"masks": ["mask"], "data_format": "channels_first"}
    np.testing.assert_array_equal(run("GlobalAveragePooling1D", first, x.transpose(0, 2, 1), mask).mid, found)
    terms = TABLE["GlobalAveragePooling1D"].terms
    assert terms is not None
    attrs = build(TABLE["GlobalAveragePooling1D"].attributes, {"masks": ["mask"]}, "x")
    one = terms(attrs, {}, [x, mask], (0, 1), Context(ENGINE))
    assert one.products.tolist() == [1, 3] and one.scale == 0.5


def test_axes_are_not_mixed_up() -> None:
    found = run("GlobalAveragePooling2D", {}, X + 0.1)
    assert holds(found, [[5.1, 6.1]])
    assert not holds(found, [[5.1, 5.1]])
    assert found.sigma.shape == found.worst.shape == (1, 2)


def test_maximum_keeps_nan_and_is_exact() -> None:
    x = X.copy()
    x[0, 0, 0, 0] = np.nan
    found = run("GlobalMaxPooling2D", {}, x)
    assert found.exact
    assert np.array_equal(found.mid, [[np.nan, 11]], equal_nan=True)


@pytest.mark.parametrize("name", ["GlobalMaxPooling2D", "GlobalAveragePooling2D"])
def test_an_input_of_another_rank(name: str) -> None:
    with pytest.raises(UnreadableModel, match="4 dimensions is wanted, this one has 2"):
        run(name, {}, np.ones((3, 3)))


def test_a_mean_fused_with_the_bias_before_it() -> None:
    """XLA hands on conv + bias as it is, where the graph says round(conv + round(bias)): all terms lie to one side."""
    rng, row, fused = np.random.default_rng(5), TABLE["GlobalAveragePooling3D"], unrounded(BFLOAT16)
    conv, bias = rng.normal(size=(2, 7, 16, 18, 40)) * 4, rng.normal(size=40)
    x, terms = BFLOAT16.round(conv + BFLOAT16.round(bias)), conv + bias
    found = row.forward(row.attributes(), {}, (point(x),), Context(ENGINE, fused))
    assert isinstance(found, Enclosure)
    got = BFLOAT16.round(terms.mean(axis=(1, 2, 3)))
    assert not deviate(found, got, BFLOAT16).outside.any()
    alone = np.abs(terms.mean(axis=(1, 2, 3)) - x.mean(axis=(1, 2, 3)))
    assert (alone > 10 * BFLOAT16.u * np.sqrt((x**2).mean(axis=(1, 2, 3)) / 3 / 2016)).any()
    assert deviate(found, got + 0.1, BFLOAT16).outside.all()
