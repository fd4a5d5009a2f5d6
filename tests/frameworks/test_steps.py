"""The states after every step, recorded in the run that gives the layer's output, which stays what it was."""

from __future__ import annotations

import sys
from typing import Any

import keras as keras3
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras2
from support.framework import framework, record

from refconv.frameworks.worker.recording import as_is
from refconv.frameworks.worker.steps import Steps
from refconv.trace import Call, Trace

BOTH = pytest.mark.parametrize("keras", [keras2, keras3], ids=["keras2", "keras3"])
MODES = pytest.mark.parametrize("mode", ["graph", "eager", "xla"])
X = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)


def model_of(keras: Any, layer: Any) -> Any:
    start = keras.layers.Input(X.shape[1:])
    model = keras.Model(start, layer(start))
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in model.get_weights()])
    return model


def recorded(keras: Any, layer: Any, mode: str = "graph") -> tuple[Trace, Call, dict[str, np.ndarray]]:
    trace = record(keras, model_of(keras, layer), X, mode=mode)
    (call,) = trace.calls
    return trace, call, {name: trace.tensors[key] for name, key in call.steps}


def close(got: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def everything(keras: Any, kind: str, config: dict[str, Any], mode: str) -> list[np.ndarray]:
    """Sequence and last states by Keras's own means: the same layer asked to return all of them."""
    layer = getattr(keras.layers, kind)(**{**config, "return_sequences": True, "return_state": True})
    model = model_of(keras, layer)
    model.run_eagerly = mode == "eager"
    return [np.asarray(y) for y in model.predict(X, verbose=0)]


@BOTH
@pytest.mark.parametrize("mode", ["graph", "eager"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("config", [{}, {"unroll": True, "go_backwards": True}, {"activation": "relu"}])
def test_steps_are_those_of_the_layer_as_it_runs_unrecorded(keras: Any, mode: str, kind: str, config: Any) -> None:
    """Bit for bit what Keras gives when nothing is recorded; relu takes Keras 2 off its fused path.

    But for SimpleRNN in a graph: with more to return, TensorFlow fuses its sums otherwise (TRAPS 17).
    """
    same = np.testing.assert_array_equal if mode == "eager" or kind != "SimpleRNN" else close
    config = {"units": 4, **config}
    trace, call, steps = recorded(keras, getattr(keras.layers, kind)(**config), mode)
    sequence, *last = everything(keras, kind, config, mode)
    assert list(steps) == (["h", "c"] if kind == "LSTM" else ["h"])
    same(steps["h"], sequence)
    for state, expected in zip(steps.values(), last, strict=True):
        same(state[:, -1], expected)
    (output,) = (trace.tensors[key] for key in call.outputs)
    np.testing.assert_array_equal(output, steps["h"][:, -1])
    same(trace.plain[0], output)


@BOTH
@MODES
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("with_state", [False, True])
def test_outputs_have_the_layer_s_own_form(keras: Any, mode: str, sequences: bool, with_state: bool) -> None:
    layer = keras.layers.LSTM(4, return_sequences=sequences, return_state=with_state)
    trace, call, _ = recorded(keras, layer, mode)
    shapes = [trace.tensors[key].shape for key in call.outputs]
    assert shapes == [(2, 5, 4) if sequences else (2, 4), *([(2, 4)] * 2 if with_state else [])]
    assert (layer.return_sequences, layer.return_state) == (sequences, with_state)


@BOTH
@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_both_directions_in_the_order_in_which_they_run(keras: Any, mode: str) -> None:
    layer = keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True), merge_mode="concat")
    trace, call, steps = recorded(keras, layer, mode)
    assert list(steps) == ["forward h", "forward c", "backward h", "backward c"]
    (output,) = (trace.tensors[key] for key in call.outputs)
    np.testing.assert_array_equal(output, np.concatenate([steps["forward h"], steps["backward h"][:, ::-1]], axis=-1))
    np.testing.assert_array_equal(trace.plain[0], output)


@BOTH
def test_nothing_stays_changed_even_where_the_cell_fails(keras: Any) -> None:
    layer = keras.layers.Bidirectional(keras.layers.SimpleRNN(4, return_sequences=True))
    model_of(keras, layer)
    backend = vars(sys.modules[keras.layers.RNN.__module__])["backend"]
    held = backend.rnn, dict(vars(layer.forward_layer)), dict(vars(layer.backward_layer))

    def fails(*args: Any, **kwargs: Any) -> Any:
        raise ArithmeticError("in the cell")

    vars(layer.backward_layer.cell)["call"] = fails
    with pytest.raises(ArithmeticError, match="in the cell"):
        Steps(framework(keras), as_is).run(layer, layer.call, (tf.constant(X),), {})
    assert backend.rnn is held[0]
    for one, before in ((layer.forward_layer, held[1]), (layer.backward_layer, held[2])):
        assert "call" not in vars(one)
        assert {k: vars(one)[k] for k in ("return_sequences", "return_state")} == {
            k: before[k] for k in ("return_sequences", "return_state")
        }


@BOTH
def test_a_kernel_that_runs_no_steps_leaves_none(keras: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As cuDNN's: the loop of `backend.rnn` is never entered, and what the layer gives is still its output."""
    layer = keras.layers.SimpleRNN(4)
    model_of(keras, layer)
    plain = np.asarray(layer(tf.constant(X)))
    backend = vars(sys.modules[keras.layers.RNN.__module__])["backend"]
    rnn = backend.rnn

    def fused(*args: Any, **kwargs: Any) -> Any:
        vars(backend)["rnn"], wide = rnn, vars(backend)["rnn"]
        try:
            return layer_call(*args, **kwargs)
        finally:
            vars(backend)["rnn"] = wide

    layer_call = layer.call
    steps = Steps(framework(keras), as_is)
    output = steps.run(layer, fused, (tf.constant(X),), {})
    assert steps.found == {}
    np.testing.assert_array_equal(np.asarray(output), plain)


def test_layers_without_steps_and_other_cells_are_left_alone() -> None:
    for layer in (keras3.layers.Dense(2), keras3.layers.RNN(keras3.layers.LSTMCell(2))):
        _, call, steps = recorded(keras3, layer)
        assert call.steps == ()
        assert steps == {}
