"""What refconv writes, it reads as the same graph, and the framework's own loader takes and computes the same."""

from __future__ import annotations

import json
import pkgutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st
from support.crafted import dense, layer, sequential, source, write_h5
from support.framework import framework
from support.models import model_path
from support.same import assert_same
from support.saved import MAKERS, randomize

from refconv.errors import UnreadableModel
from refconv.formats import load
from refconv.formats.cut import cut
from refconv.formats.model import Layer
from refconv.formats.resolve import resolve
from refconv.formats.spelling import configuration, quantizer_text
from refconv.formats.writer import ENDINGS, flat_names, write
from refconv.frameworks.worker.loading import load_model
from refconv.graph import Graph, Node, Origin, Ref, TensorSpec, Weight
from refconv.ops.activations import Activation
from refconv.ops.table import TABLE
from refconv.quantizers.quantized_bits import QuantizedBits
from refconv.quantizers.read import read

SAMPLES = Path(__file__).resolve().parents[2] / "refconv" / "samples"
PACKAGES = {2: "tf_keras", 3: "keras"}
REAL = (
    "float/mlperf_tiny_resnet_keras3.h5",
    "float/mlperf_tiny_wakeword.h5",
    "float/vww_nested.h5",
    "float/fer_mini_xception.hdf5",
    "float/eegnet_channels_first.h5",
    "float/gan_generator_transpose.h5",
    "float/mtcnn_48net.h5",
    "float/potatoes_nested.h5",
    "float/tiny_mnist.h5",
    "float/tiny_mnist.keras",
    "legacy/donkeycar_keras202.h5",
    "legacy/lenet5_theano_keras2.h5",
    "known_answers/dl4j_cnn/cnn_batch_norm.h5",
    "known_answers/rn07/model.h5",
    "qkeras/svhn_quantized.h5",
    "qkeras/mnist_quantized_pruned.h5",
)

AS_IS = ("float/mtcnn_48net.h5", "float/tiny_mnist.keras", "qkeras/svhn_quantized.h5")


def round_trip(graph: Graph, folder: Path, keras: int | None = None, understood: bool = False) -> Graph:
    path = folder / f"again{ENDINGS[keras or graph.keras]}"
    written = write(graph, path, keras=keras, understood=understood)
    again = load(written.path)
    assert_same(graph, again, written.names)
    return again


@pytest.mark.parametrize(("name", "understood"), [*((name, True) for name in REAL), *((name, False) for name in AS_IS)])
def test_a_real_model_comes_back(tmp_path: Path, name: str, understood: bool) -> None:
    round_trip(load(model_path(name)), tmp_path, understood=understood)


@pytest.mark.parametrize("understood", [False, True])
@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.keras")) + sorted(SAMPLES.glob("*.h5")), ids=lambda p: p.name)
def test_a_sample_comes_back(tmp_path: Path, path: Path, understood: bool) -> None:
    round_trip(load(path), tmp_path, understood=understood)


def test_only_what_is_understood_may_be_written(tmp_path: Path) -> None:
    """What a file says beside is kept or left out: an initializer that names a function of its own."""
    evil = {"module": "os", "class_name": "function", "config": "mkdir"}
    raw = sequential(source(), dense(kernel_initializer=evil, kernel_regularizer=evil))
    graph = load(write_h5(tmp_path / "m.h5", raw))
    assert b"mkdir" in write(graph, tmp_path / "all.h5").path.read_bytes()
    assert b"mkdir" not in write(graph, tmp_path / "plain.h5", understood=True).path.read_bytes()


