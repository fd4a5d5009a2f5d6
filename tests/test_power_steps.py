"""Recurrent layers: a fault that would have been caught, planted in a live model, makes its layer fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.live import capture_live

from refconv import formats
from refconv.compare import power
from refconv.compare.counterfactuals.base import Case
from refconv.compare.counterfactuals.table import applicable
from refconv.graph import Graph, Node
from refconv.ops.base import Context
from refconv.ops.table import TABLE
from refconv.pipeline import Options, verify
from refconv.primitives import engines
from refconv.reference.forward import step_names, weights_of
from refconv.result import FAILING, Verdict

keras = pytest.importorskip("keras")

CONTEXT = Context(engines.get("numpy"))
X = np.random.default_rng(6).normal(size=(2, 12, 9)).astype(np.float32)

LAYERS = {
    "lstm": lambda: keras.layers.LSTM(5, return_sequences=True, name="cell"),
    "gru": lambda: keras.layers.GRU(5, name="cell"),
    "simple": lambda: keras.layers.SimpleRNN(5, name="cell"),
    "both": lambda: keras.layers.Bidirectional(keras.layers.LSTM(5), name="cell"),
}


def build(name: str) -> Any:
    model = keras.Sequential([keras.Input(X.shape[1:]), LAYERS[name]()])
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(0, 0.4, w.shape).astype(np.float32) for w in model.get_weights()])
    return model


def case_of(graph: Graph, model: Any) -> Case:
    node = the_layer(graph)
    trace = capture_live(model, [X], keras=3)
    (call,) = (call for call in trace.calls if call.steps)
    steps = {name: trace.tensors[key] for name, key in call.steps}
    weights = weights_of(node)
    return Case(node, weights.applied, (X,), weights.stored, {name: steps[name] for name in step_names(node)})


def the_layer(graph: Graph) -> Node:
    (node,) = (n for n in graph.nodes if n.index not in graph.inputs)
    return node


def planted(model: Any, case: Case, altered: Case) -> None:
    """The altered weights in the live layer; an input turned round in time is a layer that runs backwards."""
    layer = model.layers[-1]
    if not np.array_equal(altered.inputs[0], case.inputs[0]):
        assert np.array_equal(altered.inputs[0], case.inputs[0][:, ::-1])
        layer.go_backwards = True
    for attribute in ("activation", "recurrent_activation"):
        if getattr(altered.attrs, attribute, None) != getattr(case.attrs, attribute, None):
            setattr(layer.cell, attribute, keras.activations.get(getattr(altered.attrs, attribute).name))
    layer.set_weights([altered.weights[name] for name in TABLE[case.node.type].weights(case.attrs)])


@pytest.mark.parametrize("name", LAYERS)
def test_what_would_have_been_caught_is(name: str, tmp_path: Path) -> None:
    build(name).save(tmp_path / "model.keras")
    graph = formats.load(tmp_path / "model.keras")
    case = case_of(graph, build(name))
    found = power.measure(case, CONTEXT)
    assert found is not None
    assert len(found.caught) >= 0.9 * found.applicable
    for row in applicable(case):
        model = build(name)
        if row.name in found.caught:
            planted(model, case, row.alter(case))
            (layer,) = verify(graph, capture_live(model, [X], keras=3), [X], Options()).layers
            assert layer.verdict in FAILING, row.name


def test_only_some_steps_are_sampled_and_a_sound_layer_passes(tmp_path: Path) -> None:
    build("lstm").save(tmp_path / "model.keras")
    graph = formats.load(tmp_path / "model.keras")
    (layer,) = verify(graph, capture_live(build("lstm"), [X], keras=3), [X], Options(power=True)).layers
    assert layer.verdict is Verdict.WITHIN
    assert layer.power is not None and layer.power.sampled == "8 of 12 steps"
    assert "first two gates swapped" in layer.power.caught


def test_a_state_that_stays_zero_hides_what_acts_on_it(tmp_path: Path) -> None:
    """With all inputs and biases zero every h is zero, so the recurrent kernel is never exercised."""
    model = build("simple")
    kernel, recurrent, bias = model.get_weights()
    model.set_weights([kernel, recurrent, np.zeros_like(bias)])
    model.save(tmp_path / "model.keras")
    graph, x = formats.load(tmp_path / "model.keras"), np.zeros_like(X)
    (layer,) = verify(graph, capture_live(model, [x], keras=3), [x], Options(power=True)).layers
    assert layer.verdict is Verdict.VACUOUS
    assert layer.power is not None and layer.power.caught == ()
    assert {"state forgotten", "recurrent kernel transposed"} <= {m.name for m in layer.power.missed}
