"""Layers under a mask: judged with what it hides where that follows from the model's inputs, unverified elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import tensorflow as tf
from support.live import PACKAGES, capture_live
from support.one import run

from refconv import formats
from refconv.formats.cut import cut
from refconv.graph import Graph
from refconv.pipeline import Options, verify
from refconv.reference.masks import with_known_masks
from refconv.result import CheckResult, Verdict

RNG = np.random.default_rng(8)
X = RNG.normal(size=(2, 5, 3)).astype(np.float32)
TOKENS = RNG.integers(1, 7, (2, 5)).astype(np.int32)
PADDED, HIDDEN = TOKENS.copy(), X.copy()
PADDED[0, 3:] = 0
HIDDEN[0, [0, 2]] = 0.5
pytestmark = pytest.mark.filterwarnings("ignore:.*does not support masking")  # Keras 3, of layers inside layers
BOTH = pytest.mark.parametrize("major", PACKAGES)
LEFT_OUT = "mask left out"
BAD = (Verdict.MISMATCH, Verdict.SUSPECT)


def sequential(keras: Any) -> Any:
    """A Sequential model's file says nothing of masks."""
    layers = keras.layers
    stack = [layers.Masking(mask_value=0.5, name="masking"), layers.LSTM(4, return_sequences=True, name="lstm")]
    both = layers.Bidirectional(layers.GRU(2, return_sequences=True), name="both")
    return keras.Sequential([layers.Input(X.shape[1:]), *stack, both, layers.SimpleRNN(3, name="last")])


def functional(keras: Any) -> Any:
    """Two inputs, each with a mask that goes through several layers, and the two met by attention of every kind.

    Keras 3 writes the masks into the calls, as tensors of operators; Keras 2 does not.
    """
    layers = keras.layers
    values, tokens = layers.Input(X.shape[1:], name="values"), layers.Input((5,), name="tokens", dtype="int32")
    x = layers.Masking(mask_value=0.5, name="masking")(values)
    x, *states = layers.LSTM(4, return_sequences=True, return_state=True, name="lstm")(x)
    y = layers.Embedding(7, 3, mask_zero=True, name="embedding")(tokens)
    y = layers.Bidirectional(layers.GRU(2, return_sequences=True), name="both")(y)
    y = layers.BatchNormalization(name="norm")(y)
    y = layers.TimeDistributed(layers.Dense(4), name="each")(y) if keras.__name__ == "keras" else y
    y = layers.Add(name="sum")([y, layers.Dense(4, name="dense")(y)])
    y = layers.MultiHeadAttention(2, 3, name="heads")(y, layers.Dense(4, name="copy")(x))  # takes its inputs' masks off
    y = layers.MultiHeadAttention(2, 3, name="self")(y, y, use_causal_mask=True)
    if keras.__name__ == "keras":
        y = layers.GroupQueryAttention(3, 4, 2, name="groups")(y, x)
    y = layers.Attention(name="attention")([y, x], use_causal_mask=True)
    y = layers.AdditiveAttention(name="additive")([y, x])
    y = layers.LSTM(4, return_sequences=True, unroll=True, name="from_states")(y, initial_state=states)
    y = layers.SimpleRNN(4, return_sequences=True, go_backwards=True, name="backwards")(y)
    mean = layers.GlobalAveragePooling1D(name="mean")(y)
    return keras.Model([values, tokens], [*layers.GRU(3, return_state=True, name="last")(y), mean])


def readers(major: int) -> list[str]:
    """Of the functional model. Keras 3 gives no mask to a layer that is called with initial states, but hands it on."""
    names = ["lstm", "both", "heads", "self", "attention", "additive", "backwards", "last", "mean"]
    return [*names, "groups" if major == 3 else "from_states"]


