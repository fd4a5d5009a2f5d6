"""Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from hypothesis import given
from hypothesis import strategies as st
from support.one import holds, run

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure

A, B, C = [[1.0, -2.0]], [[4.0, 3.0]], [[-8.0, 0.5]]
ELEMENTWISE = {
    "Add": lambda *x: sum(x),
    "Multiply": lambda *x: np.prod(x, axis=0),
    "Average": lambda *x: np.mean(x, axis=0),
    "Maximum": lambda *x: np.max(x, axis=0),
    "Minimum": lambda *x: np.min(x, axis=0),
}


def test_by_hand() -> None:
    assert run("Add", {}, A, B, C).mid.tolist() == [[-3, 1.5]]
    assert run("Subtract", {}, A, B).mid.tolist() == [[-3, -5]]
    assert run("Multiply", {}, A, B, C).mid.tolist() == [[-32, -3]]
    assert run("Average", {}, A, B).mid.tolist() == [[2.5, 0.5]]
    assert run("Maximum", {}, A, B, C).mid.tolist() == [[4, 3]]
    assert run("Minimum", {}, A, B, C).mid.tolist() == [[-8, -2]]
    assert run("Concatenate", {}, A, B).mid.tolist() == [[1, -2, 4, 3]]
    assert run("Concatenate", {"axis": 0}, A, B).mid.tolist() == [[1, -2], [4, 3]]


def test_one_input_is_enough() -> None:
    assert run("Add", {}, A).mid.tolist() == run("Multiply", {}, A).mid.tolist() == A


def test_missing_axes_come_after_the_batch() -> None:
    """NumPy would put them before it."""
    wide, narrow = np.arange(8.0).reshape(2, 2, 2), np.array([[10.0, 20.0], [30.0, 40.0]])
    assert run("Add", {}, wide, narrow).mid.tolist() == (wide + narrow[:, None, :]).tolist()
    assert run("Maximum", {}, wide, narrow).mid.tolist() == np.broadcast_to(narrow[:, None], (2, 2, 2)).tolist()


def test_keras_takes_a_column_for_a_bias() -> None:
    """Keras 3.15 adds a tensor with one axis longer than 1 along the channels, whichever axis it is; Keras 2 does not.

    The layer's documentation promises broadcasting, so such a layer is a mismatch.
    """
    x, column = np.array([[1, 2], [3, 4]], np.float32), np.array([[10], [20]], np.float32)
    result = run("Add", {}, x, column)
    assert result.mid.tolist() == [[11, 12], [23, 24]]
    assert holds(result, tf_keras.layers.Add()([tf.constant(x), tf.constant(column)]).numpy())
    keras3 = keras.layers.Add()([tf.constant(x), tf.constant(column)]).numpy()
    assert holds(result, keras3) == np.array_equal(keras3, result.mid)
    assert not holds(result, x + column.T)


@pytest.mark.parametrize("name", ELEMENTWISE)
@given(st.integers(0, 2**16), st.integers(2, 5))
def test_float32_execution_lies_inside_and_faults_outside(name: str, seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    xs = [rng.normal(size=(3, 4)).astype("f4") for _ in range(count)]
    result = run(name, {}, *xs)
    y = ELEMENTWISE[name](*xs)
    assert y.dtype == np.float32 and holds(result, y)
    assert not holds(result, y * np.float32(1.0001))


@pytest.mark.parametrize("name", ELEMENTWISE)
@given(st.integers(0, 2**16), st.floats(0, 2))
def test_radii_hold_every_value(name: str, seed: int, radius: float) -> None:
    rng = np.random.default_rng(seed)
    xs = [rng.normal(size=(2, 3)) for _ in range(3)]
    moved = [x + rng.uniform(-radius, radius, x.shape) for x in xs]
    result = run(name, {}, *(Enclosure(x, radius / 10, radius) for x in xs))
    inside = ELEMENTWISE[name](*moved)
    assert np.all(np.abs(inside - result.mid) <= np.asarray(result.limit) * (1 + 1e-12))


@pytest.mark.parametrize("name", ["Maximum", "Minimum", "Concatenate"])
def test_selection_is_exact(name: str) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3))
    assert run(name, {}, x, -x).exact
    assert not run(name, {}, Enclosure(x, 0.1, 1.0), -x).exact
    assert not run("Add", {}, x, -x).exact


def test_maximum_looks_at_every_input_within_reach() -> None:
    """An input 6 below the largest, that may be 12 off as 6 of one kind and 6 of another, may win by 6."""
    low, high = Enclosure(np.array([[4.0]]), 0.6, 6.0, 6.0), Enclosure(np.array([[10.0]]))
    assert run("Maximum", {}, low, high).limit == 6.0


@pytest.mark.parametrize("layer", ["Add", "Multiply", "Average", "Maximum", "Minimum"])
def test_nan_infinities_and_subnormals(layer: str) -> None:
    x = np.array([[np.nan, np.inf, np.inf, 1e-40, 1e-30, 3e38]], np.float32)
    y = np.array([[1, -np.inf, 2, 1e-40, 1e-30, 3e38]], np.float32)
    result = run(layer, {}, x, y)
    for module in (keras, tf_keras):
        got = getattr(module.layers, layer)()([tf.constant(x), tf.constant(y)]).numpy()
        assert holds(result, got)
    for i in range(3):
        got[0, i] = 7
        assert not holds(result, got)
        got[0, i] = result.mid[0, i]


def test_concatenate_keeps_integers_and_radii() -> None:
    assert run("Concatenate", {}, np.array([[1]]), np.array([[2]])).mid.dtype.kind == "i"
    joined = run("Concatenate", {"axis": 1}, Enclosure(np.array([[1.0]]), 0.1, 1.0), [[2.0, 3.0]])
    assert joined.sigma.tolist() == [[0.1, 0, 0]] and joined.worst.tolist() == [[1, 0, 0]]


@pytest.mark.parametrize(
    ("name", "config", "inputs", "match"),
    [
        ("Subtract", {}, (A, B, C), "2 inputs"),
        ("Add", {}, (A, [[1.0, 2.0, 3.0]]), "do not broadcast"),
        ("Concatenate", {"axis": 0}, (A, [[1.0, 2.0, 3.0]]), "cannot be joined"),
        ("Concatenate", {"axis": 2}, (A, B), "axis 2"),
    ],
)
def test_refuses(name: str, config: dict[str, Any], inputs: tuple[Any, ...], match: str) -> None:
    with pytest.raises(UnreadableModel, match=match):
        run(name, config, *inputs)
