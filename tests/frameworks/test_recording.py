"""What the wrapped calls of a live model tell: every leaf, each tensor once, and no trace left behind."""

import io

import keras as keras3
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras2
from support.framework import record, trace_of

from refconv.frameworks.worker.capture import LayerFailure

BOTH = pytest.mark.parametrize("keras", [keras2, keras3], ids=["keras2", "keras3"])
MODES = pytest.mark.parametrize("mode", ["graph", "eager", "xla"])
X = np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 12)


def nested_model(keras):
    """Input → block(inner) twice, with a Dense shared between its calls → two outputs."""
    layers = keras.layers
    shared = layers.Dense(12, name="shared", bias_initializer="random_normal")
    inner = keras.Sequential([layers.Dense(12, activation="tanh", name="a")], name="inner")
    start = layers.Input((12,), name="start")
    middle = layers.Input((12,))
    block = keras.Model(middle, layers.Add(name="add")([inner(middle), middle]), name="block")
    first = shared(block(start))
    second = shared(layers.Dropout(0.5, name="drop")(first))
    return keras.Model(start, [layers.Dense(3, name="left")(second), layers.Dense(2, name="right")(first)])


def numbers(keys):
    return [key.split(":")[1] for key in keys]


@BOTH
@MODES
def test_every_leaf_call_is_recorded_and_chains(keras, mode):
    trace = record(keras, nested_model(keras), X, mode=mode)
    called = [(call.layer, call.call) for call in trace.calls]
    assert sorted(called) == sorted(
        [("block/inner/a", 0), ("block/add", 0), ("shared", 0), ("drop", 0), ("shared", 1), ("left", 0), ("right", 0)]
    )
    by = {(call.layer, call.call): call for call in trace.calls}
    assert by["block/inner/a", 0].inputs == trace.model_inputs[0]
    assert by["block/add", 0].inputs == by["block/inner/a", 0].outputs + trace.model_inputs[0]
    assert by["shared", 0].inputs == by["block/add", 0].outputs
    assert by["shared", 1].inputs == by["drop", 0].outputs
    assert by["right", 0].inputs == by["shared", 0].outputs
    assert by["left", 0].type == "Dense"
    assert all((call.seconds > 0) == (mode == "eager") for call in trace.calls)


@BOTH
@MODES
def test_values_are_the_framework_s_own(keras, mode):
    model = nested_model(keras)
    trace = record(keras, model, X, mode=mode)
    by = {(call.layer, call.call): call for call in trace.calls}
    kernel, bias = model.get_layer("shared").get_weights()
    given, got = (trace.tensors[key] for key in (*by["shared", 1].inputs, *by["shared", 1].outputs))
    np.testing.assert_allclose(got, given @ kernel + bias, rtol=1e-5, atol=1e-6)
    assert [array.shape for array in trace.outputs] == [(2, 3), (2, 2)]
    for plain, output, layer in zip(trace.plain, trace.outputs, ("left", "right"), strict=True):
        np.testing.assert_array_equal(output, trace.tensors[by[layer, 0].outputs[0]])
        np.testing.assert_allclose(plain, output, rtol=1e-5, atol=1e-6)


@BOTH
@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_a_small_budget_makes_passes_over_the_same_tensors(keras, mode):
    model = nested_model(keras)
    whole, split = (record(keras, model, X, mode=mode, budget=budget) for budget in (1 << 30, 1))
    assert len(whole.model_inputs) == 1
    assert len(split.model_inputs) == len(split.calls) == len(whole.calls)
    for one, other in zip(whole.calls, split.calls, strict=True):
        assert (one.layer, one.call, one.type) == (other.layer, other.call, other.type)
        assert numbers(one.inputs + one.outputs) == numbers(other.inputs + other.outputs)
        for a, b in zip(one.inputs + one.outputs, other.inputs + other.outputs, strict=True):
            np.testing.assert_allclose(whole.tensors[a], split.tensors[b], rtol=1e-5, atol=1e-6)
    # Two passes' worth: one call's input (2 × 12 floats) and output fit, a second call's do not.
    assert len(record(keras, model, X, mode=mode, budget=2 * 2 * 12 * 4).model_inputs) > 2


@BOTH
def test_the_model_is_as_before(keras):
    model = nested_model(keras)
    before = [dict(vars(layer)).keys() for layer in model.layers]
    expected = model.predict(X, verbose=0)
    record(keras, model, X)
    assert [dict(vars(layer)).keys() for layer in model.layers] == before
    for got, was in zip(model.predict(X, verbose=0), expected, strict=True):
        np.testing.assert_array_equal(got, was)


@BOTH
@MODES
def test_a_layer_that_raises_is_named_and_the_calls_before_it_are_kept(keras, mode):
    model, broken = failing_model(keras)
    broken.raises = True
    stream = io.BytesIO()
    with pytest.raises(LayerFailure, match="no kernel for this layout") as caught:
        record(keras, model, X, mode=mode, stream=stream)
    assert caught.value.layer == "inner/broken"
    assert [call.layer for call in trace_of(stream).calls] == ["before"]
    assert not any("call" in vars(layer) for layer in [*model.layers, broken])


