"""Through an activation: where a scale error pushes each output, and what is not mistaken for one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.live import capture_live

from refconv import formats
from refconv.compare.direction import HIDES, Direction, direction, readable
from refconv.compare.slope import SLOPE, measure
from refconv.graph import Node, Origin
from refconv.numerics.enclosure import Enclosure
from refconv.ops.activations import activation
from refconv.ops.base import Context
from refconv.ops.dense import Dense
from refconv.pipeline import Options, verify
from refconv.primitives.numpy_engine import ENGINE
from refconv.result import CheckResult, Verdict

U = 2.0**-24
CURVED = ("softmax", "sigmoid", "tanh", "elu", "softplus", "silu")


def found(name: str, z: list[list[float]]) -> Direction:
    """Of Dense(activation=name) whose sums are z."""
    sums = np.array(z, np.float32)
    weights = {"kernel": np.eye(sums.shape[-1], dtype=np.float32)}
    node = Node(
        0, "dense", "Dense", Dense(sums.shape[-1], activation(name), use_bias=False), (), Origin("Dense", "keras3")
    )
    return direction(node, weights, (sums,), Context(ENGINE), np.ones_like(sums, float))


def test_directions_by_hand():
    assert found("tanh", [[0.5, -0.1]]).along == pytest.approx(np.array([[0.5, -0.1]]) / np.cosh([[0.5, 0.1]]) ** 2)
    p = np.array([1, np.e**-1, np.e**-3]) / (1 + np.e**-1 + np.e**-3)
    z = np.array([2.0, 1.0, -1.0])
    assert found("softmax", [z.tolist()]).along == pytest.approx((p * (z - p @ z))[None])
    assert np.array_equal(found("relu", [[1.0, 2.0]]).along, np.ones((1, 2)))  # the output itself


def test_an_output_whose_function_may_err_by_more_says_nothing():
    """sigmoid(20) is 1 but for 2e-9, and a scale error moves it by less than its rounding."""
    assert found("sigmoid", [[20.0, -2.0]]).along[0, 0] == 0
    assert found("sigmoid", [[20.0, -2.0]]).along[0, 1] != 0
    assert HIDES + SLOPE < 1e-6 / U


def test_what_no_direction_is_known_for():
    assert all(readable(activation(name)) for name in (*CURVED, "linear", "relu"))
    assert not readable(activation({"name": "softmax", "parameters": {"axis": 1}}))
    assert not readable(activation("log_softmax"))


def test_a_factor_that_a_row_shares_has_no_slope():
    """softmax divides a whole sample by one rounded sum."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2, 10)) * 3
    y = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    along = y * (z - (y * z).sum(-1, keepdims=True))
    enclosure, joint = Enclosure(y, 10 * U * y, 1.0), Direction(along, 0.0, joint=True)
    shared = y * (1 + np.array([[40 * U], [-40 * U]]))
    assert abs(measure(enclosure, shared, joint).slope) < 1e-5
    assert abs(measure(enclosure, shared, Direction(along)).slope) > 1
    scaled = y + 1e-6 * along
    assert measure(enclosure, scaled, joint).slope == pytest.approx(1e-6 / U, rel=1e-3)
    assert measure(enclosure, scaled, joint).count == 18


def test_the_error_of_an_outweighing_class_is_shared_by_all_others():
    """One logit far above the others: its own error moves them all together, by much more than theirs differ."""
    rng = np.random.default_rng(1)
    z = np.float32(rng.normal(size=(1, 900)) * 12)
    z[0, 0] = z.max() + 5
    along = found("softmax", z.tolist())
    y, spread = np.exp(z.astype(float)), 500 * U
    y /= y.sum()
    within = Direction(y * (z - (y * z).sum()), 0.0, joint=True, sigma=spread * y)
    whole = Enclosure(y, np.where(y > 0.5, 10 * U, 3 * spread) * y, 1.0)  # its own output is all but saturated
    errors = rng.normal(size=z.shape) * spread / 4
    errors[0, 0] = spread
    moved = y * np.exp(errors - np.log(np.sum(y * np.exp(errors))))
    assert np.median(moved / y - 1) < -spread / 2
    trend = measure(whole, moved, within)
    assert abs(trend.slope) < trend.limit < 4
    assert trend.scatter == pytest.approx(0.25, rel=0.1)
    blind = measure(whole, moved, Direction(within.along, 0.0, joint=True))
    assert abs(blind.slope) > blind.limit
    scaled = moved * (1 + 1e-6 * within.along / y)
    assert measure(whole, scaled, within).reason
    differences = (z.max() - z) * U / np.sqrt(3)
    assert along.sigma == pytest.approx(np.hypot(sums_sigma(z), differences), rel=1e-3)  # y is one in `found`


def sums_sigma(z: np.ndarray) -> np.ndarray:
    """Of a sum whose one term is z, and 899 that are zero."""
    return U * np.sqrt(901 * 3 / 6) * np.abs(z.astype(float))


def built(keras: Any, name: str) -> Any:
    rng = np.random.default_rng(5)
    inside, head = (name, "softmax") if name != "softmax" else ("linear", name)
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            keras.layers.Conv2D(8, 3, activation=inside, name="conv"),
            keras.layers.GlobalAveragePooling2D(name="pool"),
            keras.layers.Dense(10, activation=head, name="head"),
        ]
    )
    for layer, spread in (("conv", 0.5), ("head", 2.0)):  # neither is saturated, and the head's logits differ
        for weight in model.get_layer(layer).weights:
            weight.assign(rng.uniform(-spread, spread, weight.shape))
    return model


def check(keras: Any, path: Any, mode: str, layer: str = "", scale: float = 0.0) -> CheckResult:
    graph, model = formats.load(path), keras.models.load_model(path, compile=False)
    if layer:
        weights = model.get_layer(layer).get_weights()
        model.get_layer(layer).set_weights([(w * (1 + scale)).astype(np.float32) for w in weights])
    x = np.random.default_rng(9).normal(size=(4, 12, 12, 3)).astype(np.float32)
    return verify(graph, capture_live(model, [x], keras=3, mode=mode), [x], Options(), seeded=True)


@pytest.mark.parametrize("name", CURVED)
def test_a_scale_error_behind_an_activation(name: str, tmp_path: Any):
    keras = pytest.importorskip("keras")
    built(keras, name).save(tmp_path / "model.keras")
    for mode in ("graph", "xla"):
        healthy = check(keras, tmp_path / "model.keras", mode)
        assert {f.name for f in healthy.layers if f.outputs[0].slope is not None} >= {"conv", "head"}
        assert [f.name for f in healthy.layers if f.verdict is Verdict.SUSPECT] == []
    for layer in ("conv", "head"):
        wrong = check(keras, tmp_path / "model.keras", "graph", layer, 1e-6)
        assert [f.name for f in wrong.layers if f.verdict is Verdict.SUSPECT] == [layer]
