"""ConvLSTM: judged in its steps, in both layouts; a wrong layer is caught there, and a right one is not."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.laws import CONTEXT
from support.live import PACKAGES, capture_live

from refconv import formats
from refconv.compare.stage2 import enclose as stage2
from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure, point
from refconv.ops.attributes import build
from refconv.ops.table import TABLE
from refconv.pipeline import Options, verify
from refconv.result import CheckResult, Verdict

X = np.random.default_rng(6).normal(size=(2, 3, 7, 6, 2)).astype(np.float32)
ROW = TABLE["ConvLSTM2D"]
BOTH = pytest.mark.parametrize("major", PACKAGES)


def model(major: int) -> Any:
    """Strides, dilation, a sequence backwards, states returned."""
    keras = import_module(PACKAGES[major])
    layers = keras.layers
    start = layers.Input(X.shape[1:])
    x = layers.ConvLSTM2D(3, 3, strides=2, padding="same", return_sequences=True, name="first")(start)
    x, h, c = layers.ConvLSTM2D(
        2, 2, dilation_rate=2, go_backwards=True, return_state=True, recurrent_activation="hard_sigmoid", name="second"
    )(x)
    made = keras.Model(start, layers.Dense(3, name="dense")(layers.Concatenate(name="all")([x, h, c])))
    rng = np.random.default_rng(5)
    made.set_weights([rng.normal(0, 0.4, w.shape).astype(np.float32) for w in made.get_weights()])
    return made


class Saved:
    def __init__(self, major: int, folder: Path) -> None:
        self.major, self.model, self.path = major, model(major), folder / "model.keras"
        self.model.save(self.path)

    def checked(self, mode: str = "eager") -> CheckResult:
        trace = capture_live(self.model, [X], keras=self.major, mode=mode)
        return verify(formats.load(self.path), trace, [X], Options(), seeded=True)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Saved]:
    return {major: Saved(major, tmp_path_factory.mktemp(f"keras{major}")) for major in PACKAGES}


@BOTH
@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_a_sound_model_passes(major: int, mode: str, models: dict[int, Saved]) -> None:
    result = models[major].checked(mode)
    assert result.verdict == "pass", [(layer.name, layer.verdict.value, layer.reason) for layer in result.layers]
    assert [[output.name for output in layer.outputs] for layer in result.layers[:2]] == [
        ["", "h", "c"],
        ["", "", "", "h", "c"],
    ]


def swapped(w: np.ndarray) -> np.ndarray:
    i, f, g, o = np.split(w, 4, axis=-1)
    return np.concatenate([i, g, f, o], axis=-1)


def one_percent(w: np.ndarray) -> np.ndarray:
    changed = w.copy()
    changed.flat[int(np.argmax(np.abs(w)))] *= 1.01
    return changed


FAULTS: dict[str, tuple[str, int, Callable[[np.ndarray], np.ndarray]]] = {
    "gates swapped": ("first", 0, swapped),
    "recurrent kernel flipped": ("first", 1, lambda w: w[::-1, ::-1]),
    "recurrent weights by 1e-3": ("second", 1, lambda w: w * np.float32(1.001)),
    "one recurrent weight by 1%": ("first", 1, one_percent),
    "one kernel weight by 1%": ("second", 0, one_percent),
    "no bias": ("second", 2, np.zeros_like),
}


@BOTH
def test_exactly_the_faulty_layer_fails_in_its_steps(major: int, models: dict[int, Saved]) -> None:
    made = models[major].model
    for fault, (name, index, change) in FAULTS.items():
        layer = made.get_layer(name)
        weights = layer.get_weights()
        try:
            layer.set_weights([change(w) if i == index else w for i, w in enumerate(weights)])
            result = models[major].checked()
        finally:
            layer.set_weights(weights)
        bad = {found.name: found for found in result.layers if found.verdict is Verdict.MISMATCH}
        assert list(bad) == [name], fault
        assert {output.name for output in bad[name].outputs if output.verdict is Verdict.MISMATCH} <= {"h", "c"}, fault


def drawn(
    layout: str = "channels_last", **more: Any
) -> tuple[Any, dict[str, np.ndarray], Enclosure, dict[str, Enclosure]]:
    """Attributes, weights, an input, and what its own steps leave."""
    rng = np.random.default_rng(1)
    config = {"filters": 2, "kernel_size": [3, 2], "strides": [2, 1], "data_format": layout, **more}
    attrs = build(ROW.attributes, {**config, "return_sequences": True}, "x")
    shapes = {"kernel": (3, 2, 2, 8), "recurrent_kernel": (3, 2, 2, 8), "bias": (8,)}
    weights = {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    x = X if layout == "channels_last" else np.moveaxis(X, -1, 2)
    held = build(ROW.attributes, {**config, "return_state": True}, "x")
    met = [ROW.forward(held, weights, (point(x[:, : t + 1]),), CONTEXT)[1:] for t in range(x.shape[1])]
    columns = zip(("h", "c"), zip(*met, strict=True), strict=True)
    states = {name: point(np.stack([e.mid for e in column], axis=1)) for name, column in columns}
    return attrs, weights, point(x), states


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_steps_are_those_of_the_chain_and_each_element_has_its_terms(layout: str) -> None:
    attrs, weights, x, states = drawn(layout)
    assert ROW.steps is not None
    found = ROW.steps.enclose(attrs, weights, (x,), states, CONTEXT)
    shapes = ROW.steps.shapes(attrs, x.mid.shape)
    for name, enclosure in found.items():
        assert enclosure.mid.shape == shapes[name]
        assert np.allclose(enclosure.mid, states[name].mid, atol=1e-12)
        for index in ((0, 0, 0, 0, 1), (1, 2, 1, 1, 0)):
            args = attrs, weights, (x,), states, name, index, CONTEXT
            one = ROW.steps.explain(*args, lambda terms: stage2(terms, CONTEXT.arithmetic))
            assert one is not None and one.mid.shape == ()
            assert float(one.mid) == pytest.approx(float(enclosure.mid[index]), rel=1e-10)


def test_both_layouts_agree() -> None:
    (last, *_), (first, *_) = (
        ROW.forward(attrs, weights, (x,), CONTEXT) for attrs, weights, x, _ in (drawn(), drawn("channels_first"))
    )
    assert np.array_equal(np.moveaxis(first.mid, 2, -1), last.mid)


def test_one_step_by_hand() -> None:
    """All gates 1, candidate x·1: c = x, h = c; then the window of the next step sees the state before."""
    attrs = build(
        ROW.attributes,
        {
            "filters": 1,
            "kernel_size": 1,
            "activation": "linear",
            "recurrent_activation": "linear",
            "return_state": True,
        },
        "x",
    )
    kernel, recurrent = np.zeros((2, 1, 1, 1, 4), np.float32)
    kernel[..., 2], recurrent[..., 2] = 1, 10
    weights = {"kernel": kernel, "recurrent_kernel": recurrent, "bias": np.float32([1, 1, 0, 1])}
    x = np.float32([1, 2]).reshape(1, 2, 1, 1, 1)
    h, *_, c = ROW.forward(attrs, weights, (point(x),), CONTEXT)
    assert c.mid.item() == 1 + (2 + 10)  # kept, and the candidate x + 10·h
    assert h.mid.item() == c.mid.item()


def test_what_is_no_sequence_of_images() -> None:
    attrs, weights, x, _ = drawn()
    with pytest.raises(UnreadableModel, match="no sequence of 2-dimensional images"):
        ROW.forward(attrs, weights, (x.move(lambda v: v[0]),), CONTEXT)
    with pytest.raises(UnreadableModel, match="1 initial states are given"):
        ROW.forward(attrs, weights, (x, x), CONTEXT)
