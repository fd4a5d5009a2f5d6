"""Flatten, Reshape, Permute, RepeatVector: every element arrives, with its radius, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.one import run

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure

X = np.arange(6.0).reshape(1, 2, 3)
LAYERS = [
    ("Flatten", {}),
    ("Flatten", {"data_format": "channels_first"}),
    ("Reshape", {"target_shape": [3, -1]}),
    ("Permute", {"dims": [2, 1]}),
]


def test_flatten() -> None:
    assert run("Flatten", {}, X).mid.tolist() == [[0, 1, 2, 3, 4, 5]]
    assert run("Flatten", {}, [1.0, 2.0]).mid.tolist() == [[1], [2]]


def test_flatten_channels_first_moves_the_channels_last() -> None:
    """Since Keras 2.2: the weights after it are those of a channels-last model (TRAPS 24)."""
    assert run("Flatten", {"data_format": "channels_first"}, X).mid.tolist() == [[0, 3, 1, 4, 2, 5]]


def test_reshape() -> None:
    assert run("Reshape", {"target_shape": [3, 2]}, X).mid.tolist() == [[[0, 1], [2, 3], [4, 5]]]
    assert run("Reshape", {"target_shape": [-1, 1, 2]}, X).mid.shape == (1, 3, 1, 2)
    assert run("Reshape", {"target_shape": [6]}, X).mid.shape == (1, 6)


def test_permute() -> None:
    assert run("Permute", {"dims": [2, 1]}, X).mid.tolist() == [[[0, 3], [1, 4], [2, 5]]]
    assert run("Permute", {"dims": [3, 1, 2]}, np.zeros((1, 2, 3, 4))).mid.shape == (1, 4, 2, 3)


def test_repeat_vector() -> None:
    assert run("RepeatVector", {"n": 2}, [[1.0, 2.0]]).mid.tolist() == [[[1, 2], [1, 2]]]


@pytest.mark.parametrize(("name", "config"), LAYERS)
def test_integers_stay_integers(name: str, config: dict[str, object]) -> None:
    assert run(name, config, X.astype(np.int32)).mid.dtype == np.int32


@pytest.mark.parametrize(("name", "config"), LAYERS)
@given(st.sampled_from([(2, 2, 3), (2, 1, 3), (1, 1, 1)]))
def test_radii_move_with_their_elements(name: str, config: dict[str, object], shape: tuple[int, ...]) -> None:
    """Fields that only broadcast against mid are no exception."""
    x = np.random.default_rng(0).normal(size=(2, 2, 3))
    sigma = np.abs(x[tuple(slice(n) for n in shape)])
    moved = run(name, config, Enclosure(x, sigma, 1.0, floor=sigma))
    assert np.array_equal(moved.mid, run(name, config, Enclosure(x)).mid)
    assert np.array_equal(moved.sigma, run(name, config, Enclosure(np.broadcast_to(sigma, x.shape))).mid)
    assert np.array_equal(moved.floor, moved.sigma) and np.all(moved.worst == 1.0)


@pytest.mark.parametrize(
    ("name", "config", "match"),
    [
        ("Reshape", {"target_shape": [4]}, "cannot be reshaped"),
        ("Reshape", {"target_shape": [-1, 4]}, "cannot be reshaped"),
        ("Reshape", {"target_shape": [-1, -1]}, "at most one"),
        ("Reshape", {}, "target_shape"),
        ("Permute", {"dims": [1, 1]}, "each of"),
        ("Permute", {"dims": [1, 2, 3]}, "4 dimensions"),
        ("RepeatVector", {"n": 2}, "2 dimensions"),
        ("RepeatVector", {"n": 0}, "at least 1"),
        ("Flatten", {"data_format": "sideways"}, "data_format"),
    ],
)
def test_refuses(name: str, config: dict[str, object], match: str) -> None:
    with pytest.raises(UnreadableModel, match=match):
        run(name, config, X)
