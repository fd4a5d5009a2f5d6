"""Models of every structure, saved by both Kerases in both containers, read back: calls, weights, inputs and values."""

from typing import Any

import numpy as np
import pytest
from support.saved import MAKERS, heard_calls, live_leaves, randomize

from refconv.formats import load
from refconv.graph import Graph

# Keras 3.15 with NumPy 2.4, whenever it saves a variable.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def framework(major: int) -> Any:
    if major == 3:
        import keras

        return keras
    import tf_keras

    return tf_keras


CASES = [(major, suffix, name) for major in (2, 3) for suffix in ("h5", "keras") for name in MAKERS]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(map(str, case)))
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Graph]:
    """(Keras, the live model, the graph that was read)."""
    major, suffix, name = request.param
    keras = framework(major)
    keras.backend.clear_session()
    model = MAKERS[name](keras)
    randomize(model)
    path = tmp_path_factory.mktemp("saved") / f"model.{suffix}"
    model.save(path)
    return keras, model, load(path)


def test_every_weight_is_the_one_that_keras_holds(saved):
    _, model, graph = saved
    found = {node.layer: node for node in graph.nodes if node.type != "InputLayer"}
    live = dict(live_leaves(model))
    assert set(found) == set(live)
    for path, layer in live.items():
        weights, held = [weight.value for weight in found[path].weights.values()], layer.get_weights()
        if found[path].attrs is None:  # kept in the file's order, which is nobody's
            weights, held = sorted(weights, key=bytes), sorted(held, key=bytes)
        assert len(weights) == len(held), path
        for mine, theirs in zip(weights, held, strict=True):
            np.testing.assert_array_equal(mine, theirs, strict=True)


def test_calls_come_in_keras_order(saved):
    keras, model, graph = saved
    inputs = [np.zeros([size or 2 for size in spec.shape], "float32") for spec in graph.specs]
    fed = inputs[0] if len(inputs) == 1 else inputs
    if isinstance(getattr(model, "input", None), dict):
        fed = {spec.name: array for spec, array in zip(graph.specs, inputs, strict=True)}
    with heard_calls(model, keras) as heard:
        model(fed)
    assert [(node.layer, node.call) for node in graph.nodes if node.type != "InputLayer"] == heard


def test_inputs_and_outputs_are_the_models(saved):
    _, model, graph = saved
    assert [spec.shape for spec in graph.specs] == [tuple(tensor.shape) for tensor in model.inputs]
    assert len(graph.outputs) == len(model.outputs)
    for ref, tensor in zip(graph.outputs, model.outputs, strict=True):
        node, history = graph.nodes[ref.node], tensor._keras_history
        if not hasattr(history[0], "layers"):  # else the tensor is an inner layer's
            assert node.layer.rpartition("/")[2] == history[0].name


def test_the_graph_is_in_order(saved):
    _, _, graph = saved
    for index, node in enumerate(graph.nodes):
        assert node.index == index
        assert all(ref.node < index for ref in node.inputs)
    assert all(graph.nodes[index].type == "InputLayer" for index in graph.inputs)


def test_the_reference_computes_what_keras_computes(saved):
    """Wrong wiring, swapped weights and confused outputs all show here."""
    import refconv

    _, model, graph = saved
    if any(node.attrs is None for node in graph.nodes):
        pytest.skip("a layer without a reference")
    rng = np.random.default_rng(1)
    inputs = {s.name: rng.normal(size=[size or 2 for size in s.shape]).astype("float32") for s in graph.specs}
    fed = inputs if isinstance(getattr(model, "input", None), dict) else list(inputs.values())
    theirs = model.predict(fed if len(inputs) > 1 else next(iter(inputs.values())), verbose=0)
    theirs = [theirs[key] for key in sorted(theirs)] if isinstance(theirs, dict) else theirs
    theirs = theirs if isinstance(theirs, list) else [theirs]
    result = refconv.run(graph, inputs)
    mine = [result[graph.nodes[ref.node].name] for ref in graph.outputs]
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(one.mid, other, rtol=1e-4, atol=1e-5)
