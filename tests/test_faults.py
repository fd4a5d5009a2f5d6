"""A wrong model is caught: exactly the layer whose arithmetic was changed fails, and no other.

The graph is that of the original file; the framework runs the original model (nothing fails), then the model with one
fault planted in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.live import capture_live
from support.planting import one_percent, set_weight

from refconv import formats
from refconv.pipeline import Options, verify
from refconv.result import CheckResult, Verdict

keras = pytest.importorskip("keras")

STRUCTURAL, SMALL = (Verdict.MISMATCH,), (Verdict.MISMATCH, Verdict.SUSPECT)


def build() -> Any:
    """Convolutions of odd and even size, strided and not, grouped, depthwise; statistics and biases drawn."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(16, 3, strides=2, padding="same", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.DepthwiseConv2D(3, padding="same", name="depthwise"),
            layers.Conv2D(32, 3, groups=4, activation="relu", name="grouped"),
            layers.AveragePooling2D(2, padding="same", name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, activation="softmax", name="dense"),
        ]
    )
    rng = np.random.default_rng(5)
    for weight in model.weights:
        spread = (0.5, 2.0) if weight.name in ("gamma", "moving_variance") else (-0.5, 0.5)
        weight.assign(rng.uniform(*spread, weight.shape))
    return model


def swapped_same_side(model: Any) -> None:
    """SAME at stride 2 puts the odd zero before instead of after."""
    conv = model.get_layer("conv")

    def call(x: Any) -> Any:
        padded = keras.ops.pad(x, ((0, 0), (1, 0), (1, 0), (0, 0)))
        y = keras.ops.conv(padded, conv.kernel, strides=2, padding="valid")
        return y + conv.bias

    vars(conv)["call"] = call


def other_epsilon(model: Any) -> None:
    model.get_layer("norm").epsilon = 1.1e-3


def other_groups(w: np.ndarray) -> np.ndarray:
    return np.roll(w, 8, axis=-1)


