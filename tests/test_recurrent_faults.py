"""A wrong recurrent layer is caught, at the right layer and in its steps; a right one is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
from refconv.trace import Trace

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


X = np.random.default_rng(6).normal(size=(3, *SHAPE)).astype(np.float32)
CHANGED = ("go_backwards", "recurrent_activation")  # what faults change but weights


@dataclass(frozen=True)
class Sound:
    """A model of one Keras major, and the file that it was saved to."""

    major: int
    model: Any
    path: Path

    def checked(self, plant: Plant | None = None, mode: str = "eager") -> CheckResult:
        """The file beside the model with a fault in it, which is taken back afterwards."""
        with self.planted(plant):
            return self.against(capture_live(self.model, [X], keras=self.major, mode=mode))

    @contextmanager
    def planted(self, plant: Plant | None) -> Iterator[None]:
        held = [(part, {name: vars(part)[name] for name in CHANGED if name in vars(part)}) for part in self._parts()]
        weights = self.model.get_weights()
        try:
            if plant:
                plant(self.model)
            yield
        finally:
            self.model.set_weights(weights)
            for part, values in held:
                vars(part).update(values)

    def against(self, trace: Trace) -> CheckResult:
        return verify(formats.load(self.path), trace, [X], Options())

    def _parts(self) -> list[Any]:
        back, both = self.model.get_layer("back"), self.model.get_layer("both")
        return [back, back.cell, both.forward_layer, both.backward_layer]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Sound]:
    found = {}
    for major in PACKAGES:
        path = tmp_path_factory.mktemp("recurrent") / ("model.h5" if major == 2 else "model.keras")
        found[major] = Sound(major, build(major), path)
        found[major].model.save(path)
    return found


@pytest.mark.parametrize(
    ("major", "mode"),
    [
        *((major, mode) for major in PACKAGES for mode in ("graph", "eager")),
        (3, "xla"),
        pytest.param(2, "xla", marks=pytest.mark.slow),
    ],
)
def test_a_sound_model_passes(major: int, mode: str, models: dict[int, Sound]) -> None:
    result = models[major].checked(mode=mode)
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
def test_exactly_the_faulty_layer_fails_in_its_steps(major: int, fault: str, models: dict[int, Sound]) -> None:
    name, plant = FAULTS[fault]
    result = models[major].checked(plant)
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
def test_an_output_that_is_none_of_its_steps_fails_though_every_step_is_right(
    major: int, models: dict[int, Sound]
) -> None:
    """The last output replaced by that of the step before it, in what the framework gave."""
    trace = capture_live(models[major].model, [X], keras=major, mode="eager")
    call = next(call for call in trace.calls if call.layer == "back")
    trace.tensors[call.outputs[0]] = trace.tensors[dict(call.steps)["h"]][:, -2]
    found = layer_of(models[major].against(trace), "back")
    assert found.verdict is Verdict.MISMATCH
    assert [c.verdict in BAD for c in found.outputs] == [True, False, False]


@BOTH
def test_steps_that_could_not_be_seen_leave_the_layer_unverified(major: int, models: dict[int, Sound]) -> None:
    trace = capture_live(models[major].model, [X], keras=major, mode="eager")
    for call in trace.calls:
        object.__setattr__(call, "steps", ())
    result = models[major].against(trace)
    assert [layer.verdict for layer in result.layers[:3]] == [Verdict.UNVERIFIED] * 3
    assert "could not be seen" in result.layers[0].reason
    assert result.exit_code == 3


@BOTH
def test_a_fault_is_taken_back(major: int, models: dict[int, Sound]) -> None:
    """Whatever was planted into the shared model: it is sound again."""
    for _, plant in FAULTS.values():
        with models[major].planted(plant):
            pass
    assert models[major].checked().verdict == "pass"
