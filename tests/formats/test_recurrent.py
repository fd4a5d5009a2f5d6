"""Recurrent layers in files: weights of both directions in their places, initial states, what is not read."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.live import PACKAGES, capture_live

from refconv import formats
from refconv.pipeline import Options, verify
from refconv.result import Verdict

pytest.importorskip("tensorflow")

EVERY = pytest.mark.parametrize(
    ("major", "ending"), [(2, "h5"), (2, "keras"), (3, "h5"), (3, "keras")], ids=lambda value: str(value)
)
ORDER = ("kernel", "recurrent_kernel", "bias")


def drawn(model: Any) -> Any:
    rng = np.random.default_rng(7)
    model.set_weights([rng.normal(0, 0.5, w.shape).astype(np.float32) for w in model.get_weights()])
    return model


@EVERY
def test_each_direction_has_its_own_weights(major: int, ending: str, tmp_path: Path) -> None:
    """Alike in shape, so that only names or order can tell them apart; nested, where a .h5 keeps all in one group."""
    keras = import_module(PACKAGES[major])
    layers = keras.layers
    inner = keras.Sequential(
        [
            layers.Input((4, 3)),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="one"),
            layers.Bidirectional(layers.LSTM(3), merge_mode="sum", name="two"),
        ],
        name="inner",
    )
    start = layers.Input((4, 3))
    model = drawn(keras.Model(start, inner(start)))
    path = tmp_path / f"model.{ending}"
    model.save(path)
    for name in ("one", "two"):
        layer = model.get_layer("inner").get_layer(name)
        node = next(node for node in formats.load(path).nodes if node.layer == f"inner/{name}")
        for side in ("forward", "backward"):
            live = getattr(layer, f"{side}_layer").get_weights()
            for weight, expected in zip(ORDER, live, strict=True):
                np.testing.assert_array_equal(node.weights[f"{side}_{weight}"].value, expected)


@EVERY
def test_initial_states_are_inputs(major: int, ending: str, tmp_path: Path) -> None:
    """An encoder hands its states to a decoder, and both directions of a layer get theirs."""
    keras = import_module(PACKAGES[major])
    layers = keras.layers
    first, second = layers.Input((5, 3)), layers.Input((4, 3))
    _, h, c = layers.LSTM(3, return_state=True, name="encoder")(first)
    x = layers.LSTM(3, return_sequences=True, name="decoder")(second, initial_state=[h, c])
    both = layers.Bidirectional(layers.GRU(3, reset_after=True), name="both")
    y = both(x, initial_state=[h, c])
    model = drawn(keras.Model([first, second], y))
    path = tmp_path / f"model.{ending}"
    model.save(path)
    graph = formats.load(path)
    counts = {node.name: len(node.inputs) for node in graph.nodes if node.inputs}
    assert counts == {"encoder": 1, "decoder": 3, "both": 3}
    rng = np.random.default_rng(8)
    inputs = [rng.normal(size=(2, steps, 3)).astype(np.float32) for steps in (5, 4)]
    result = verify(graph, capture_live(model, inputs, keras=major), inputs, Options())
    assert {layer.verdict for layer in result.layers} == {Verdict.WITHIN}
    assert result.plain is not None
    assert result.plain.ok


@pytest.mark.parametrize("major", [2, 3])
def test_masks_and_kept_states_are_not_verified(major: int, tmp_path: Path) -> None:
    keras = import_module(PACKAGES[major])
    layers = keras.layers
    start = layers.Input((4, 3), batch_size=2)
    x = layers.SimpleRNN(3, stateful=True, return_sequences=True, name="kept")(start)
    model = keras.Model(start, layers.LSTM(3, name="masked")(layers.Masking(name="mask")(x)))
    path = tmp_path / "model.keras"
    model.save(path)
    reasons = {node.name: node.reason for node in formats.load(path).nodes}
    assert "mask" in reasons["masked"]
    assert "stateful" in reasons["kept"]


def test_a_layer_without_reference_inside_both_directions_is_named(tmp_path: Path) -> None:
    keras = import_module(PACKAGES[3])
    layers = keras.layers
    start = layers.Input((4, 3))
    model = keras.Model(start, layers.Bidirectional(layers.RNN(layers.LSTMCell(2)), name="both")(start))
    path = tmp_path / "model.keras"
    model.save(path)
    (node,) = (node for node in formats.load(path).nodes if node.name == "both")
    assert node.attrs is None
    assert "no reference for RNN" in node.reason