@BOTH
@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_a_layer_that_fails_when_it_runs_is_named(keras, mode):
    model, broken = failing_model(keras)
    broken.not_a_number = True
    stream = io.BytesIO()
    with pytest.raises(LayerFailure, match="seen at run time") as caught:
        record(keras, model, X, mode=mode, stream=stream)
    assert caught.value.layer == "inner/broken"
    assert [call.layer for call in trace_of(stream).calls] == ["before"]


def failing_model(keras):
    """A model whose layer inner/broken can be told to fail once the model is built."""

    class Broken(keras.layers.Layer):
        raises = not_a_number = False

        def call(self, x):
            if self.raises:
                raise NotImplementedError("no kernel for this layout")
            return tf.debugging.check_numerics(tf.math.log(-1 - x * x), "seen at run time") if self.not_a_number else x

    layers = keras.layers
    start, broken = layers.Input((12,)), Broken(name="broken")
    inner = keras.Sequential([layers.Input((12,)), broken], name="inner")
    before = layers.Dense(12, name="before")(start)
    return keras.Model(start, layers.Dense(2, name="after")(inner(before))), broken


class Flips(keras2.layers.Layer):
    """Python control flow over a tensor, which Keras 2 runs through autograph."""

    def call(self, x):
        if tf.reduce_sum(x) > 0:
            return -x
        return x


@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_control_flow_of_a_layer_is_converted_as_keras_2_converts_it(mode):
    inner = keras2.Sequential([Flips(name="flips")], name="inner")
    model = keras2.Sequential([keras2.layers.Input((12,)), inner])
    for x in (np.abs(X), -np.abs(X)):
        trace = record(keras2, model, x, mode=mode)
        assert [call.layer for call in trace.calls] == ["inner/flips"]
        np.testing.assert_array_equal(trace.outputs[0], -np.abs(X))


@BOTH
@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_a_layer_with_layers_of_its_own_is_one_leaf(keras, mode):
    layers = keras.layers
    body = keras.Sequential([layers.Input((3,)), layers.Dense(2, name="inside")], name="body")
    model = keras.Sequential(
        [layers.Input((4, 3)), layers.TimeDistributed(body, name="times"), layers.GRU(2, name="gru")]
    )
    trace = record(keras, model, X.reshape(2, 4, 3), mode=mode)
    assert [call.layer for call in trace.calls] == ["times", "gru"]


@BOTH
@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_a_layer_that_a_leaf_calls_is_recorded_only_where_the_model_itself_calls_it(keras, mode):
    layers = keras.layers
    dense, start = layers.Dense(3, name="dense"), layers.Input((4, 3))
    model = keras.Model(start, layers.TimeDistributed(dense, name="times")(dense(start)))
    trace = record(keras, model, X.reshape(2, 4, 3), mode=mode)
    assert [(call.layer, call.call) for call in trace.calls] == [("dense", 0), ("times", 0)]


@BOTH
def test_inputs_in_another_dtype_are_fed_as_the_model_declares_them(keras):
    model = keras.Sequential([keras.layers.Input((12,), dtype="int32"), keras.layers.Embedding(5, 2, name="table")])
    trace = record(keras, model, np.arange(24, dtype=np.int64).reshape(2, 12) % 5)
    assert trace.calls[0].inputs == trace.model_inputs[0]
    assert trace.tensors[trace.calls[0].inputs[0]].dtype == np.int32


@BOTH
def test_inputs_and_outputs_by_name_keep_the_model_s_order(keras):
    layers = keras.layers
    starts = {name: layers.Input((width,), name=name) for name, width in (("wide", 4), ("narrow", 2))}
    ends = {name: layers.Dense(width, name=name)(starts["wide"]) for name, width in (("zeta", 5), ("alpha", 3))}
    ends["zeta"] = layers.Concatenate(name="join")([ends["zeta"], starts["narrow"]])
    model = keras.Model(starts, ends)
    inputs = [np.ones((2, spec.shape[-1]), np.float32) for spec in model.inputs]
    trace = record(keras, model, *inputs)
    assert [array.shape for array in trace.outputs] == [(2, 3), (2, 7)] == [array.shape for array in trace.plain]


def test_operations_of_keras_3_are_recorded_as_layers_are():
    start = keras3.layers.Input((12,))
    model = keras3.Model(start, keras3.ops.add(keras3.layers.Dense(12, name="dense")(start), start))
    assert [call.type for call in record(keras3, model, X).calls] == ["Dense", "Add"]


def test_steering_arguments_are_no_data_and_others_are():
    class Scaled(keras2.layers.Layer):
        def call(self, x, mask=None, training=None, by=None):
            return x * by

    masked = keras2.layers.Masking(name="masking")
    start = keras2.layers.Input((4, 3))
    model = keras2.Model(start, Scaled(name="scaled")(masked(start), by=start))
    last = record(keras2, model, X.reshape(2, 4, 3)).calls[-1]
    assert last.layer == "scaled"
    assert last.inputs[1] == "0:0"
    assert len(last.inputs) == 2


def test_half_precision_arrives_as_it_was():
    model = keras2.Sequential([keras2.layers.Input((12,)), keras2.layers.Dense(2, dtype="bfloat16", name="half")])
    trace = record(keras2, model, X)
    assert trace.tensors[trace.calls[0].outputs[0]].dtype.name == "bfloat16"
