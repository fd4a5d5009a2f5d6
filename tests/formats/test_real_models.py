"""Every real model: each weight is the one that Keras itself holds, or the file is refused in one clear line."""

import h5py
import numpy as np
import pytest
from support.models import model_path
from support.saved import live_leaves

from refconv.errors import UnreadableModel
from refconv.formats import load
from refconv.graph import Graph

KERAS2 = (
    "float/mlperf_tiny_resnet.h5",
    "float/mlperf_tiny_wakeword.h5",
    "float/vww_nested.h5",
    "float/fer_mini_xception.hdf5",
    "float/speech_music_noise.hdf5",
    "float/sudoku_digits.h5",
    "float/eegnet_channels_first.h5",
    "float/potatoes_nested.h5",
    "float/gan_generator_transpose.h5",
    "float/mtcnn_48net.h5",
    "legacy/donkeycar_keras202.h5",
    "legacy/lenet5_theano_keras2.h5",
    "known_answers/dl4j_cnn/cnn_batch_norm.h5",
    "qkeras/svhn_float.h5",
)
KERAS3 = ("float/mlperf_tiny_resnet_keras3.h5", "float/tiny_mnist.h5", "float/tiny_mnist.keras")
QKERAS = ("qkeras/svhn_quantized.h5", "qkeras/mnist_quantized_pruned.h5", "known_answers/rn07/model.h5")


def keras_weights(name: str, major: int) -> dict[str, list[np.ndarray]]:
    if major == 2:
        import tf_keras as keras
    else:
        import keras
    keras.backend.clear_session()
    model = keras.models.load_model(model_path(name), compile=False)
    return {path: layer.get_weights() for path, layer in live_leaves(model)}


def by_layer(graph: Graph) -> dict[str, list[np.ndarray]]:
    nodes = [node for node in graph.nodes if node.type != "InputLayer"]
    return {node.layer: [weight.value for weight in node.weights.values()] for node in nodes}


@pytest.mark.parametrize(("name", "major"), [*((n, 2) for n in KERAS2), *((n, 3) for n in KERAS3)])
def test_weights_are_those_that_keras_holds(name, major):
    graph = load(model_path(name))
    mine, theirs = by_layer(graph), keras_weights(name, major)
    assert graph.keras == major
    assert all(node.attrs is not None for node in graph.nodes), [n.reason for n in graph.nodes if n.reason]
    assert set(mine) == set(theirs)
    for path in theirs:
        assert len(mine[path]) == len(theirs[path])
        for one, other in zip(mine[path], theirs[path], strict=True):
            if graph.backend == "theano" and other.ndim == 4:  # tf-keras forgets to turn them back
                other = other[::-1, ::-1]
            np.testing.assert_array_equal(one, other, strict=True)


def stored_paths(name: str) -> set[str]:
    """Every dataset below model_weights."""
    found: set[str] = set()
    with h5py.File(model_path(name)) as file:
        file["model_weights"].visititems(
            lambda path, item: found.add(f"model_weights/{path}") if isinstance(item, h5py.Dataset) else None
        )
    return found


@pytest.mark.parametrize("name", [name for name in (*KERAS2, *KERAS3, *QKERAS) if not name.endswith(".keras")])
def test_every_stored_weight_is_accounted_for(name):
    of_pruning = ("mask:0", "threshold:0", "pruning_step:0")
    wanted = {path for path in stored_paths(name) if not path.endswith(of_pruning)}
    assert {weight.path for node in load(model_path(name)).nodes for weight in node.weights.values()} == wanted


def test_a_lambda_is_never_run():
    graph = load(model_path("float/mnist_densenet.h5"))
    assert {node.reason for node in graph.nodes if node.attrs is None} == {"no reference for Lambda"}
    assert {node.type for node in graph.nodes if node.attrs is not None} >= {"Conv2D", "Concatenate", "Softmax"}


def test_nested_layers_have_the_path_of_their_model():
    layers = [node.layer for node in load(model_path("float/vww_nested.h5")).nodes]
    assert layers[:3] == ["mobilenet_0.25_96_input", "mobilenet_0.25_96/conv1_pad", "mobilenet_0.25_96/conv1"]
    layers = [node.layer for node in load(model_path("float/potatoes_nested.h5")).nodes]
    assert layers[:4] == ["sequential_input", "sequential/resizing", "sequential/rescaling", "conv2d"]


def test_outputs_are_in_the_models_order():
    graph = load(model_path("float/mtcnn_48net.h5"))
    assert [graph.nodes[ref.node].layer for ref in graph.outputs] == ["conv6-1", "conv6-2", "conv6-3"]


def test_what_wrote_the_file_is_known():
    graph = load(model_path("legacy/lenet5_theano_keras2.h5"))
    assert (graph.backend, graph.keras_version, graph.format, graph.dialect) == ("theano", "2.0.4", "hdf5", "keras2")
    assert any("Theano" in note for note in graph.notes)
    graph = load(model_path("float/tiny_mnist.keras"))
    assert (graph.format, graph.keras_version, graph.dialect) == ("keras", "3.13.2", "keras3")


def test_checksums_are_those_of_the_folder():
    lines = model_path("SHA256SUMS").read_text().splitlines()
    sums = {name.removeprefix("./"): digest for digest, name in (line.split() for line in lines)}
    assert load(model_path("float/tiny_mnist.h5")).sha256 == sums["float/tiny_mnist.h5"]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("tflite/mlperf_tiny_resnet_int8.tflite", "TensorFlow Lite"),
        ("known_answers/dl4j_cnn/input.npy", r"NumPy \.npy"),
        ("known_answers/rn07/vectors.npz", r"NumPy \.npz"),
        ("data/mnist_5k.csv.gz", "gzip"),
        ("data/mnist_sample0.png", "PNG"),
    ],
)
def test_foreign_files_are_named(name, what):
    with pytest.raises(UnreadableModel, match=what):
        load(model_path(name))