@pytest.mark.parametrize("major", [2, 3])
@pytest.mark.parametrize("name", MAKERS)
def test_the_framework_loads_what_is_written_and_computes_the_same(tmp_path: Path, name: str, major: int) -> None:
    keras = import_module(PACKAGES[major])
    model = MAKERS[name](keras)
    randomize(model)
    model.save(tmp_path / f"saved{ENDINGS[major]}")
    graph = load(tmp_path / f"saved{ENDINGS[major]}")
    again = round_trip(graph, tmp_path)
    shapes = [[5 if n is None else n for n in spec.shape] for spec in graph.specs]
    x = [np.random.default_rng(1).normal(size=shape).astype(np.float32) for shape in shapes]
    loaded = keras.models.load_model(again.path, compile=False)
    fed = dict(zip((spec.name for spec in graph.specs), x, strict=True)) if name == "named_structures" else x
    wanted = model(fed if len(x) > 1 else x[0], training=False)
    found = loaded(x if len(x) > 1 else x[0], training=False)
    wanted = [wanted[key] for key in sorted(wanted)] if isinstance(wanted, dict) else wanted
    for one, other in zip(listed(wanted), listed(found), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["digits.keras", "digits_qkeras.h5"])
def test_the_framework_computes_the_same_from_what_is_understood(tmp_path: Path, name: str) -> None:
    graph = load(SAMPLES / name)
    written = write(graph, tmp_path / f"m{ENDINGS[graph.keras]}", understood=True)
    keras = framework(import_module(PACKAGES[graph.keras]))
    one, other = (load_model(keras, str(path), graph.qkeras) for path in (SAMPLES / name, written.path))
    shape = [2 if n is None else n for n in graph.specs[0].shape]
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    np.testing.assert_allclose(one(x, training=False), other(x, training=False), rtol=1e-6, atol=1e-6)


def test_a_quantizer_as_text() -> None:
    """The one layer of QKeras that reads no serialized quantizer, and what text cannot say."""
    one = QuantizedBits(bits=4, symmetric=True, alpha="auto")
    assert quantizer_text(one, "") == "quantized_bits(bits=4,symmetric=True,alpha='auto')"
    assert read(quantizer_text(one, "")) == one
    with pytest.raises(UnreadableModel, match=r"layer q: quantized_bits with alpha = \[0.5, 1.0\] cannot be written"):
        quantizer_text(QuantizedBits(alpha=(0.5, 1.0)), "layer q")


