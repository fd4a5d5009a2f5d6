"""Layers under a mask: judged as without it where it hides nothing, unverified where it hides a step."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.live import PACKAGES, capture_live
from support.one import run

from refconv import formats
from refconv.pipeline import Options, verify
from refconv.result import CheckResult, Verdict

RNG = np.random.default_rng(8)
X = RNG.normal(size=(2, 5, 3)).astype(np.float32)
TOKENS = RNG.integers(1, 7, (2, 5)).astype(np.int32)
BOTH = pytest.mark.parametrize("major", PACKAGES)


def sequential(keras: Any) -> Any:
    """A Sequential model's file says nothing of masks; a functional one of Keras 3 has operations that compute them."""
    layers = keras.layers
    stack = [layers.Masking(mask_value=0.5, name="masking"), layers.LSTM(4, return_sequences=True, name="lstm")]
    both = layers.Bidirectional(layers.GRU(2, return_sequences=True), name="both")
    return keras.Sequential([layers.Input(X.shape[1:]), *stack, both, layers.SimpleRNN(3, name="last")])


def functional(keras: Any) -> Any:
    """Two inputs, each with a mask that goes through several layers, and the two met by attention."""
    layers = keras.layers
    values, tokens = layers.Input(X.shape[1:], name="values"), layers.Input((5,), name="tokens", dtype="int32")
    x = layers.LSTM(4, return_sequences=True, name="lstm")(layers.Masking(mask_value=0.5, name="masking")(values))
    y = layers.Embedding(7, 3, mask_zero=True, name="embedding")(tokens)
    y = layers.Bidirectional(layers.GRU(2, return_sequences=True), name="both")(y)
    y = layers.Attention(name="attention")([layers.Dense(4, name="dense")(y), x])
    return keras.Model([values, tokens], layers.SimpleRNN(3, name="last")(y))


class Saved:
    def __init__(self, major: int, make: Any, folder: Path) -> None:
        self.major, self.model, self.path = major, make(import_module(PACKAGES[major])), folder / "model.keras"
        rng = np.random.default_rng(3)
        weights = self.model.get_weights()
        self.model.set_weights([rng.normal(0, 0.5, w.shape).astype(np.float32) for w in weights])
        self.model.save(self.path)

    def checked(self, *inputs: np.ndarray, mode: str = "graph") -> CheckResult:
        trace = capture_live(self.model, list(inputs), keras=self.major, mode=mode)
        return verify(formats.load(self.path), trace, inputs, Options())


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Saved]:
    return {major: Saved(major, sequential, tmp_path_factory.mktemp(f"keras{major}")) for major in PACKAGES}


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return Saved(2, functional, tmp_path_factory.mktemp("met"))


def passes(result: CheckResult) -> None:
    assert result.verdict == "pass", [(layer.name, layer.verdict.value, layer.reason) for layer in result.layers]
    assert {output.name for layer in result.layers for output in layer.outputs} >= {"h", "c", "backward h"}


@BOTH
@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_a_mask_that_hides_nothing_changes_nothing(major: int, mode: str, models: dict[int, Saved]) -> None:
    passes(models[major].checked(X, mode=mode))


@BOTH
def test_a_mask_that_hides_a_step_leaves_its_readers_unverified(major: int, models: dict[int, Saved]) -> None:
    x = X.copy()
    x[0, 1] = 0.5
    reasons = {layer.name: layer.reason for layer in models[major].checked(x).layers if layer.reason}
    assert set(reasons) == {"lstm", "both", "last"}
    assert reasons["lstm"] == "no reference for LSTM under a mask: masking hides 1 step"


def test_masks_of_several_layers_meet(met: Saved) -> None:
    passes(met.checked(X, TOKENS))
    tokens = TOKENS.copy()
    tokens[:, 3:] = 0
    result = met.checked(X, tokens)
    reasons = {layer.name: layer.reason for layer in result.layers if layer.reason}
    assert set(reasons) == {"both", "attention", "last"} and result.verdict == "incomplete"
    assert result.plain is None and "a layer has no reference, so predict is not judged" in result.notes
    assert reasons["both"] == "no reference for Bidirectional under a mask: embedding hides 4 steps"


@BOTH
def test_a_fault_under_an_idle_mask_is_found(major: int, models: dict[int, Saved]) -> None:
    model = models[major].model
    weights = model.get_layer("lstm").get_weights()
    try:
        model.get_layer("lstm").set_weights([weights[0], weights[1].T.reshape(weights[1].shape), weights[2]])
        result = models[major].checked(X)
    finally:
        model.get_layer("lstm").set_weights(weights)
    assert [layer.name for layer in result.layers if layer.verdict is Verdict.MISMATCH] == ["lstm"]


def test_the_graph_alone_claims_no_reference_under_a_mask(met: Saved) -> None:
    nodes = {node.layer: node for node in formats.load(met.path).nodes}
    assert nodes["lstm"].attrs is None and nodes["lstm"].unmasked is not None
    assert [nodes["last"].masks] == [tuple(sorted((nodes["masking"].index, nodes["embedding"].index)))]
    assert nodes["dense"].attrs is not None and not nodes["dense"].masks


def test_masking_by_hand() -> None:
    x = np.float32([[[2, 2], [2, 3], [0, 0]]])
    assert run("Masking", {"mask_value": 2.0}, x).mid.tolist() == [[[0, 0], [2, 3], [0, 0]]]
    assert run("Masking", {"mask_value": 0.1}, np.float32([[[0.1]]])).mid.item() == 0  # 0.1 in float32
