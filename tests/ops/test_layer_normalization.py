"""Normalisation by an input's own statistics: LayerNormalization, GroupNormalization, UnitNormalization."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from hypothesis import given
from hypothesis import strategies as st
from support.laws import run_row
from support.one import floats, holds, run

from refconv.compare.declared import mixed
from refconv.compare.stage1 import deviate
from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure, point
from refconv.numerics.formats import FLOAT16
from refconv.ops.attributes import build
from refconv.ops.base import Context
from refconv.ops.statistics import over_axes, sum_mean
from refconv.ops.table import TABLE
from refconv.primitives.numpy_engine import ENGINE

BARE: dict[str, Any] = {"center": False, "scale": False}
SEEDS = st.integers(0, 2**16)
CONTEXT = Context(ENGINE)


def test_by_hand() -> None:
    """1, 3: mean 2, variance 1; with ε = 3 the root is 2."""
    assert run("LayerNormalization", {**BARE, "epsilon": 3.0}, [[1.0, 3.0]]).mid.tolist() == [[-0.5, 0.5]]
    scaled = run("LayerNormalization", {"epsilon": 3.0}, [[1.0, 3.0]], gamma=[2.0, 4.0], beta=[1.0, 0.5])
    assert scaled.mid.tolist() == [[0.0, 2.5]]


def test_rms_scaling_divides_by_the_deviation_and_takes_off_no_mean() -> None:
    """As Keras 3 computes it; γ is there without `scale` too, and β never."""
    config = {"epsilon": 3.0, "rms_scaling": True}
    attrs = build(TABLE["LayerNormalization"].attributes, {**config, "scale": False}, "x")
    assert list(TABLE["LayerNormalization"].weights(attrs)) == ["gamma"]
    assert run("LayerNormalization", config, [[1.0, 3.0]], gamma=[1.0, 2.0]).mid.tolist() == [[0.5, 3.0]]


def test_rms_scaling_beside_keras() -> None:
    x = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32) + 2
    with pytest.warns(UserWarning, match="rms_scaling"):
        layer = keras.layers.LayerNormalization(rms_scaling=True)
        layer.build(x.shape)
        layer.gamma.assign(np.linspace(0.5, 1.5, 7))
        got = layer(x).numpy()
    assert holds(run("LayerNormalization", {"rms_scaling": True}, x, gamma=np.linspace(0.5, 1.5, 7)), got)


def test_several_axes() -> None:
    x = np.arange(24.0).reshape(1, 2, 3, 4)
    result = run("LayerNormalization", {**BARE, "axis": [1, -1]}, x)
    d = x - x.mean(axis=(1, 3), keepdims=True)
    np.testing.assert_allclose(result.mid, d / np.sqrt((d**2).mean(axis=(1, 3), keepdims=True) + np.float32(1e-3)))


def test_groups_by_hand() -> None:
    """Two groups of two channels: 1, 3 and 5, 5."""
    config = {**BARE, "groups": 2, "epsilon": 3.0}
    assert run("GroupNormalization", config, [[1.0, 3.0, 5.0, 5.0]]).mid.tolist() == [[-0.5, 0.5, 0, 0]]
    first = run("GroupNormalization", {**config, "axis": 1}, np.array([[[1.0], [3.0], [5.0], [5.0]]]))
    assert first.mid.ravel().tolist() == [-0.5, 0.5, 0, 0]
    own = run("GroupNormalization", {**config, "groups": -1}, np.array([[[1.0, 5.0], [3.0, 5.0]]]))
    assert own.mid.tolist() == [[[-0.5, 0], [0.5, 0]]]


def test_unit_length_by_hand() -> None:
    assert run("UnitNormalization", {}, [[3.0, -4.0]]).mid.tolist() == [[0.6, -0.8]]
    assert run("UnitNormalization", {"least": 10.0}, [[3.0, -4.0]]).mid.tolist() == [[0.3, -0.4]]
    assert run("UnitNormalization", {"axis": [1, 2]}, np.full((1, 2, 2), 0.25)).mid.ravel().tolist() == [0.5] * 4


@pytest.mark.parametrize("version", [2, 3])
def test_the_shortest_length_is_each_version_s_own(version: int) -> None:
    """A vector of length 1e-9 is divided by 1e-6 in Keras 2, by its length in Keras 3; zeros stay zeros."""
    x = np.array([[3e-10, 4e-10], [0.0, 0.0], [1e-30, 0.0]], np.float32)
    case = run_row("UnitNormalization", {"axis": -1}, [x], version)
    assert case.enclosures[0].mid[0, 0] == pytest.approx(0.6 if version == 3 else 3e-4, rel=1e-6)
    assert holds(case.enclosures[0], case.outputs[0])


def folded(x: Any, mean: Any, inverse: Any, beta: Any) -> Any:
    return x * inverse + (beta - mean * inverse)


def centred(x: Any, mean: Any, inverse: Any, beta: Any) -> Any:
    return (x - mean) * inverse + beta


@pytest.mark.parametrize("finish", [folded, centred])
@given(SEEDS, st.sampled_from([0.0, 5.0, 300.0]))
def test_float32_kernels_lie_inside_and_faults_outside(finish: Any, seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(20, 48)) * 3 + shift).astype("f4")
    gamma, beta = rng.normal(size=(2, 48)).astype("f4")
    mean = x.mean(axis=-1, keepdims=True, dtype="f4")
    variance = np.mean((x - mean) ** 2, axis=-1, keepdims=True, dtype="f4")
    y = finish(x, mean, gamma / np.sqrt(variance + np.float32(1e-3)), beta)
    result = run("LayerNormalization", {}, x, gamma=gamma, beta=beta)
    assert y.dtype == np.float32 and holds(result, y)
    for config, changed in (({"epsilon": 1e-2}, {}), ({}, {"gamma": gamma * np.float32(1.001)})):
        wrong = run("LayerNormalization", config, x, **{"gamma": gamma, "beta": beta, **changed}).mid
        assert not holds(result, wrong)
    sample = np.var(x.astype(float), axis=-1, ddof=1, keepdims=True)
    assert not holds(result, finish(x, mean, gamma / np.sqrt(sample + 1e-3), beta))


def test_variance_by_squares_lies_inside_where_keras_2_may_compute_it() -> None:
    """XLA expands its fused kernel to Σx²/n − μ², which loses digits where the mean is large."""
    x = (np.random.default_rng(1).normal(size=(8, 64)) + 100).astype("f4")
    mean = x.mean(axis=-1, keepdims=True, dtype="f4")
    variance = np.mean(x * x, axis=-1, keepdims=True, dtype="f4") - mean * mean
    y = (x - mean) / np.sqrt(variance + np.float32(1e-3))
    assert holds(run("LayerNormalization", {**BARE, "fused": True}, x), y)
    assert not holds(run("LayerNormalization", BARE, x), y)
    with_small = {**BARE, "fused": True, "epsilon": 1e-5}  # below the fused kernel's least epsilon
    assert not holds(run("LayerNormalization", with_small, x), y)


def sequential(x: np.ndarray) -> np.ndarray:
    """The mean of each row, one element after the other in float32."""
    total = np.zeros(len(x), np.float32)
    for column in x.T:
        total = total + column
    return total / np.float32(x.shape[1])


@pytest.mark.parametrize(
    "row",
    [
        np.repeat([1.0, -1.0], 2000) * 1.1,
        np.full(4000, 1.1),
        np.sort(np.linspace(-3, 5, 4000)),
        np.sin(np.arange(4000)),
    ],
    ids=["two runs", "constant", "sorted", "sine"],
)
def test_means_of_data_with_an_order_lie_inside(row: np.ndarray) -> None:
    """There is no stage 2 behind a statistic: its σ knows the partial sums, and repeated values."""
    x = row.astype("f4")[None]
    result = sum_mean(x.astype(float), (1,), CONTEXT.arithmetic)
    assert abs(sequential(x)[0] - result.mid[0, 0]) <= result.probable[0, 0]
    assert result.probable[0, 0] < np.abs(x).max() * 1e-3


@given(SEEDS, st.floats(0, 0.5))
def test_incoming_radii_hold_every_value(seed: int, radius: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, 6))
    moved = x + rng.uniform(-radius, radius, x.shape)
    result = run("LayerNormalization", BARE, Enclosure(x, radius / 10, radius))
    own = run("LayerNormalization", BARE, point(moved)).mid
    assert np.all(np.abs(own - result.mid) <= np.asarray(result.limit) * (1 + 1e-9))
    unit = run("UnitNormalization", {}, Enclosure(x, radius / 10, radius))
    assert np.all(np.abs(run("UnitNormalization", {}, point(moved)).mid - unit.mid) <= np.asarray(unit.limit))


def test_variance_is_never_below_zero() -> None:
    """Of a constant row nothing but ε is left: the bound must not reach a root of a negative number."""
    found = over_axes(point(np.full((1, 8), 0.1)), (1,), CONTEXT.arithmetic)
    assert found.variance.mid.item() == 0
    result = run("LayerNormalization", {**BARE, "epsilon": 1e-6}, np.full((1, 8), np.float32(0.1)))
    assert np.isfinite(result.limit).all()


@pytest.mark.parametrize("package", [keras, tf_keras])
@pytest.mark.parametrize("epsilon", [1e-3, 1e-6])
def test_mixed_precision(package: Any, epsilon: float) -> None:
    """Keras 2's fused kernel hands on float16, to which γ and β are applied in float16; the others round once."""
    x = np.random.default_rng(2).normal(size=(6, 16)).astype(np.float16)
    gamma, beta = np.random.default_rng(3).normal(size=(2, 16)).astype("f4")
    layer = package.layers.LayerNormalization(epsilon=epsilon, dtype="mixed_float16")
    layer.build(x.shape)
    layer.set_weights([gamma, beta])
    got = layer(tf.constant(x)).numpy()
    row = TABLE["LayerNormalization"]
    attrs = build(row.attributes, {"epsilon": epsilon, "fused": package is tf_keras}, "x")
    context = Context(ENGINE, arithmetic=mixed(FLOAT16)[0])
    result = row.forward(attrs, {"gamma": gamma, "beta": beta}, [point(x)], context)
    assert got.dtype == np.float16 and not deviate(result, got, FLOAT16).outside.any()  # type: ignore[arg-type]
    assert deviate(result, got * np.float16(1.01), FLOAT16).outside.any()  # type: ignore[arg-type]


