"""BatchNormalization at inference."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from support.one import holds, run

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import Unknown, build
from refconv.ops.table import TABLE

STATISTICS: dict[str, Any] = {"moving_mean": [1.0, 2.0], "moving_variance": [3.0, 0.75]}
PLAIN = {"epsilon": 1.0, "center": False, "scale": False}
ROW = TABLE["BatchNormalization"]


def test_by_hand() -> None:
    """√(3 + 1) = 2; ε = 0.25 for the second."""
    x = [[5.0, 3.0]]
    assert run("BatchNormalization", PLAIN, x, **STATISTICS).mid[0, 0] == 2
    config = {"epsilon": 0.25}
    result = run("BatchNormalization", config, x, gamma=[1.0, 3.0], beta=[0.0, -1.0], **STATISTICS)
    assert result.mid[0, 1] == 3 * 1 - 1


def test_axis() -> None:
    x = np.array([[[5.0, 1.0], [2.0, 2.0]]])
    first = run("BatchNormalization", {**PLAIN, "axis": 1}, x, **STATISTICS)
    assert first.mid[0, 0].tolist() == [2, 0]
    last = run("BatchNormalization", {**PLAIN, "axis": [2]}, x, **STATISTICS)
    assert last.mid[0, :, 0].tolist() == [2, 0.5]


def test_weights_in_keras_order() -> None:
    both = build(ROW.attributes, {}, "x")
    assert list(ROW.weights(both)) == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert list(ROW.weights(build(ROW.attributes, PLAIN, "x"))) == ["moving_mean", "moving_variance"]


def test_epsilon_is_float32() -> None:
    """With a variance of 0 the difference between 1e-3 and float32(1e-3) would show."""
    result = run("BatchNormalization", {}, [[1.0]], gamma=[1.0], beta=[0.0], moving_mean=[0.0], moving_variance=[0.0])
    assert result.mid[0, 0] == 1 / np.sqrt(np.float64(np.float32(1e-3)))


def test_a_large_mean_widens_the_bound() -> None:
    """Kernels fold: y = x·inv + (β − μ·inv) loses what x and μ have in common (NUMERICS)."""
    near, far = (
        run("BatchNormalization", PLAIN, [[m + 1]], moving_mean=[m], moving_variance=[3.0]) for m in (0.0, 1000.0)
    )
    assert near.mid == far.mid
    assert far.probable > 500 * near.probable


@pytest.mark.parametrize("fold", [True, False])
@given(st.integers(0, 2**16))
def test_folded_and_centred_float32_lie_inside(fold: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, gamma, beta, mean = (rng.normal(size=(20, 3)).astype("f4") * 3 for _ in range(4))
    gamma, beta, mean = gamma[0], beta[0], mean[0] + np.float32(5)
    variance = np.float32(rng.uniform(0.1, 2, 3))
    inverse = gamma / np.sqrt(variance + np.float32(1e-3))
    y = x * inverse + (beta - mean * inverse) if fold else (x - mean) * inverse + beta
    weights = {"gamma": gamma, "beta": beta, "moving_mean": mean, "moving_variance": variance}
    result = run("BatchNormalization", {}, x, **weights)
    assert y.dtype == np.float32 and holds(result, y)
    wrong = run("BatchNormalization", {"epsilon": 1.1e-3}, x, **weights)
    assert not holds(result, wrong.mid)


def test_infinities_and_nan_pass() -> None:
    x = np.array([[np.inf, -np.inf], [np.nan, 1e-45]], np.float32)
    result = run("BatchNormalization", PLAIN, x, **STATISTICS)
    layer = keras.layers.BatchNormalization(**PLAIN)
    layer.build(x.shape)
    layer.set_weights([np.array(v, np.float32) for v in STATISTICS.values()])
    assert holds(result, layer(tf.constant(x)).numpy())
    assert not holds(result, np.ones((2, 2)))


def test_incoming_radii_are_scaled() -> None:
    incoming = Enclosure(np.array([[5.0, 3.0]]), 0.1, 1.0, 0.01)
    result = run("BatchNormalization", PLAIN, incoming, **STATISTICS)
    assert result.sigma == pytest.approx(np.array([[0.05, 0.1 / np.sqrt(1.75)]]), rel=1e-3)
    assert result.worst[0, 0] == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize(("config", "match"), [({"axis": [1, 2]}, "several"), ({"renorm": True}, "renorm")])
def test_without_reference(config: dict[str, object], match: str) -> None:
    with pytest.raises(Unknown, match=match):
        build(ROW.attributes, config, "bn")


def test_statistics_that_do_not_fit() -> None:
    with pytest.raises(UnreadableModel, match="does not fit axis"):
        run("BatchNormalization", PLAIN, [[1.0, 2.0, 3.0]], **STATISTICS)
    with pytest.raises(UnreadableModel, match="axis 4"):
        run("BatchNormalization", {**PLAIN, "axis": 4}, [[1.0, 2.0]], **STATISTICS)
