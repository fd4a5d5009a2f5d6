"""Rescaling and Normalization."""

from __future__ import annotations

import numpy as np
import pytest
from support.one import holds, run

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import build
from refconv.ops.table import TABLE

ROW = TABLE["Normalization"]


def test_rescaling() -> None:
    assert run("Rescaling", {"scale": 0.5, "offset": -1.0}, [[4.0, 0.0]]).mid.tolist() == [[1, -1]]
    lists = {"scale": [1.0, 2.0], "offset": [0.0, 3.0]}
    assert run("Rescaling", lists, [[4.0, 5.0]]).mid.tolist() == [[4, 13]]


def test_rescaling_takes_integers_and_a_float32_scale() -> None:
    result = run("Rescaling", {"scale": 1 / 255}, np.array([[255, 51]], np.uint8))
    assert result.mid[0, 0] == 255 * np.float64(np.float32(1 / 255))
    assert holds(result, np.array([[255, 51]], np.float32) * np.float32(1 / 255))
    assert not holds(result, np.array([[255, 51]], np.float32) / np.float32(254))


def test_integers_beyond_24_bits_are_cast_first() -> None:
    assert run("Rescaling", {"scale": 1.0}, np.array([[2**24 + 1]])).mid[0, 0] == 2**24


def test_rescaling_of_an_enclosure() -> None:
    result = run("Rescaling", {"scale": -2.0}, Enclosure(np.array([[1.0]]), 0.1, 1.0))
    assert result.limit == pytest.approx(2.0, rel=1e-6)


def test_normalization_with_given_statistics() -> None:
    x = [[5.0, 2.0]]
    assert run("Normalization", {"mean": 1.0, "variance": 4.0}, x).mid.tolist() == [[2, 0.5]]
    per_channel = {"axis": -1, "mean": [1.0, 0.0], "variance": [4.0, 0.25]}
    assert run("Normalization", per_channel, x).mid.tolist() == [[2, 4]]
    assert run("Normalization", {**per_channel, "invert": True}, x).mid.tolist() == [[11, 1]]


def test_normalization_with_weights() -> None:
    weights = {"mean": [1.0, 0.0], "variance": [4.0, 0.25], "count": 7}
    x = np.array([[[5.0, 1.0], [2.0, 2.0]]])
    assert run("Normalization", {"axis": 1}, x, **weights).mid.tolist() == [[[2, 0], [4, 4]]]
    assert run("Normalization", {"axis": [-1]}, x, **weights).mid.tolist() == [[[2, 2], [0.5, 4]]]
    one = {"mean": 1.0, "variance": 4.0, "count": 7}
    assert run("Normalization", {"axis": None}, [[5.0, 1.0]], **one).mid.tolist() == [[2, 0]]


def test_normalization_over_two_axes_keeps_their_order() -> None:
    x = np.arange(6.0).reshape(1, 2, 3)
    statistics = {"mean": x[0], "variance": np.ones((2, 3)), "count": 1}
    assert not run("Normalization", {"axis": [2, 1]}, x, **statistics).mid.any()


def test_a_tiny_variance_is_held_at_epsilon() -> None:
    """max(√variance, 1e-7), with 1e-7 in float32."""
    assert run("Normalization", {"mean": 0.0, "variance": 0.0}, [[1.0]]).mid[0, 0] == 1 / np.float64(np.float32(1e-7))


def test_normalization_weights_only_without_given_statistics() -> None:
    assert ROW.weights(build(ROW.attributes, {"mean": 0.0, "variance": 1.0}, "n")) == {}
    adapted = build(ROW.attributes, {"axis": [1, 3], "mean": None}, "n")
    assert ROW.weights(adapted) == {"mean": (None, None), "variance": (None, None), "count": ()}


def test_a_wrong_mean_or_variance_is_outside() -> None:
    x = [[0.3, 1.7, -2.2]]
    right = run("Normalization", {"mean": 0.1, "variance": 2.0}, x)
    assert not holds(right, run("Normalization", {"mean": 0.10001, "variance": 2.0}, x).mid)
    assert not holds(right, run("Normalization", {"mean": 0.1, "variance": 2.0001}, x).mid)


@pytest.mark.parametrize(
    ("name", "config", "match"),
    [
        ("Rescaling", {"scale": "half"}, "scale"),
        ("Rescaling", {}, "scale"),
        ("Normalization", {"axis": "last"}, "axis"),
        ("Normalization", {"axis": 3, "mean": 1.0, "variance": 1.0}, "axis 3"),
        ("Normalization", {"mean": [[1.0], [2.0]], "variance": 1.0}, "mean of shape"),
    ],
)
def test_wrong_configurations_are_named(name: str, config: dict[str, object], match: str) -> None:
    with pytest.raises(UnreadableModel, match=match):
        run(name, config, [[1.0, 2.0]])