FAULTS = {
    "conv: kernel flipped": ("conv", set_weight("conv", 0, lambda w: w[::-1, ::-1].copy()), STRUCTURAL),
    "conv: H and W swapped": ("conv", set_weight("conv", 0, lambda w: w.transpose(1, 0, 2, 3).copy()), STRUCTURAL),
    "conv: SAME side swapped": ("conv", swapped_same_side, STRUCTURAL),
    "conv: bias missing": ("conv", set_weight("conv", 1, np.zeros_like), STRUCTURAL),
    "conv: one weight by 1%": ("conv", set_weight("conv", 0, one_percent), SMALL),
    "norm: epsilon": ("norm", other_epsilon, SMALL),
    "norm: mean by 1%": ("norm", set_weight("norm", 2, one_percent), SMALL),
    "depthwise: kernel flipped": ("depthwise", set_weight("depthwise", 0, lambda w: w[::-1].copy()), STRUCTURAL),
    "depthwise: one weight by 1%": ("depthwise", set_weight("depthwise", 0, one_percent), SMALL),
    "grouped: filters of another group": ("grouped", set_weight("grouped", 0, other_groups), STRUCTURAL),
    "grouped: one weight by 1%": ("grouped", set_weight("grouped", 0, one_percent), SMALL),
    "dense: one weight by 1%": ("dense", set_weight("dense", 0, one_percent), SMALL),
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("faults") / "model.keras"
    build().save(path)
    return path


def check(path: Any, plant: Callable[[Any], None] | None = None, **options: Any) -> CheckResult:
    graph, model = formats.load(path), keras.models.load_model(path, compile=False)
    if plant:
        plant(model)
    x = np.random.default_rng(9).normal(size=(2, 12, 12, 3)).astype(np.float32)
    return verify(graph, capture_live(model, [x], keras=3), [x], Options(**options))


def failing(result: CheckResult) -> dict[str, Verdict]:
    return {layer.name: layer.verdict for layer in result.layers if layer.verdict in SMALL}


def test_the_original_passes(original: Any) -> None:
    result = check(original)
    assert failing(result) == {}
    assert result.exit_code == 0
    assert result.counts["verified"] == len(result.layers) == 8


@pytest.mark.parametrize("fault", FAULTS)
def test_exactly_the_faulty_layer_fails(original: Any, fault: str) -> None:
    layer, plant, verdicts = FAULTS[fault]
    result = check(original, plant)
    assert list(failing(result)) == [layer]
    assert failing(result)[layer] in verdicts
    assert result.exit_code == 1


def test_only_the_plain_run_is_wrong(original: Any) -> None:
    """Every layer agrees, yet `predict` gives something else: the run fails and says so."""
    graph, model = formats.load(original), keras.models.load_model(original, compile=False)
    x = np.random.default_rng(9).normal(size=(2, 12, 12, 3)).astype(np.float32)
    trace = capture_live(model, [x], keras=3)
    trace.plain[0] = trace.plain[0] * np.float32(1.001)
    result = verify(graph, trace, [x], Options())
    assert failing(result) == {}
    assert (result.exit_code, result.plain.ok) == (1, False)
    assert "predict" in result.plain.reason


def test_a_selection_is_partial_and_fail_fast_stops(original: Any) -> None:
    selected = check(original, layers=("conv", "de*"))
    assert [layer.name for layer in selected.layers] == ["conv", "depthwise", "dense"]
    assert selected.partial
    assert selected.exit_code == 0
    stopped = check(original, FAULTS["norm: epsilon"][1], fail_fast=True)
    assert [layer.name for layer in stopped.layers] == ["conv", "norm"]
    assert (stopped.exit_code, stopped.partial) == (1, True)


def test_a_layer_that_did_not_run_leaves_the_check_incomplete(original: Any) -> None:
    graph, model = formats.load(original), keras.models.load_model(original, compile=False)
    x = np.random.default_rng(9).normal(size=(2, 12, 12, 3)).astype(np.float32)
    trace = capture_live(model, [x], keras=3)
    trace.calls = [call for call in trace.calls if call.layer != "pool"]
    result = verify(graph, trace, [x], Options())
    assert {layer.name: layer.verdict for layer in result.layers}["pool"] is Verdict.UNVERIFIED
    assert result.exit_code == 3


def test_arithmetic_without_a_bound_is_incomplete_never_pass_or_fail(tmp_path: Any) -> None:
    layers, policy = keras.layers, "float64"
    parts = [layers.Dense(4, name="dense", dtype=policy), layers.Reshape((2, 2), name="moved", dtype=policy)]
    keras.Sequential([keras.Input((5,)), *parts]).save(tmp_path / "model.keras")
    graph, model = formats.load(tmp_path / "model.keras"), keras.models.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(9).normal(size=(2, 5)).astype(np.float32)
    dense, moved = (result := verify(graph, capture_live(model, [x], keras=3), [x], Options())).layers
    assert (dense.verdict, result.exit_code) == (Verdict.UNVERIFIED, 3)
    assert policy in dense.reason
    assert moved.verdict is Verdict.EXACT  # it rounds nothing in any format


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("layer", ["grouped", "dense"])
def test_what_is_not_finite_never_passes_for_overflow(original: Any, layer: str, value: float) -> None:
    """Long sums leave out their worst case at first; with it unknown, nothing says that they may overflow."""
    graph, model = formats.load(original), keras.models.load_model(original, compile=False)
    x = np.random.default_rng(9).normal(size=(2, 12, 12, 3)).astype(np.float32)
    trace = capture_live(model, [x], keras=3)
    (call,) = [call for call in trace.calls if call.layer == layer]
    changed = np.array(trace.tensors[call.outputs[0]])
    changed.flat[0] = value
    trace.tensors[call.outputs[0]] = changed
    found = {one.name: one.verdict for one in verify(graph, trace, [x], Options()).layers}
    assert found[layer] is Verdict.MISMATCH


REASONS = {
    "conv: kernel flipped": "RC203",
    "conv: H and W swapped": "RC204",
    "conv: SAME side swapped": "RC201",
    "conv: bias missing": "RC301",
    "depthwise: kernel flipped": "RC901",  # along one axis alone, which no rule says
    "grouped: filters of another group": "RC209",
    "norm: epsilon": "RC901",
    "dense: one weight by 1%": "RC901",
}


@pytest.mark.parametrize("fault", REASONS)
def test_the_first_failing_layer_says_why(original: Any, fault: str) -> None:
    layer, plant, _ = FAULTS[fault]
    found = {one.name: [finding.code for finding in one.findings] for one in check(original, plant).layers}
    assert found.pop(layer)[0] == REASONS[fault]
    assert not any(found.values())


def test_later_layers_are_asked_for_the_same_reason_alone(original: Any) -> None:
    """Both kernels turned: the second says so; another fault behind them is not asked about."""

    def plant(model: Any) -> None:
        FAULTS["conv: kernel flipped"][1](model)
        set_weight("depthwise", 0, lambda w: w[::-1, ::-1].copy())(model)
        FAULTS["dense: one weight by 1%"][1](model)

    found = {one.name: [finding.code for finding in one.findings] for one in check(original, plant).layers}
    assert (found["conv"], found["depthwise"], found["dense"]) == (["RC203"], ["RC203"], [])
