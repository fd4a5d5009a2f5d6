"""QKeras's recurrent layers beside QKeras itself, from a saved file: weights bit for bit, every step in its bound."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.live import capture_live

from refconv import formats
from refconv.inventory.weights import weights as inventory
from refconv.pipeline import Options, verify
from refconv.result import CheckResult, LayerResult, Verdict

tf = pytest.importorskip("tensorflow")
tf_keras = pytest.importorskip("tf_keras")
qkeras = pytest.importorskip("qkeras")

SHAPE = (6, 3)
SOUND = (Verdict.EXACT, Verdict.WITHIN)
KERNELS = {"kernel_quantizer": "quantized_bits(4,0,1)", "recurrent_quantizer": "quantized_bits(6,0,1,alpha=1)"}
FULL = {
    **KERNELS,
    "bias_quantizer": "quantized_bits(6,2,1,alpha=1)",
    "state_quantizer": "quantized_bits(5,1,1,alpha=1)",
}
FIXED = {**FULL, "activation": "quantized_tanh(5)", "recurrent_activation": "quantized_sigmoid(5)"}


def lstm(units: int = 4, **more: Any) -> Any:
    return qkeras.QLSTM(units, **{**FULL, **more})


LAYERS: dict[str, Callable[[], Any]] = {
    "defaults": lambda: qkeras.QLSTM(4),
    "quantized": lambda: lstm(),
    "everything fixed": lambda: lstm(**FIXED),
    "one product for all gates": lambda: lstm(implementation=2, return_sequences=True),
    "backwards, with states": lambda: lstm(go_backwards=True, return_state=True, return_sequences=True),
    "unrolled, no bias": lambda: lstm(unroll=True, use_bias=False, return_sequences=True),
    "kernels alone": lambda: qkeras.QLSTM(4, activation="tanh", recurrent_activation="sigmoid", **KERNELS),
    "a scale for every step": lambda: lstm(state_quantizer="quantized_bits(4,0,1,alpha='auto_po2')"),
    "powers of two": lambda: lstm(
        kernel_quantizer="quantized_po2(4)", recurrent_quantizer="ternary(alpha=1)", kernel_initializer="zeros"
    ),
    "both ways": lambda: qkeras.QBidirectional(lstm()),
    "both ways, fixed, sequences": lambda: qkeras.QBidirectional(lstm(return_sequences=True, **FIXED)),
    "both ways, summed, with states": lambda: qkeras.QBidirectional(lstm(return_state=True), merge_mode="sum"),
    "both ways, multiplied": lambda: qkeras.QBidirectional(lstm(return_sequences=True), merge_mode="mul"),
    "both ways, averaged": lambda: qkeras.QBidirectional(lstm(return_sequences=True), merge_mode="ave"),
    "both ways, side by side": lambda: qkeras.QBidirectional(lstm(return_sequences=True), merge_mode=None),
    "both ways, unlike": lambda: qkeras.QBidirectional(
        lstm(), backward_layer=lstm(3, go_backwards=True, state_quantizer=None, **KERNELS)
    ),
}


def drawn(model: Any, seed: int = 3) -> Any:
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(-1, 1, w.shape).astype(np.float32) for w in model.get_weights()])
    return model


def saved(layer: Any, path: Path) -> Any:
    start = tf_keras.Input(SHAPE)
    model = drawn(tf_keras.Model(start, layer(start)))
    model.save(path)
    return model


def checked(path: Path, model: Any, mode: str = "eager", seed: int = 1) -> CheckResult:
    x = np.random.default_rng(seed).normal(size=(2, *SHAPE)).astype(np.float32)
    return verify(formats.load(path), capture_live(model, [x], keras=2, mode=mode), [x], Options())


def only(result: CheckResult) -> LayerResult:
    (found,) = result.layers
    return found


TRACED = ("quantized", "one product for all gates", "both ways, unlike")  # the rest takes seconds each, and is slow
RUNS = [
    *(pytest.param(name, "eager", "keras", id=f"{name}-eager") for name in LAYERS),
    *(
        pytest.param(name, "graph", "h5", id=f"{name}-graph", marks=() if name in TRACED else pytest.mark.slow)
        for name in LAYERS
    ),
]


@pytest.mark.parametrize(("name", "mode", "ending"), RUNS)
def test_every_step_agrees_with_qkeras(name: str, mode: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"model.{ending}"
    result = checked(path, saved(LAYERS[name](), path), mode)
    found = only(result)
    assert found.verdict in SOUND, found
    assert found.weights
    assert all(c.verdict is Verdict.EXACT for c in found.weights.values()), found.weights
    names = {c.name for c in found.outputs if c.name}
    sides = ("forward ", "backward ") if found.type == "QBidirectional" else ("",)
    assert names == {f"{side}{state}" for side in sides for state in "hc"}
    assert result.plain is not None
    assert result.plain.ok


def test_a_layer_of_fixed_point_numbers_is_certified(tmp_path: Path) -> None:
    """All sums and products on grids that float32 holds: every step is equal to the last bit, and has to be."""
    path = tmp_path / "model.h5"
    found = only(checked(path, saved(lstm(**FIXED), path)))
    assert found.verdict is Verdict.EXACT
    assert all(c.certified for c in found.outputs), found.outputs


def test_the_saved_file_is_loaded_by_qkeras_as_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    saved(qkeras.QBidirectional(lstm(return_sequences=True)), path)
    assert only(checked(path, qkeras.utils.load_qmodel(str(path), compile=False))).verdict in SOUND


def test_weights_are_listed_with_their_quantizers(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    model = saved(qkeras.QBidirectional(lstm(), name="both"), path)
    found = inventory(path)["both"]
    assert list(found)[:3] == ["forward_kernel", "forward_recurrent_kernel", "forward_bias"]
    layer = model.get_layer("both")
    for side in ("forward", "backward"):
        cell = getattr(layer, f"{side}_layer").cell
        stored, effective = cell.kernel.numpy(), cell.kernel_quantizer_internal(cell.kernel).numpy()
        np.testing.assert_array_equal(found[f"{side}_kernel"].stored, stored)
        np.testing.assert_array_equal(found[f"{side}_kernel"].effective, effective)
    assert "4 bits" in found["backward_kernel"].quantizer


# Faults: what QKeras might do wrong, and the place where it shows.


def not_quantized(model: Any) -> None:
    model.layers[1].cell.state_quantizer = None


def stored_weights(model: Any) -> None:
    cell = model.layers[1].cell
    cell.kernel_quantizer = cell.recurrent_quantizer = cell.bias_quantizer = None


def other_bits(model: Any) -> None:
    model.layers[1].cell.recurrent_quantizer_internal = qkeras.quantized_bits(3, 0, 1, alpha=1.0)


def own_sigmoid(model: Any) -> None:
    model.layers[1].cell.recurrent_activation = tf_keras.activations.hard_sigmoid


@pytest.mark.parametrize("plant", [not_quantized, own_sigmoid])
def test_a_fault_in_the_cell_is_found_in_its_steps(plant: Callable[[Any], None], tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    model = saved(lstm(), path)
    plant(model)
    found = only(checked(path, model))
    assert found.verdict is Verdict.MISMATCH
    assert all(c.verdict is Verdict.EXACT for c in found.weights.values())
    assert {c.name for c in found.outputs if c.verdict is Verdict.MISMATCH} <= {"h", "c"}
    assert found.worst is not None
    assert found.worst.name in ("h", "c")
    assert found.worst.worst is not None
    assert len(found.worst.worst.index) == 3
    if plant is not_quantized:
        assert found.worst.worst.index[1] > 0  # the first step starts from zeros, which no quantizer changes


@pytest.mark.parametrize("plant", [stored_weights, other_bits])
def test_wrong_effective_weights_have_a_verdict_of_their_own(plant: Callable[[Any], None], tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    model = saved(lstm(), path)
    plant(model)
    found = only(checked(path, model))
    assert found.verdict is Verdict.MISMATCH
    assert found.weights["recurrent_kernel"].verdict is Verdict.MISMATCH
    assert all(c.verdict in SOUND for c in found.outputs)  # with the weights that it used the layer is right


def test_stored_weights_beside_right_effective_ones_are_named(tmp_path: Path) -> None:
    """The cell multiplies by what `get_weights()` gives, though its quantizers are set."""
    path = tmp_path / "model.h5"
    model = saved(lstm(state_quantizer=None), path)
    cell = model.layers[1].cell
    original = cell.call

    def call(*args: Any, **kwargs: Any) -> Any:
        held = [cell.kernel_quantizer, cell.recurrent_quantizer, cell.bias_quantizer]
        cell.kernel_quantizer = cell.recurrent_quantizer = cell.bias_quantizer = None
        try:
            return original(*args, **kwargs)
        finally:
            cell.kernel_quantizer, cell.recurrent_quantizer, cell.bias_quantizer = held

    vars(cell)["call"] = call
    found = only(checked(path, model))
    assert found.verdict is Verdict.MISMATCH
    assert [finding.code for finding in found.findings] == ["RC101"]


# QSimpleRNN and QGRU of the released QKeras use names that TensorFlow removed.

BROKEN = {
    "QSimpleRNN": lambda **more: qkeras.QSimpleRNN(3, **{**FULL, **more}),
    "QGRU": lambda **more: qkeras.QGRU(3, **{**FULL, **more}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_released_layer_cannot_run(name: str) -> None:
    with pytest.raises(AttributeError, match="is_sequence"):
        BROKEN[name]()(tf_keras.Input(SHAPE))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("QSimpleRNN", {}),
        ("QSimpleRNN", {"use_bias": False, "return_sequences": True}),
        ("QGRU", {}),
        ("QGRU", {"reset_after": True, "return_sequences": True}),
        ("QGRU", {"reset_after": True, "implementation": 1, "go_backwards": True}),
        ("QGRU", {"implementation": 1, "use_bias": False}),
    ],
)
def test_with_those_names_given_back_it_agrees(
    name: str, more: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("qkeras.qrecurrent")
    monkeypatch.setattr(module.nest, "is_sequence", module.nest.is_nested, raising=False)
    monkeypatch.setattr(module.array_ops, "unstack", tf.unstack, raising=False)
    path = tmp_path / "model.h5"
    found = only(checked(path, saved(BROKEN[name](**more), path)))
    assert found.type == name
    assert found.verdict in SOUND, found
    assert all(c.verdict is Verdict.EXACT for c in found.weights.values()), found.weights