def test_nan_and_infinity_pass() -> None:
    x = floats([[np.inf, 1.0, 2.0], [np.nan, 1.0, 2.0], [1e30, 1.0, 2.0]])
    layer = keras.layers.LayerNormalization(center=False, scale=False)
    assert holds(run("LayerNormalization", BARE, x), layer(tf.constant(x)).numpy())


@pytest.mark.parametrize(
    ("name", "config", "weights", "match"),
    [
        ("LayerNormalization", {}, {"gamma": [1.0], "beta": [1.0]}, "gamma of shape"),
        ("LayerNormalization", {**BARE, "axis": 3}, {}, "axis 3"),
        ("GroupNormalization", {**BARE, "groups": 3}, {}, "4 channels cannot be split into 3"),
        ("LayerScale", {"projection_dim": 3}, {"gamma": [1.0, 1.0, 1.0]}, "gamma of shape"),
    ],
)
def test_refuses(name: str, config: dict[str, Any], weights: dict[str, Any], match: str) -> None:
    with pytest.raises(UnreadableModel, match=match):
        run(name, config, [[1.0, 2.0, 3.0, 4.0]], **weights)


def test_custom_scale_by_hand() -> None:
    """x₀ + x₁·scale, of two tensors of one shape."""
    assert run("CustomScaleLayer", {"scale": 0.5}, [[1.0, 2.0]], [[3.0, 4.0]]).mid.tolist() == [[2.5, 4.0]]
    with pytest.raises(UnreadableModel, match="two inputs"):
        run("CustomScaleLayer", {"scale": 0.5}, [[1.0, 2.0]], [[3.0]])