class Saved:
    def __init__(self, major: int, make: Any, folder: Path) -> None:
        self.major, self.model, self.path = major, make(import_module(PACKAGES[major])), folder / "model.keras"
        rng = np.random.default_rng(3)
        weights = self.model.get_weights()
        drawn = (rng.normal(0, 0.5, w.shape) if w.ndim > 1 else rng.uniform(0.1, 1, w.shape) for w in weights)
        self.model.set_weights([w.astype(np.float32) for w in drawn])
        self.model.save(self.path)
        self.graph = formats.load(self.path)

    def checked(self, *inputs: np.ndarray, mode: str = "graph", power: bool = False) -> CheckResult:
        trace = capture_live(self.model, list(inputs), keras=self.major, mode=mode)
        return verify(self.graph, trace, inputs, Options(power=power))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Saved]:
    return {major: Saved(major, sequential, tmp_path_factory.mktemp(f"keras{major}")) for major in PACKAGES}


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Saved]:
    return {major: Saved(major, functional, tmp_path_factory.mktemp(f"met{major}")) for major in PACKAGES}


def passes(result: CheckResult) -> None:
    said = [(layer.name, layer.verdict.value, layer.reason) for layer in result.layers]
    assert result.verdict == "pass", said
    assert not any(layer.verdict is Verdict.UNVERIFIED for layer in result.layers), said
    assert result.plain is not None
    assert {output.name for layer in result.layers for output in layer.outputs} >= {"h", "c", "backward h"}


def reasons(result: CheckResult) -> dict[str, str]:
    return {layer.name: layer.reason for layer in result.layers if layer.reason}


@BOTH
@pytest.mark.parametrize("mode", ["graph", "eager"])
@pytest.mark.parametrize("x", [X, HIDDEN], ids=["nothing hidden", "steps hidden"])
def test_a_sequential_model(major: int, mode: str, x: np.ndarray, models: dict[int, Saved]) -> None:
    passes(models[major].checked(x, mode=mode))


@BOTH
@pytest.mark.parametrize("inputs", [(X, TOKENS), (HIDDEN, TOKENS), (X, PADDED), (HIDDEN, PADDED)])
def test_masks_of_several_layers_meet(major: int, inputs: tuple[np.ndarray, ...], met: dict[int, Saved]) -> None:
    passes(met[major].checked(*inputs))


@BOTH
@pytest.mark.slow
def test_masks_in_xla(major: int, met: dict[int, Saved]) -> None:
    """Its loops go on with states of their own, which it rounds in another way than those that it hands out."""
    passes(met[major].checked(HIDDEN, PADDED, mode="xla"))


@BOTH
def test_every_sample_is_judged_by_its_own_mask(major: int, met: dict[int, Saved]) -> None:
    """Slices of one sample, of which the second hides nothing."""
    saved = met[major]
    trace = capture_live(saved.model, [HIDDEN, PADDED], keras=major, mode="eager")
    for start in (0, 1):
        part = [HIDDEN[start : start + 1], PADDED[start : start + 1]]
        passes(verify(saved.graph, capture_live(saved.model, part, keras=major), part, Options()))
    exchanged = [HIDDEN[::-1], PADDED[::-1]]
    result = verify(saved.graph, trace, exchanged, Options())
    assert {"lstm", "both"} <= {layer.name for layer in result.layers if layer.verdict in BAD}


def without_mask(call: Callable[..., Any]) -> Callable[..., Any]:
    """The call as of a layer that does not know masks: its inputs have none, and it is named none."""

    def bare(value: Any) -> Any:
        return tf.nest.map_structure(lambda x: tf.identity(x) if isinstance(x, tf.Tensor) else x, value)

    return lambda *args, **kwargs: call(*bare(args), **{k: v for k, v in kwargs.items() if not k.endswith("mask")})


@BOTH
def test_a_mask_that_is_left_out_is_found(major: int, met: dict[int, Saved]) -> None:
    saved = met[major]
    for name in readers(major):
        layer = saved.model.get_layer(name)
        try:
            vars(layer)["call"] = without_mask(layer.call)
            result = saved.checked(HIDDEN, PADDED, mode="eager")
        finally:
            del vars(layer)["call"]
        assert [found.name for found in result.layers if found.verdict in BAD] == [name]


@BOTH
def test_a_fault_under_a_mask_is_found(major: int, models: dict[int, Saved]) -> None:
    layer = models[major].model.get_layer("lstm")
    weights = layer.get_weights()
    for x in (X, HIDDEN):
        try:
            layer.set_weights([weights[0], weights[1].T.reshape(weights[1].shape), weights[2]])
            result = models[major].checked(x)
        finally:
            layer.set_weights(weights)
        assert [layer.name for layer in result.layers if layer.verdict is Verdict.MISMATCH] == ["lstm"]


