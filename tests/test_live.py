"""Models that live in this process: checked where they are, by what they are, and left as they were."""

from __future__ import annotations

import warnings
from typing import Any

import keras as keras3
import numpy as np
import pytest
import qkeras
import tensorflow as tf
import tf_keras as keras2
from support.saved import MAKERS, randomize

import refconv
from refconv.errors import BadInput, FrameworkError
from refconv.formats.live import read_live
from refconv.frameworks import live
from refconv.frameworks.worker.backends.tensorflow import TensorFlow
from refconv.report import json_report
from refconv.result import CheckResult, Verdict

BOTH = pytest.mark.parametrize("keras", [keras2, keras3], ids=["keras2", "keras3"])


RIGHT = (Verdict.WITHIN, Verdict.EXACT)  # few sums may all be the nearest by chance


def graph_of(model: Any):
    return read_live(model, live.framework_of(model).keras.__version__, live.sigmoid())


def dense(keras: Any, **more: Any) -> Any:
    model = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(3, name="dense", **more)], name="small")
    randomize(model)
    return model


@BOTH
@pytest.mark.parametrize("maker", ["nested_in_nested", "several_outputs"])
def test_a_model_of_any_structure_passes(keras, maker):
    model = MAKERS[maker](keras)
    randomize(model)
    result = refconv.check(model)
    assert result.verdict == "pass" and result.counts["verified"] == result.counts["layers"]
    assert (result.model.path, result.model.format, result.model.sha256) == (model.name, "memory", "")
    assert result.model.keras_version == keras.__version__


@BOTH
@pytest.mark.parametrize("maker", sorted(MAKERS))
def test_every_structure_is_read_with_the_weights_that_it_has(keras, maker):
    model = MAKERS[maker](keras)
    randomize(model)
    graph = graph_of(model)
    weights = {id(w): w for node in graph.nodes if node.call == 0 for w in node.weights.values()}
    values = [w.value for w in weights.values()]
    assert sum(v.size for v in values) == sum(np.size(v) for v in model.get_weights())
    assert all(any(np.array_equal(v, own) for own in model.get_weights()) for v in values)


@BOTH
@pytest.mark.parametrize(("mode", "compiled"), [("graph", True), ("eager", False), ("eager", True)])
def test_a_model_is_left_as_it_was(keras, mode, compiled):
    model = dense(keras)
    if compiled:
        model.compile("adam", "mse")
        model.predict(np.ones((2, 6)), verbose=0)
    weights, before = model.get_weights(), [dict(vars(part)) for part in (model, *model.layers)]
    assert refconv.check(model, mode=mode).verdict == "pass"
    assert all(map(np.array_equal, weights, model.get_weights()))
    for part, old in zip((model, *model.layers), before, strict=True):
        assert vars(part).keys() == old.keys() and all(vars(part)[name] is value for name, value in old.items())
    if compiled:
        model.fit(np.ones((4, 6)), np.ones((4, 3)), verbose=0)


@BOTH
def test_a_recurrent_layer_s_state_goes_on_from_where_it_was(keras):
    model = keras.Sequential(
        [keras.Input(batch_shape=(2, 3, 4)), keras.layers.LSTM(2, stateful=True, name="lstm"), keras.layers.Dense(1)]
    )
    x = np.ones((2, 3, 4), np.float32)
    model.predict(x, batch_size=2, verbose=0)
    states = [np.array(s) for s in model.layers[-2].states]
    assert any(np.any(state) for state in states)
    refconv.check(model, x)
    assert all(map(np.array_equal, states, map(np.array, model.layers[-2].states)))


def wrong(result: CheckResult) -> list[str]:
    return [layer.name for layer in result.layers if layer.verdict is Verdict.MISMATCH]


@BOTH
def test_a_layer_that_computes_something_else_is_found(keras):
    model = dense(keras)
    layer = model.get_layer("dense")
    layer.call = lambda x, training=None: tf.matmul(x, layer.kernel)  # the bias is missing
    result = refconv.check(model)
    assert wrong(result) == ["dense"]
    assert result.layers[0].findings[0].code == "RC301"
    assert result.layers[0].findings[0].command == ""  # no file shows it again
    assert json_report.document(result)["model"]["format"] == "memory"


