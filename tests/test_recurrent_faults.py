"""A wrong recurrent layer is caught, at the right layer and in its steps; a right one is not."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.live import PACKAGES, capture_live

from refconv import formats
from refconv.pipeline import Options, verify
from refconv.report.details import details
from refconv.result import CheckResult, LayerResult, Verdict

BAD = (Verdict.MISMATCH, Verdict.SUSPECT)
BOTH = pytest.mark.parametrize("major", [2, 3], ids=["keras2", "keras3"])
SHAPE = (7, 30)  # sums of 30 + 24 terms: long ones, whose worst case is computed only where it is asked for

Plant = Callable[[Any], None]


def build(major: int) -> Any:
    """LSTM, both directions of GRU, SimpleRNN, Dense."""
    keras = import_module(PACKAGES[major])
    layers = keras.layers
    start = layers.Input(SHAPE)
    x = layers.LSTM(24, return_sequences=True, name="lstm")(start)
    x = layers.Bidirectional(layers.GRU(26, return_sequences=True), name="both")(x)
    x = layers.LSTM(12, go_backwards=True, activation="relu", name="back")(x)
    model = keras.Model(start, layers.Dense(3, name="dense")(x))
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(0, 0.4, w.shape).astype(np.float32) for w in model.get_weights()])
    return model


def checked(major: int, folder: Path, plant: Plant | None = None, mode: str = "graph") -> CheckResult:
    path = folder / ("model.h5" if major == 2 else "model.keras")
    model = build(major)
    model.save(path)
    if plant:
        plant(model)
    x = np.random.default_rng(6).normal(size=(3, *SHAPE)).astype(np.float32)
    return verify(formats.load(path), capture_live(model, [x], keras=major, mode=mode), [x], Options())


@BOTH
@pytest.mark.parametrize("mode", ["graph", "eager", "xla"])
def test_a_sound_model_passes(major: int, mode: str, tmp_path: Path) -> None:
    result = checked(major, tmp_path, mode=mode)
    assert result.verdict == "pass", [(layer.name, layer.verdict, layer.reason) for layer in result.layers]
    assert [len(layer.outputs) for layer in result.layers] == [3, 3, 3, 1]


def weight(layer: str, index: int, change: Callable[[np.ndarray], np.ndarray]) -> Plant:
    def plant(model: Any) -> None:
        weights = model.get_layer(layer).get_weights()
        weights[index] = change(weights[index])
        model.get_layer(layer).set_weights(weights)

    return plant


def swapped_gates(w: np.ndarray) -> np.ndarray:
    """i, g, f, o where i, f, g, o belong."""
    i, f, g, o = np.split(w, 4, axis=-1)
    return np.concatenate([i, g, f, o], axis=-1)


def transposed(w: np.ndarray) -> np.ndarray:
    """Each gate's square part of a recurrent kernel."""
    return np.concatenate([part.T for part in np.split(w, w.shape[1] // w.shape[0], axis=1)], axis=1)


def one_percent(w: np.ndarray) -> np.ndarray:
    changed = w.copy()
    changed.flat[int(np.argmax(np.abs(w)))] *= 1.01
    return changed


def forwards(model: Any) -> None:
    vars(model.get_layer("back"))["go_backwards"] = False


def both_forwards(model: Any) -> None:
    vars(model.get_layer("both").backward_layer)["go_backwards"] = False


def directions_swapped(model: Any) -> None:
    both = model.get_layer("both")
    weights = both.get_weights()
    both.set_weights(weights[3:] + weights[:3])


def other_activation(model: Any) -> None:
    model.get_layer("back").cell.recurrent_activation = lambda z: 1 / (1 + np.e ** (-1.001 * z))


FAULTS: dict[str, tuple[str, Plant]] = {
    "gates swapped": ("lstm", weight("lstm", 0, swapped_gates)),
    "recurrent kernel transposed": ("lstm", weight("lstm", 1, transposed)),
    "one recurrent weight by 1%": ("lstm", weight("lstm", 1, one_percent)),
    "one kernel weight by 1%": ("lstm", weight("lstm", 0, one_percent)),
    "no bias": ("lstm", weight("lstm", 2, np.zeros_like)),
    "one recurrent weight of the backward layer by 1%": ("both", weight("both", 4, one_percent)),
    "recurrent kernel of the forward layer transposed": ("both", weight("both", 1, transposed)),
    "both layers run forwards": ("both", both_forwards),
    "directions swapped": ("both", directions_swapped),
    "go_backwards ignored": ("back", forwards),
    "another sigmoid": ("back", other_activation),
}


@BOTH
@pytest.mark.parametrize("fault", FAULTS)
def test_exactly_the_faulty_layer_fails_in_its_steps(major: int, fault: str, tmp_path: Path) -> None:
    name, plant = FAULTS[fault]
    result = checked(major, tmp_path, plant, mode="eager")
    assert [layer.name for layer in result.layers if layer.verdict in BAD] == [name]
    found = next(layer for layer in result.layers if layer.name == name)
    assert found.worst is not None
    assert found.worst.name
    assert any(line.startswith(f"after a step, {found.worst.name}: at [") for line in details(found, verbose=False))
    if fault.endswith("backward layer by 1%"):
        assert found.worst.name == "backward h"
    assert result.exit_code == 1


def layer_of(result: CheckResult, name: str) -> LayerResult:
    return next(layer for layer in result.layers if layer.name == name)


@BOTH
def test_an_output_that_is_none_of_its_steps_fails_though_every_step_is_right(major: int, tmp_path: Path) -> None:
    """The last output replaced by that of the step before it, in what the framework gave."""
    path = tmp_path / ("model.h5" if major == 2 else "model.keras")
    model = build(major)
    model.save(path)
    x = np.random.default_rng(6).normal(size=(3, *SHAPE)).astype(np.float32)
    trace = capture_live(model, [x], keras=major)
    call = next(call for call in trace.calls if call.layer == "back")
    trace.tensors[call.outputs[0]] = trace.tensors[dict(call.steps)["h"]][:, -2]
    found = layer_of(verify(formats.load(path), trace, [x], Options()), "back")
    assert found.verdict is Verdict.MISMATCH
    assert [c.verdict in BAD for c in found.outputs] == [True, False, False]


@BOTH
def test_steps_that_could_not_be_seen_leave_the_layer_unverified(major: int, tmp_path: Path) -> None:
    path = tmp_path / ("model.h5" if major == 2 else "model.keras")
    model = build(major)
    model.save(path)
    x = np.random.default_rng(6).normal(size=(3, *SHAPE)).astype(np.float32)
    trace = capture_live(model, [x], keras=major)
    for call in trace.calls:
        object.__setattr__(call, "steps", ())
    result = verify(formats.load(path), trace, [x], Options())
    assert [layer.verdict for layer in result.layers[:3]] == [Verdict.UNVERIFIED] * 3
    assert "could not be seen" in result.layers[0].reason
    assert result.exit_code == 3