@BOTH
def test_power_tells_of_a_mask_left_out(major: int, met: dict[int, Saved]) -> None:
    result = met[major].checked(HIDDEN, PADDED, power=True)
    caught = {layer.name for layer in result.layers if layer.power and LEFT_OUT in layer.power.caught}
    assert caught == set(readers(major)) - {"self"}  # whose causal mask hides what the other does
    idle = met[major].checked(X, TOKENS, power=True)
    assert not any(LEFT_OUT in layer.power.caught for layer in idle.layers if layer.power)


def unknown(keras: Any) -> Any:
    """A mask that an inner layer makes, and readers without a reference under one."""
    layers = keras.layers
    values, tokens = layers.Input(X.shape[1:], name="values"), layers.Input((5,), name="tokens", dtype="int32")
    x = layers.Masking(name="masking")(layers.Dense(3, activation="relu", name="dense")(values))
    x = layers.LSTM(4, name="lstm")(x)
    y = layers.Embedding(7, 3, mask_zero=True, name="embedding")(tokens)
    mean = layers.GlobalAveragePooling1D(dtype="mixed_float16", name="mean")(y)  # the number of steps rounds too
    return keras.Model([values, tokens], [x, mean])


@BOTH
def test_what_is_not_known_is_said(major: int, tmp_path: Path) -> None:
    saved = Saved(major, unknown, tmp_path)
    result = saved.checked(X, PADDED)
    said = reasons(result)
    assert result.verdict == "incomplete" and set(said) == {"lstm", "mean"}
    assert said["lstm"].startswith("no reference for LSTM under a mask: ") and said["lstm"].endswith("may hide steps")
    assert said["mean"].startswith("no reference for GlobalAveragePooling1D under a mask: ")
    assert said["mean"].endswith("hides 2 steps")
    assert "a layer has no reference, so predict is not judged" in result.notes


def named(keras: Any) -> Any:
    """Masks that calls name: one that the caller feeds, and one that an operator makes of what he feeds."""
    layers, tokens = keras.layers, keras.layers.Input((5,), name="tokens", dtype="int32")
    values, pairs = layers.Input(X.shape[1:], name="values"), layers.Input((5, 5), name="pairs", dtype="bool")
    shown = keras.ops.not_equal(tokens, 0) if keras.__name__ == "keras" else tf.math.not_equal(tokens, 0)
    x = layers.GRU(3, return_sequences=True, zero_output_for_mask=True, name="gru")(values, mask=shown)
    x = layers.MultiHeadAttention(2, 3, name="heads")(x, values, attention_mask=pairs, return_attention_scores=True)
    x = layers.Attention(name="attention")([x[0], values], mask=[None, shown])
    return keras.Model([values, tokens, pairs], x)


@BOTH
def test_masks_that_calls_name(major: int, tmp_path: Path) -> None:
    saved = Saved(major, named, tmp_path)
    pairs = RNG.random((2, 5, 5)) < 0.6
    pairs[..., 0] = True
    result = saved.checked(X, PADDED, pairs)
    assert result.verdict == "pass" and reasons(result) == {}
    for name in ("gru", "heads", "attention"):
        layer = saved.model.get_layer(name)
        try:
            vars(layer)["call"] = without_mask(layer.call)
            result = saved.checked(X, PADDED, pairs, mode="eager")
        finally:
            del vars(layer)["call"]
        assert [found.name for found in result.layers if found.verdict in BAD] == [name]


def nested(keras: Any) -> Any:
    """A model called under a mask: Keras 3 names it in the call."""
    layers = keras.layers
    inner = layers.Input((5, 3))
    y = layers.SimpleRNN(2, name="rnn")(layers.Dense(3, name="dense")(inner))
    tokens = layers.Input((5,), name="tokens", dtype="int32")
    x = layers.Embedding(7, 3, mask_zero=True, name="embedding")(tokens)
    return keras.Model(tokens, keras.Model(inner, y, name="inner")(x))