def test_what_qkeras_does_not_save_is_taken_from_the_live_layer():
    relu = qkeras.quantized_relu(6, 1, relu_upper_bound=0.5, is_quantized_clip=False)
    x = keras2.Input((6,))
    y = qkeras.QDense(4, kernel_quantizer=qkeras.quantized_bits(4, 0, 1, alpha=1), name="dense")(x)
    model = keras2.Model(x, qkeras.QActivation(relu, name="relu")(y))
    randomize(model)
    with warnings.catch_warnings(action="error"):  # as a test may have it
        result = refconv.check(model, 3 * np.ones((2, 6), np.float32))
    assert result.verdict == "pass"
    told = "relu: activation: is_quantized_clip = False in the live layer, where its configuration says True"
    assert told in result.notes
    assert [q.name for q in result.quantized] == ["dense", "relu"]
    relu.is_quantized_clip = True
    assert told not in graph_of(model).notes


def test_a_live_parameter_that_the_layer_does_not_use_is_a_mismatch():
    """The quantizer that is applied counts, not one that only the configuration knows."""
    x = keras2.Input((6,))
    model = keras2.Model(x, qkeras.QDense(4, kernel_quantizer=qkeras.quantized_bits(4, 0, 1, alpha=1), name="d")(x))
    randomize(model)
    layer = model.get_layer("d")
    applied = layer.kernel_quantizer_internal
    layer.call = lambda x: tf.matmul(x, qkeras.quantized_bits(6, 0, 1, alpha=1)(layer.kernel)) + layer.bias
    assert wrong(refconv.check(model)) == ["d"]
    assert layer.kernel_quantizer_internal is applied


def test_qkeras_s_sigmoid_is_this_process_s():
    x = keras2.Input((6,))
    model = keras2.Model(x, qkeras.QActivation(qkeras.quantized_sigmoid(6), name="a")(x))
    try:
        qkeras.set_internal_sigmoid("smooth")
        result = refconv.check(model)
        assert "QKeras's sigmoid is 'smooth' in this process" in result.notes
        assert result.verdict == "pass"
    finally:
        qkeras.set_internal_sigmoid("hard")
    assert not any("sigmoid" in note for note in graph_of(model).notes)


class Scaled3(keras3.layers.Layer):
    """Without get_config, as in many a test."""

    def __init__(self, factor, **more):
        super().__init__(**more)
        self.factor = factor

    def call(self, x):
        return x * self.factor


class Scaled2(keras2.layers.Layer):
    def __init__(self, factor, **more):
        super().__init__(**more)
        self.factor = factor

    def call(self, x):
        return x * self.factor


class Dense(keras2.layers.Dense):
    """A name that Keras has too."""


def relu(x):
    return 2 * x


@pytest.mark.parametrize(("keras", "own"), [(keras2, Scaled2), (keras3, Scaled3)])
def test_a_layer_of_the_user_s_own_is_unverified_and_the_others_are_not(keras, own):
    x = keras.Input((6,))
    result = refconv.check(keras.Model(x, keras.layers.Dense(2, name="dense")(own(2.0, name="own")(x))))
    assert result.layers[0].verdict is Verdict.UNVERIFIED and result.layers[1].verdict in RIGHT
    assert f"{own.__name__}, which is no layer of Keras" in result.layers[0].reason
    refconv.register(own.__name__, lambda config, weights, inputs, ops: ops.multiply(inputs[0], np.float32(2.0)))
    try:
        assert refconv.check(keras.Model(x, own(2.0)(x))).verdict == "pass"
        assert refconv.check(keras.Model(x, own(2.001)(x))).verdict == "fail"
    finally:
        from refconv.ops.registered import forget

        forget(own.__name__)


def test_a_name_of_keras_s_is_not_taken_for_keras_s_own():
    x = keras2.Input((6,))
    result = refconv.check(keras2.Model(x, Dense(2, name="own")(x)))
    assert result.layers[0].verdict is Verdict.UNVERIFIED and "no layer of Keras" in result.layers[0].reason
    result = refconv.check(keras2.Model(x, keras2.layers.Dense(2, activation=relu, name="own")(x)))
    assert result.layers[0].verdict is Verdict.UNVERIFIED and "relu" in result.layers[0].reason


@BOTH
def test_a_lambda_is_not_refused_here_where_its_code_is_the_user_s(keras):
    x = keras.Input((6,))
    y = keras.layers.Lambda(lambda x: x * 2, output_shape=(6,), name="twice")(x)
    result = refconv.check(keras.Model(x, keras.layers.Dense(2, name="dense")(y)))
    assert result.layers[0].verdict is Verdict.UNVERIFIED and result.layers[1].verdict in RIGHT


@BOTH
def test_what_cannot_be_read_has_one_clear_line(keras):
    class Own(keras.Model):
        def call(self, x):
            return 2 * x

    own = Own()
    own(np.ones((1, 2), np.float32))
    with pytest.raises(BadInput, match="Own is a subclassed model: only its code says"):
        refconv.check(own)
    with pytest.raises(BadInput, match="has no weights yet .*call it on data"):
        refconv.check(keras.Sequential([keras.layers.Dense(2)]))