def listed(outputs: Any) -> list[np.ndarray]:
    return [np.asarray(o) for o in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


ROWS = {
    name: strategy
    for module in pkgutil.iter_modules(support.__path__)
    if module.name.startswith("cases")
    for name, strategy in import_module(f"support.{module.name}").CASES.items()
}


@pytest.mark.parametrize("name", sorted(ROWS))
@settings(max_examples=5)
@given(data=st.data())
def test_every_row_s_attributes_come_back(name: str, data: st.DataObject) -> None:
    """Written for either Keras without looking at a file, and read by its dialect."""
    case = data.draw(ROWS[name])
    first = f"keras{2 if case.package else case.majors[-1]}"
    known = resolve(Layer(name, name, json.loads(json.dumps(case.config)), (), {}), name, first)
    assert known.row is not None, known.reason
    for major in (2,) if case.package else (2, 3):
        try:
            config = configuration(known.type, known.attrs, major, name)
        except UnreadableModel as error:
            assert "has no activation" in str(error) or major != case.majors[-1], error
            continue
        again = resolve(Layer(name, known.type, json.loads(json.dumps(config)), (), {}), name, f"keras{major}")
        assert (again.type, again.attrs) == (known.type, known.attrs), config


def test_a_file_of_keras_1_is_written_for_keras_2(tmp_path: Path) -> None:
    graph = load(model_path("legacy/carnd_keras1.h5"))
    with pytest.raises(UnreadableModel, match=r"layer lambda_1: Lambda cannot be written for Keras 2"):
        write(graph, tmp_path / "no.h5")


def test_kernels_are_written_as_they_are_used(tmp_path: Path) -> None:
    """Theano's file: what is written says nothing of Theano any more, and its kernels stand turned."""
    graph = load(model_path("legacy/lenet5_theano_keras2.h5"))
    again = round_trip(graph, tmp_path)
    assert again.backend == "tensorflow" and not again.notes


def test_a_float_model_moves_between_the_kerases(tmp_path: Path) -> None:
    graph = load(model_path("legacy/donkeycar_keras202.h5"))
    third = round_trip(graph, tmp_path, keras=3)
    assert third.dialect == "keras3" and third.format == "keras"
    (tmp_path / "back").mkdir()
    assert round_trip(third, tmp_path / "back", keras=2).dialect == "keras2"


def directions(keras: Any) -> Any:
    """Both directions of a GRU with hard gates, whose weights lie deep in a .keras file, behind noise and dropout."""
    layers = keras.layers
    x = keras.Input((5, 3), name="x")
    y = layers.SpatialDropout1D(0.2, name="drop")(layers.GaussianNoise(0.1, name="noise")(x))
    cell = layers.GRU(2, recurrent_activation="sigmoid", return_sequences=True, reset_after=True, name="cell")
    y = layers.Bidirectional(cell, merge_mode="sum", name="both")(y)
    return keras.Model(x, layers.LSTM(2, name="last")(y))


@pytest.mark.parametrize("first", [2, 3])
@pytest.mark.parametrize("maker", [directions, *(MAKERS[n] for n in ("shared", "sequential", "every_kind_of_weight"))])
def test_one_keras_computes_what_the_other_did(tmp_path: Path, maker: Any, first: int) -> None:
    one, other = (import_module(PACKAGES[major]) for major in (first, 5 - first))
    model = maker(one)
    randomize(model)
    model.save(tmp_path / f"saved{ENDINGS[first]}")
    graph = load(tmp_path / f"saved{ENDINGS[first]}")
    moved = other.models.load_model(round_trip(graph, tmp_path, keras=5 - first).path, compile=False)
    shapes = [[2 if n is None else n for n in spec.shape] for spec in graph.specs]
    x = [np.random.default_rng(1).normal(size=shape).astype(np.float32) for shape in shapes]
    found = [np.asarray(m(x if len(x) > 1 else x[0], training=False)) for m in (model, moved)]
    np.testing.assert_allclose(*found, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("keras", [2, 3])
def test_a_graph_that_no_file_said(tmp_path: Path, keras: int) -> None:
    """As a reduced case is made: one layer with its weights, and one whose constructor demands more than is known."""
    spec = TensorSpec("x", (None, 4))
    dialect = f"keras{keras}"
    attrs = TABLE["Dense"].attributes(3, Activation("tanh"), True)
    held = {"kernel": np.eye(4, 3, dtype=np.float32), "bias": np.float32([1, 2, 3])}
    weights = {name: Weight(name, "memory", a.shape, "float32", lambda a=a: a) for name, a in held.items()}
    nodes = (
        Node(0, "x", "InputLayer", spec, (), Origin("InputLayer", dialect)),
        Node(1, "dense", "Dense", attrs, (Ref(0),), Origin("Dense", dialect), weights=weights),
        Node(2, "drop", "Dropout", TABLE["Dropout"].attributes(), (Ref(1),), Origin("Dropout", dialect)),
    )
    graph = Graph(nodes, (0,), (Ref(2),), (spec,), "memory", "hdf5", "", "tensorflow", dialect)
    again = round_trip(graph, tmp_path)
    loaded = import_module(PACKAGES[keras]).models.load_model(again.path, compile=False)
    x = np.float32([[1, 2, 3, 4]])
    np.testing.assert_allclose(loaded(x, training=False), np.tanh([[2, 4, 6]]), rtol=1e-5)


def test_changed_attributes_are_written_and_not_the_file_s(tmp_path: Path) -> None:
    graph = load(model_path("float/tiny_mnist.h5"))
    index = next(node.index for node in graph.nodes if node.type == "Conv2D")
    changed = replace(graph.nodes[index].attrs, activation=Activation("tanh"))
    nodes = [replace(node, attrs=changed) if node.index == index else node for node in graph.nodes]
    again = round_trip(replace(graph, nodes=tuple(nodes)), tmp_path)
    assert again.nodes[index].attrs.activation == Activation("tanh")


def test_names_of_nested_layers_stay_apart() -> None:
    graph = load(model_path("float/vww_nested.h5"))
    nodes = [
        replace(node, layer={0: "a/b", 1: "a.b", 2: "a/b_"}.get(node.index, node.layer)) for node in graph.nodes[:3]
    ]
    assert flat_names(replace(graph, nodes=tuple(nodes))) == {"a/b": "a.b_", "a.b": "a.b", "a/b_": "a.b__"}


@pytest.mark.parametrize("keras", [2, 3])
@pytest.mark.parametrize("name", ["..", ".", "a/b", "x\0y", "é", "/a", " ", "_a", "a b", "x>y-z.1"])
def test_any_name_can_be_written(tmp_path: Path, name: str, keras: int) -> None:
    """A layer's name may be none of a scope or group; it is known by its own again."""
    graph = load(write_h5(tmp_path / "m.h5", sequential(source("in"), layer("Flatten", name)), {}))
    again = round_trip(graph, tmp_path, keras=keras)
    loaded = import_module(PACKAGES[keras]).models.load_model(again.path, compile=False)
    assert loaded.layers[-1].name == again.nodes[-1].layer


@pytest.mark.parametrize(("keras", "name"), [(2, "hard_silu"), (3, "hard_sigmoid_keras2")])
def test_a_function_that_a_keras_does_not_have_is_refused(keras: int, name: str) -> None:
    attrs = TABLE["Dense"].attributes(3, Activation(name), True)
    with pytest.raises(UnreadableModel, match=f"layer d: activation: Keras {keras} has no activation {name}"):
        configuration("Dense", attrs, keras, "layer d")


def test_calls_are_counted_anew_where_one_was_left_out(tmp_path: Path) -> None:
    """Of a layer called twice only the second call is left."""
    keras = import_module(PACKAGES[2])
    model = MAKERS["nested_twice"](keras)
    randomize(model)
    model.save(tmp_path / "saved.h5")
    graph = load(tmp_path / "saved.h5")
    gone = next(node.index for node in graph.nodes if node.name == "inner/dense")
    left = cut(graph, {gone: (None, 4)}).graph
    assert {node.name for node in left.nodes} >= {"inner/dense#1", "inner/norm", "inner/norm#1", "inner/dense_"}
    again = round_trip(left, tmp_path)
    assert [(node.layer, node.call) for node in again.nodes if node.layer.startswith("inner.dense")] != []


def test_a_class_of_somebody_s_own_is_named_as_it_was(tmp_path: Path) -> None:
    """Keras finds it by the name under which it was registered."""
    import keras

    @keras.saving.register_keras_serializable("written")
    class Doubled(keras.layers.Dense):
        def call(self, x: Any) -> Any:
            return 2 * super().call(x)

    x = keras.layers.Input((3,), name="x")
    made = keras.Model(x, Doubled(2, name="own")(keras.layers.Dense(3, name="dense")(x)))
    made.save(tmp_path / "model.keras")
    written = write(load(tmp_path / "model.keras"), tmp_path / "again.keras")
    again = keras.models.load_model(written.path, compile=False)
    assert type(again.get_layer("own")) is Doubled and load(written.path).nodes[2].type == "written>Doubled"
    for old, new in zip(made.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_kernels_are_stored_as_the_backend_stores_them(tmp_path: Path) -> None:
    graph = load(SAMPLES / "digits.h5")
    write(graph, tmp_path / "theano.h5", backend="theano")
    again = load(tmp_path / "theano.h5")
    assert again.backend == "theano"
    assert_same(graph, again, {node.layer: node.layer for node in graph.nodes})
    with h5py.File(tmp_path / "theano.h5") as file:
        stored = file["model_weights/conv/conv/kernel:0"][...]
    kernel = next(node for node in graph.nodes if node.layer == "conv").weights["kernel"].value
    np.testing.assert_array_equal(stored, kernel[::-1, ::-1])
