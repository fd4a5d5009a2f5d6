"""MaxPooling2D and AveragePooling2D by hand: SAME's divisor, NaN, and the bound of a mean."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.laws import CONTEXT
from support.one import holds, run

from refconv.compare.stage1 import deviate
from refconv.errors import UnreadableModel
from refconv.numerics.moments import Moments
from refconv.ops.mean import mean

NINE = np.arange(9.0).reshape(1, 3, 3, 1)
U, TINY = 2.0**-24, 2.0**-126


def pool(kind: str, x: Any, **config: Any) -> Any:
    return run(f"{kind}Pooling2D", config, np.asarray(x, dtype=np.float32))


def test_average_same_divides_by_what_is_inside() -> None:
    """TRAPS 8: zeros of the padding do not count, neither above nor below the line."""
    found = pool("Average", NINE, padding="same")
    assert found.mid.ravel().tolist() == [2, 3.5, 6.5, 8]
    assert holds(found, np.array([2, 3.5, 6.5, 8]).reshape(1, 2, 2, 1))
    assert not holds(found, np.array([2, 1.75, 3.25, 2]).reshape(1, 2, 2, 1))


def test_valid_leaves_the_rest_out() -> None:
    assert pool("Average", NINE).mid.ravel().tolist() == [2]
    assert pool("Max", NINE).mid.ravel().tolist() == [4]
    assert pool("Max", NINE, strides=1).mid.ravel().tolist() == [4, 5, 7, 8]


def test_max_same() -> None:
    assert pool("Max", NINE - 20, padding="same").mid.ravel().tolist() == [-16, -15, -13, -12]


def test_strides_default_to_the_pool() -> None:
    assert pool("Max", np.zeros((1, 6, 6, 1)), pool_size=[2, 3]).mid.shape == (1, 3, 2, 1)
    assert pool("Max", np.zeros((1, 6, 6, 1)), pool_size=[2, 3], strides=[1, 1]).mid.shape == (1, 5, 4, 1)


def test_layouts() -> None:
    x = np.random.default_rng(0).standard_normal((2, 5, 6, 3))
    for kind in ("Max", "Average"):
        last = pool(kind, x, padding="same")
        first = pool(kind, x.transpose(0, 3, 1, 2), padding="same", data_format="channels_first")
        assert np.array_equal(first.mid.transpose(0, 2, 3, 1), last.mid)


def test_max_is_exact_and_the_average_of_a_power_of_two() -> None:
    x = np.random.default_rng(0).standard_normal((1, 4, 4, 2))
    assert pool("Max", x).exact
    assert not pool("Average", x).exact
    assert pool("Average", np.round(x * 8)).exact
    assert not pool("Average", np.round(x * 8), pool_size=3).exact


def test_nan_is_kept_and_tensorflow_drops_it() -> None:
    """TRAPS 15: its CPU kernel loses NaN, in eager mode, graphs and XLA alike; such a layer is a mismatch."""
    x = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    x[0, 0, 0, 0] = np.nan
    found = pool("Max", x)
    assert np.array_equal(found.mid.ravel(), [np.nan, 7, 13, 15], equal_nan=True)
    got = np.asarray(keras.layers.MaxPooling2D()(tf.constant(x)))
    assert got.ravel().tolist() == [5, 7, 13, 15]
    assert deviate(found, got).impossible.ravel().tolist() == [True, False, False, False]


def test_infinities_are_values() -> None:
    x = np.full((1, 2, 2, 1), -np.inf)
    assert pool("Max", x, padding="same", pool_size=3, strides=1).mid.ravel().tolist() == [-np.inf] * 4
    assert pool("Average", x).mid.item() == -np.inf


def test_an_input_of_another_rank() -> None:
    with pytest.raises(UnreadableModel, match="4 dimensions is wanted, this one has 3"):
        pool("Max", np.ones((3, 3, 1)))


def test_mean_by_hand() -> None:
    """Terms 1, 2, 3 over n = 3: y = 2, Q = 14/9, A = 2, in the formula of NUMERICS."""
    m = Moments(np.array(6.0), np.array(14.0), 3, np.array(6.0))
    found = mean(m, CONTEXT.arithmetic)
    assert found.mid == 2
    assert np.isclose(found.sigma, U * np.sqrt(4 * (4 / 3 + 14 / 54) + 4))
    assert np.isclose(found.worst, 5 * U * 2, rtol=1e-6)
    assert found.floor == 5 * TINY


def test_mean_of_large_values_may_overflow_before_it_divides() -> None:
    assert pool("Average", np.full((1, 2, 2, 1), 3e38)).overflow.all()
    assert not np.any(pool("Average", np.full((1, 2, 2, 1), 3e37)).overflow)


@pytest.mark.parametrize("size", [3, 7])
def test_every_way_to_divide_is_inside_the_worst_case(size: int) -> None:
    """A division, a multiplied sum and multiplied terms, each in float32 and in order."""
    x = np.random.default_rng(size).standard_normal((1, size, size, 50)).astype(np.float32)
    found, terms = pool("Average", x, pool_size=size), x.reshape(-1, 50)
    part = np.float32(1) / np.float32(size * size)
    total = np.cumsum(terms, axis=0, dtype=np.float32)[-1]
    for got in (total / np.float32(size * size), total * part, np.cumsum(terms * part, axis=0, dtype=np.float32)[-1]):
        deviation = deviate(found, got.reshape(1, 1, 1, 50))
        assert not deviation.impossible.any()
        assert not deviation.outside.any()