@pytest.mark.parametrize("thing", [3, ["model.h5"], np.ones(3), keras3.layers.Dense(2)])
def test_what_is_no_model_is_refused(thing):
    with pytest.raises(BadInput, match="is neither a file nor a Keras model"):
        refconv.check(thing)


@pytest.mark.parametrize(
    "option",
    [
        {"sha256": "00"},
        {"rebuild": True},
        {"trust_code": ("a.py",)},
        {"memory": 1},
        {"keras": "2"},
        {"backend": "jax"},
        {"python": "python3"},
        {"tf32": "on"},
        {"deterministic": True},
        {"trace": "run.trace.h5"},
    ],
)
def test_options_for_files_are_refused_by_name(option):
    with pytest.raises(BadInput, match=f"option {next(iter(option))}: a model in this process"):
        refconv.check(dense(keras3), **option)


def test_a_gpu_that_is_not_there_is_told():
    with pytest.raises(FrameworkError, match="sees no GPU in this process"):
        refconv.check(dense(keras3), device="gpu")


@pytest.mark.parametrize("device", ["cpu", "gpu:1"])
def test_another_device_than_the_one_that_runs_is_told(device: str, monkeypatch: pytest.MonkeyPatch):
    gpu = {"devices": [{"type": "CPU"}, {"type": "GPU"}]}
    monkeypatch.setattr(TensorFlow, "describe", lambda self: gpu)
    with pytest.raises(FrameworkError, match=f"runs where TensorFlow puts it, not on {device}"):
        refconv.check(dense(keras3), device=device)


def test_a_mode_that_the_backend_has_not_got_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(TensorFlow, "modes", ("graph", "eager"))
    with pytest.raises(FrameworkError, match="TensorFlow has no xla mode .--mode graph"):
        refconv.check(dense(keras3), mode="xla")


def test_every_layer_s_outputs_are_handed_on():
    given = []
    refconv.check(dense(keras3), samples=3, on_outputs=lambda node, start, outputs: given.append((node.name, outputs)))
    assert [(name, [y.shape for y in outputs]) for name, outputs in given] == [("dense", [(3, 3)])]


@BOTH
def test_a_layer_that_cannot_run_is_named_and_the_model_is_left_as_it_was(keras):
    model = dense(keras)
    before = dict(vars(model))

    def fails(x, training=None):
        raise ValueError("no such thing")

    layer = model.get_layer("dense")
    layer.call = fails
    with pytest.raises(FrameworkError, match="cannot run layer dense: ValueError: no such thing"):
        refconv.check(model)
    assert dict(vars(model)) == before and layer.call is fails
    model = keras.Sequential([keras.Input((6,)), keras.layers.ReLU(name="first"), keras.layers.Dense(3, name="dense")])
    model.get_layer("dense").call = fails
    result = refconv.check(model)  # the layer before it can be judged
    assert [layer.verdict.value for layer in result.layers] == ["exact", "unverified"]
    assert any("cannot run layer dense: ValueError: no such thing" in note for note in result.notes)


def test_a_large_batch_is_judged_in_slices(monkeypatch):
    monkeypatch.setattr("refconv.reference.slicing.HELD", 20)
    monkeypatch.setattr(live, "HELD", 64)  # so that the recording is a file
    result = refconv.check(dense(keras3), np.ones((11, 6), np.float32))
    assert result.verdict == "pass" and result.layers[0].outputs[0].shape == (11, 3)


@pytest.mark.parametrize("entry", ["right", "wrong"])
def test_a_known_finding_does_not_stop_a_check_that_stops_at_the_first_that_fails(tmp_path, entry):
    layers = keras3.layers
    model = keras3.Sequential([keras3.Input((4,)), layers.Dense(3, name="a"), layers.Dense(2, name="b")])
    randomize(model)
    for name in ("a", "b") if entry == "wrong" else ("a",):
        layer = model.get_layer(name)
        layer.call = lambda x, training=None, layer=layer: tf.matmul(x, layer.kernel)
    known = tmp_path / "known.toml"
    known.write_text(
        '[[accepted]]\nmodel = "*"\nlayer = "a"\nverdict = "mismatch"\nreason = "r"\nexpires = 2999-01-01\n'
    )
    result = refconv.check(model, fail_fast=True, accepted=str(known))
    assert (result.verdict, result.partial, len(result.layers)) == ("pass" if entry == "right" else "fail", False, 2)
