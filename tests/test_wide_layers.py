"""One model of each Keras with the layers that hold others or take several tensors: sound, and with one fault each.

What the laws of `ops` cannot show: that files are read, calls matched, and weights found in the right order.
"""

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
from refconv.result import CheckResult, Verdict
from refconv.trace import Trace

SHAPE = (6, 8)
X = np.random.default_rng(2).normal(size=(2, *SHAPE)).astype(np.float32)
BAD = (Verdict.MISMATCH, Verdict.SUSPECT)


def build(major: int) -> Any:
    """Attention of every kind, with keys by position and by name; products by equation, of tensors, at every step."""
    keras = import_module(PACKAGES[major])
    layers = keras.layers
    start = layers.Input(SHAPE)
    x = layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 5), bias_axes="de", name="einsum")(start)
    x = layers.Reshape((6, 10))(x)
    x = layers.TimeDistributed(layers.Dense(8, activation="relu"), name="steps")(x)
    x = layers.TimeDistributed(layers.BatchNormalization(), name="norms")(x)
    x = layers.MultiHeadAttention(2, 3, value_dim=4, name="causal")(x, start, use_causal_mask=True)
    x = layers.MultiHeadAttention(2, 4, dropout=0.1, name="heads")(query=x, value=start, key=x)
    if major == 3:
        x = layers.GroupQueryAttention(3, 4, 2, name="groups")(x, x, use_causal_mask=True)
    x = layers.Attention(use_scale=True, name="attention")([x, start])
    x = layers.Attention(use_scale=True, score_mode="concat", name="concat")([x, start, x], use_causal_mask=True)
    x = layers.AdditiveAttention(name="additive")([x, start])
    x = layers.Dot(axes=(2, 2), normalize=True, name="dot")([x, start])
    model = keras.Model(start, layers.Dense(3, name="dense")(x))
    rng = np.random.default_rng(5)
    weights = [rng.normal(0, 0.4, w.shape).astype(np.float32) for w in model.get_weights()]
    model.set_weights(weights)
    model.get_layer("concat").set_weights([np.float32(0.7), np.float32(1.6)])
    norms = model.get_layer("norms")
    norms.set_weights([np.abs(w) + 0.5 for w in norms.get_weights()])
    return model


class Sound:
    """A model, and its files: .keras names the weights of inner layers by group, .h5 lists them."""

    def __init__(self, major: int, folder: Path) -> None:
        self.major, self.model = major, build(major)
        self.paths = [folder / "model.keras", folder / "model.h5"]
        for path in self.paths:
            self.model.save(path)

    def trace(self, mode: str = "graph") -> Trace:
        return capture_live(self.model, [X], keras=self.major, mode=mode)

    def against(self, trace: Trace, path: Path) -> CheckResult:
        return verify(formats.load(path), trace, [X], Options(), seeded=True)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Sound]:
    return {major: Sound(major, tmp_path_factory.mktemp(f"keras{major}")) for major in PACKAGES}


@pytest.mark.parametrize("major", PACKAGES)
@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_a_sound_model_passes_from_either_file(major: int, mode: str, models: dict[int, Sound]) -> None:
    sound = models[major]
    trace = sound.trace(mode)
    for path in sound.paths:
        result = sound.against(trace, path)
        said = [(layer.name, layer.verdict.value, layer.reason) for layer in result.layers]
        assert result.verdict == "pass", said
        assert not any(layer.verdict is Verdict.UNVERIFIED for layer in result.layers), said


def weight(layer: str, index: int, change: Callable[[np.ndarray], np.ndarray]) -> tuple[str, Callable[[Any], None]]:
    def plant(model: Any) -> None:
        weights = model.get_layer(layer).get_weights()
        weights[index] = change(weights[index])
        model.get_layer(layer).set_weights(weights)

    return layer, plant


def two_swapped(layer: str, one: int, other: int) -> tuple[str, Callable[[Any], None]]:
    def plant(model: Any) -> None:
        weights = model.get_layer(layer).get_weights()
        weights[one], weights[other] = weights[other], weights[one]
        model.get_layer(layer).set_weights(weights)

    return layer, plant


def one_percent(w: np.ndarray) -> np.ndarray:
    changed = w.copy()
    changed.flat[int(np.argmax(np.abs(w)))] *= 1.01
    return changed


def slightly(w: np.ndarray) -> np.ndarray:
    return w * np.float32(1.0001)


FAULTS = {
    "einsum: heads swapped": weight("einsum", 0, lambda w: w[:, ::-1]),
    "einsum: one weight by 1%": weight("einsum", 0, one_percent),
    "steps: no bias": weight("steps", 1, np.zeros_like),
    "norms: another mean": weight("norms", 2, slightly),
    "causal: one weight of the query by 1%": weight("causal", 0, one_percent),
    "causal: one weight of the key by 1%": weight("causal", 2, one_percent),
    "heads: query and key swapped": two_swapped("heads", 0, 2),
    "heads: all of the value by 1e-4": weight("heads", 4, slightly),
    "heads: all of the output by 1e-4": weight("heads", 6, slightly),
    "attention: another scale": weight("attention", 0, slightly),
    "concat: scale and weight swapped": two_swapped("concat", 0, 1),
    "additive: one scale by 1%": weight("additive", 0, one_percent),
}


@pytest.mark.parametrize("major", PACKAGES)
def test_exactly_the_faulty_layer_fails(major: int, models: dict[int, Sound]) -> None:
    sound = models[major]
    for fault, (name, plant) in FAULTS.items():
        weights = sound.model.get_weights()
        try:
            plant(sound.model)
            result = sound.against(sound.trace("eager"), sound.paths[0])
        finally:
            sound.model.set_weights(weights)
        assert [layer.name for layer in result.layers if layer.verdict in BAD] == [name], fault


@pytest.mark.parametrize("major", PACKAGES)
def test_a_causal_mask_that_is_left_out_shows(major: int, models: dict[int, Sound]) -> None:
    """The model's causal layers, called without the argument."""
    sound = models[major]
    for name in ("causal", "concat"):
        layer = sound.model.get_layer(name)
        call = layer.call
        vars(layer)["call"] = lambda *a, _call=call, use_causal_mask=False, **k: _call(*a, **k)
        try:
            result = sound.against(sound.trace("eager"), sound.paths[0])
        finally:
            del vars(layer)["call"]
        assert [found.name for found in result.layers if found.verdict in BAD] == [name]