@BOTH
def test_a_mask_enters_a_nested_model(major: int, tmp_path: Path) -> None:
    saved = Saved(major, nested, tmp_path)
    for tokens in (TOKENS, PADDED):
        result = saved.checked(tokens)
        assert result.verdict == "pass" and reasons(result) == {}
    layer = saved.model.get_layer("inner").get_layer("rnn")
    vars(layer)["call"] = without_mask(layer.call)
    result = saved.checked(PADDED, mode="eager")
    assert [found.name for found in result.layers if found.verdict in BAD] == ["inner/rnn"]


def blocks(keras: Any) -> Any:
    """Two embeddings of the same tokens added up, attention to itself, and attention to the sum with that."""
    layers, tokens = keras.layers, keras.layers.Input((5,), name="tokens", dtype="int32")
    x = layers.Add(name="sum")([layers.Embedding(7, 4, mask_zero=True)(tokens) for _ in range(2)])
    y = layers.MultiHeadAttention(2, 3, name="first")(x, x)
    z = layers.Add(name="residual")([x, y])
    return keras.Model(tokens, layers.MultiHeadAttention(2, 3, name="second")(z, z))


@BOTH
def test_a_mask_that_is_taken_off(major: int, tmp_path: Path) -> None:
    """Keras 3's MultiHeadAttention takes it off its inputs, so that the sum with its output has none."""
    saved = Saved(major, blocks, tmp_path)
    assert saved.checked(TOKENS).verdict == "pass"
    result = saved.checked(PADDED)
    assert set(reasons(result)) == ({"second"} if major == 3 else set())
    assert result.verdict == ("incomplete" if major == 3 else "pass")
    assert all(said.endswith("hides 2 steps") for said in reasons(result).values())


def test_makers_are_known_by_their_new_numbers_in_a_part_of_the_graph(met: dict[int, Saved]) -> None:
    """Without one Dense the masks behind it are known still; without the Embedding they are not."""
    graph = met[2].graph
    index = {node.layer: node.index for node in graph.nodes}
    left = cut(graph, {index["copy"]: (None, 5, 4)}).graph
    (heads,) = (node for node in left.nodes if node.layer == "heads")
    assert {left.nodes[i].layer for i in heads.masks} == {"masking", "embedding"}
    left = cut(graph, {index["embedding"]: (None, 5, 3)}).graph
    (heads,) = (node for node in left.nodes if node.layer == "heads")
    assert heads.hides is None and -1 in heads.masks
    known, _ = with_known_masks(left, [np.zeros((2, *spec.shape[1:]), np.float32) for spec in left.specs])
    (heads,) = (node for node in known.nodes if node.layer == "heads")
    assert heads.attrs is None and heads.reason.endswith("a layer that was left out may hide steps")


def test_keras_3_holds_masks_as_operations(met: dict[int, Saved]) -> None:
    """What the file is: operators, and calls that name their tensors."""
    with ZipFile(met[3].path) as archive:
        config = json.loads(archive.read("config.json"))["config"]
    assert {"NotEqual", "Any"} <= {layer["class_name"] for layer in config["layers"]}
    types = {node.type for node in met[3].graph.nodes}
    assert {"ops.not_equal", "ops.any"} <= types
    assert not types & {"ops.not_equal"} & {node.type for node in met[2].graph.nodes}


@BOTH
def test_the_graph_alone_claims_no_reference_under_a_mask(major: int, met: dict[int, Saved]) -> None:
    graph: Graph = met[major].graph
    nodes = {node.layer: node for node in graph.nodes}
    assert nodes["lstm"].attrs is None and nodes["lstm"].unmasked is not None
    roles = dict(nodes["heads"].hides or ())
    query, value = (
        [graph.nodes[index].layer.rstrip("_0123456789") for index in roles[role]] for role in ("query", "value")
    )
    assert value == (["masking"] if major == 2 else ["any"])
    assert query == (["embedding"] if major == 2 else ["not_equal"])
    assert nodes["dense"].attrs is not None and not nodes["dense"].masks


def test_masking_by_hand() -> None:
    x = np.float32([[[2, 2], [2, 3], [0, 0]]])
    assert run("Masking", {"mask_value": 2.0}, x).mid.tolist() == [[[0, 0], [2, 3], [0, 0]]]
    assert run("Masking", {"mask_value": 0.1}, np.float32([[[0.1]]])).mid.item() == 0  # 0.1 in float32
