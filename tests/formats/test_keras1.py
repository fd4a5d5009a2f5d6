"""Keras 1 files: every field's old spelling, every weight's old place, and what small models then compute by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.crafted import layer, places, write_h5
from support.models import model_path

import refconv
from refconv.errors import UnreadableModel
from refconv.formats import load
from refconv.formats.build import build_graph
from refconv.formats.dialects import DIALECTS
from refconv.formats.hdf5 import Hdf5File
from refconv.formats.keras1_weights import converted
from refconv.formats.leaves import Leaf
from refconv.formats.matching import Variable
from refconv.formats.model import Layer
from refconv.formats.resolve import Resolved, resolve
from refconv.formats.source import Source
from refconv.ops.attributes import Unknown

CONV = {
    "nb_filter": 4,
    "nb_row": 3,
    "nb_col": 5,
    "border_mode": "same",
    "subsample": [2, 1],
    "dim_ordering": "tf",
    "activation": "hard_sigmoid",
    "bias": True,
    "init": "glorot_uniform",
    "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 1e-4},
    "b_regularizer": None,
    "activity_regularizer": None,
    "W_constraint": None,
    "b_constraint": None,
}
CONVOLVED = {
    "filters": 4,
    "kernel_size": [3, 5],
    "padding": "same",
    "strides": [2, 1],
    "data_format": "channels_last",
    "activation": "hard_sigmoid_keras2",
    "use_bias": True,
}
POOL = {"pool_size": [2, 2], "strides": [2, 2], "border_mode": "valid", "dim_ordering": "th"}
POOLED = {"pool_size": [2, 2], "strides": [2, 2], "padding": "valid", "data_format": "channels_first"}
CELL = {
    "output_dim": 3,
    "init": "glorot_uniform",
    "inner_init": "orthogonal",
    "forget_bias_init": "one",
    "activation": "tanh",
    "inner_activation": "hard_sigmoid",
    "U_regularizer": None,
    "dropout_W": 0.1,
    "dropout_U": 0.2,
    "consume_less": "gpu",
    "return_sequences": True,
    "go_backwards": False,
    "input_dim": 7,
    "input_length": None,
}
RECURRENT = {
    "units": 3,
    "activation": "tanh",
    "recurrent_activation": "hard_sigmoid_keras2",
    "return_sequences": True,
    "go_backwards": False,
}

# Class and fields in the file, class and fields of the row.
SPELLINGS = [
    (("Convolution2D", CONV), ("Conv2D", CONVOLVED)),
    (("AtrousConvolution2D", {**CONV, "atrous_rate": [2, 2]}), ("Conv2D", {**CONVOLVED, "dilation_rate": [2, 2]})),
    (
        ("SeparableConvolution2D", {**CONV, "depth_multiplier": 2, "depthwise_regularizer": None}),
        ("SeparableConv2D", {**CONVOLVED, "depth_multiplier": 2}),
    ),
    (
        ("Convolution1D", {"nb_filter": 4, "filter_length": 3, "subsample_length": 2, "border_mode": "valid"}),
        ("Conv1D", {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "valid"}),
    ),
    (
        ("Convolution3D", {"nb_filter": 4, "kernel_dim1": 3, "kernel_dim2": 2, "kernel_dim3": 1}),
        ("Conv3D", {"filters": 4, "kernel_size": [3, 2, 1]}),
    ),
    (("MaxPooling2D", POOL), ("MaxPooling2D", POOLED)),
    (("AveragePooling2D", POOL), ("AveragePooling2D", POOLED)),
    (("MaxPooling1D", {"pool_length": 2, "stride": 1}), ("MaxPooling1D", {"pool_size": 2, "strides": 1})),
    (("GlobalMaxPooling2D", {"dim_ordering": "th"}), ("GlobalMaxPooling2D", {"data_format": "channels_first"})),
    (("Dense", {"output_dim": 3, "bias": True, "input_dim": 5}), ("Dense", {"units": 3, "use_bias": True})),
    (("TimeDistributedDense", {"output_dim": 3, "input_length": 2}), ("Dense", {"units": 3})),
    (("Dropout", {"p": 0.5}), ("Dropout", {"rate": 0.5})),
    (("GaussianNoise", {"sigma": 0.5}), ("GaussianNoise", {"stddev": 0.5})),
    (("LeakyReLU", {"alpha": 0.25}), ("LeakyReLU", {"negative_slope": 0.25})),
    (("ThresholdedReLU", {"theta": 0.5}), ("ReLU", {"threshold": 0.5})),
    (("PReLU", {"init": "zero", "shared_axes": [1]}), ("PReLU", {"shared_axes": [1]})),
    (
        ("Embedding", {"input_dim": 9, "output_dim": 2, "init": "uniform", "dropout": 0.1, "input_length": 4}),
        ("Embedding", {"input_dim": 9, "output_dim": 2}),
    ),
    (
        ("BatchNormalization", {"mode": 0, "axis": 1, "epsilon": 1e-5, "gamma_init": "one", "momentum": 0.9}),
        ("BatchNormalization", {"axis": 1, "epsilon": 1e-5, "momentum": 0.9}),
    ),
    (("LSTM", CELL), ("LSTM", RECURRENT)),
    (("GRU", CELL), ("GRU", RECURRENT)),
    (("Merge", {"mode": "sum", "mode_type": "raw", "concat_axis": -1}), ("Add", {})),
    (("Merge", {"mode": "mul"}), ("Multiply", {})),
    (("Merge", {"mode": "ave"}), ("Average", {})),
    (("Merge", {"mode": "max"}), ("Maximum", {})),
    (("Merge", {"mode": "concat", "concat_axis": 1, "dot_axes": -1}), ("Concatenate", {"axis": 1})),
    (("Cropping2D", {"cropping": [[7, 2], [0, 0]]}), ("Cropping2D", {"cropping": [[7, 2], [0, 0]]})),
    (("ZeroPadding2D", {"padding": [1, 2]}), ("ZeroPadding2D", {"padding": [1, 2]})),
    (("ZeroPadding2D", {"padding": [1, 2, 3, 4]}), ("ZeroPadding2D", {"padding": [[1, 2], [3, 4]]})),
    (
        ("ZeroPadding2D", {"padding": {"top_pad": 1, "right_pad": 4}}),
        ("ZeroPadding2D", {"padding": [[1, 0], [0, 4]]}),
    ),
    (("ZeroPadding1D", {"padding": {"left_pad": 1, "right_pad": 4}}), ("ZeroPadding1D", {"padding": [1, 4]})),
    (("UpSampling1D", {"length": 2}), ("UpSampling1D", {"size": 2})),
]


@pytest.mark.parametrize(("raw", "expected"), SPELLINGS, ids=[raw[0] for raw, _ in SPELLINGS])
def test_spellings(raw: tuple[str, Any], expected: tuple[str, Any]) -> None:
    assert DIALECTS["keras1"](*raw) == expected


# Of a transposed convolution the file holds the output's length. Rows: that, kernel, stride, padding, the surplus.
SURPLUS = [
    (6, 3, 2, "same", None),  # 3 positions: 3·2, the least that gives 3 positions and what the layer does by itself
    (5, 3, 2, "same", 0),  # (3 − 1)·2 + 3 − 2·1 = 5
    (7, 3, 2, "valid", None),  # (3 − 1)·2 + 3 = 7
    (8, 3, 2, "valid", 1),
]


@pytest.mark.parametrize(("length", "size", "stride", "padding", "extra"), SURPLUS)
def test_the_output_of_a_deconvolution(length: int, size: int, stride: int, padding: str, extra: int | None) -> None:
    config = {"nb_row": size, "nb_col": size, "subsample": [stride, stride], "border_mode": padding}
    kind, fields = DIALECTS["keras1"](
        "Deconvolution2D", {"nb_filter": 1, **config, "dim_ordering": "tf", "output_shape": [None, length, length, 1]}
    )
    assert kind == "Conv2DTranspose"
    assert fields.get("output_padding") == (None if extra is None else [extra, extra])


@pytest.mark.parametrize(
    ("class_name", "config"),
    [
        ("BatchNormalization", {"mode": 1}),
        ("BatchNormalization", {"mode": 2}),
        ("Convolution2D", {**CONV, "border_mode": "full"}),
        ("Merge", {"mode": "dot"}),
        ("Merge", {"mode": "code", "mode_type": "lambda"}),
    ],
)
def test_what_its_successors_do_not_have_is_unverified(class_name: str, config: dict[str, Any]) -> None:
    with pytest.raises(Unknown):
        DIALECTS["keras1"](class_name, config)
    found = resolve(Layer("x", class_name, config, (), {}), "x", "keras1")
    assert found.attrs is None and found.reason


@pytest.mark.parametrize("class_name", ["MaxoutDense", "Highway", "SReLU", "Lambda", "ParametricSoftplus"])
def test_classes_that_are_gone_have_no_reference(class_name: str) -> None:
    assert resolve(Layer("x", class_name, {}, (), {}), "x", "keras1").reason == f"no reference for {class_name}"


def write(path: Path, layers: Any, weights: dict[str, dict[str, np.ndarray]], backend: str = "") -> Path:
    config = layers if isinstance(layers, dict) else {"class_name": "Sequential", "config": layers}
    return write_h5(path / "model.h5", config, weights, version="1.2.1", backend=backend)


def output(path: Path, x: Any) -> np.ndarray:
    return np.asarray(refconv.run(load(path), np.float32(x)).output.mid)


def stored(name: str, *arrays: Any, suffixes: str = "Wb") -> dict[str, dict[str, np.ndarray]]:
    return {name: {f"{name}_{s}:0": np.float32(a) for s, a in zip(suffixes, arrays, strict=False)}}


def conv(name: str, ordering: str, shape: list[int | None], size: int = 2, **more: Any) -> dict[str, Any]:
    fields = {"nb_filter": 1, "nb_row": size, "nb_col": size, "border_mode": "valid", "subsample": [1, 1]}
    return layer("Convolution2D", name, batch_input_shape=shape, dim_ordering=ordering, **{**fields, **more})


def test_a_kernel_in_theanos_order(tmp_path: Path) -> None:
    """Two channels: 1·1 + 2·2 + 3·3 + 4·4 = 30 and 5·10 + 6·20 + 7·30 + 8·40 = 700."""
    kernel = [[[[1, 2], [3, 4]], [[10, 20], [30, 40]]]]  # (1 filter, 2 channels, 2, 2)
    path = write(tmp_path, [conv("c", "th", [None, 2, 2, 2])], stored("c", kernel, [0.5]))
    assert output(path, [[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]]).tolist() == [[[[730.5]]]]
    assert any("does not say what wrote it" in note for note in load(path).notes)
    assert load(path).nodes[1].weights["kernel"].shape == (2, 2, 2, 1)


def test_a_kernel_in_theanos_order_that_theano_wrote(tmp_path: Path) -> None:
    """The same kernel turned by 180°: 1·4 + 2·3 + 3·2 + 4·1 = 20 and 5·40 + 6·30 + 7·20 + 8·10 = 600."""
    kernel = [[[[1, 2], [3, 4]], [[10, 20], [30, 40]]]]
    path = write(tmp_path, [conv("c", "th", [None, 2, 2, 2])], stored("c", kernel, [0.5]), backend="theano")
    assert output(path, [[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]]).tolist() == [[[[620.5]]]]


def test_an_atrous_convolution(tmp_path: Path) -> None:
    """Taps two apart in a 3×3 image of 1 … 9: 1·1 + 3·10 + 7·100 + 9·1000."""
    raw = {**conv("a", "tf", [None, 3, 3, 1], atrous_rate=[2, 2]), "class_name": "AtrousConvolution2D"}
    kernel = np.reshape([1, 10, 100, 1000], (2, 2, 1, 1))
    path = write(tmp_path, [raw], stored("a", kernel, [0]))
    assert output(path, np.arange(1, 10).reshape(1, 3, 3, 1)).item() == 9731


@pytest.mark.parametrize("ordering", ["tf", "th"])
def test_a_deconvolution(tmp_path: Path, ordering: str) -> None:
    """One pixel of two channels, 1 and 10, spread over a kernel of 2×2: stored (2, 2, in, out) or (out, in, 2, 2)."""
    kernel = np.float32([[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]])  # th: of the one filter, both channels
    kernel = kernel if ordering == "th" else kernel.transpose(2, 3, 1, 0)
    shape: list[int | None] = [None, 2, 1, 1] if ordering == "th" else [None, 1, 1, 2]
    raw = {**conv("d", ordering, shape), "class_name": "Deconvolution2D"}
    raw["config"]["output_shape"] = [None, 1, 2, 2] if ordering == "th" else [None, 2, 2, 1]
    if ordering == "th":  # Keras 1 stores (filters, channels, …), its successors ask for (…, filters, channels)
        assert kernel.shape == (1, 2, 2, 2)
    path = write(tmp_path, [raw], stored("d", kernel, [0]))
    x = np.reshape([1, 10], [1 if n is None else n for n in shape])
    assert output(path, x).ravel().tolist() == [51, 62, 73, 84]


def test_batch_normalization_divides_by_the_root_of_running_std(tmp_path: Path) -> None:
    """Its name notwithstanding it holds variances: (7 − 1)/√4·3 + 5 = 14."""
    raw = layer("BatchNormalization", "n", mode=0, axis=-1, epsilon=0.0, momentum=0.99, batch_input_shape=[None, 1])
    names = ("gamma", "beta", "running_mean", "running_std")
    weights = {f"n_{name}:0": np.float32([v]) for name, v in zip(names, (3, 5, 1, 4), strict=True)}
    assert output(write(tmp_path, [raw], {"n": weights}), [[7]]).item() == 14


def test_an_lstm_of_twelve_weights(tmp_path: Path) -> None:
    """Stored gate by gate as i, c, f, o; held as one kernel whose columns are i, f, c, o."""
    raw = layer("LSTM", "l", output_dim=1, activation="tanh", inner_activation="hard_sigmoid",
                batch_input_shape=[None, 2, 1], input_dim=1)  # fmt: skip
    weights = {f"l_{w}_{g}:0": np.full((1, 1) if w != "b" else 1, n + 10 * k, np.float32)
               for n, g in enumerate("icfo") for k, w in enumerate("WUb")}  # fmt: skip
    found = load(write(tmp_path, [raw], {"l": weights})).nodes[1]
    assert found.reason == ""
    assert found.weights["kernel"].value.tolist() == [[0, 2, 1, 3]]
    assert found.weights["recurrent_kernel"].value.tolist() == [[10, 12, 11, 13]]
    assert found.weights["bias"].value.tolist() == [20, 22, 21, 23]


def test_a_gru_of_nine_weights(tmp_path: Path) -> None:
    raw = layer("GRU", "g", output_dim=1, activation="tanh", inner_activation="sigmoid",
                batch_input_shape=[None, 2, 1])  # fmt: skip
    weights = {f"g_{w}_{g}:0": np.full((1, 1) if w != "b" else 1, n + 10 * k, np.float32)
               for n, g in enumerate("zrh") for k, w in enumerate("WUb")}  # fmt: skip
    found = load(write(tmp_path, [raw], {"g": weights})).nodes[1]
    assert found.weights["kernel"].value.tolist() == [[0, 1, 2]]
    assert found.attrs.reset_after is False


@pytest.mark.parametrize(("kind", "order"), [("LSTM", [0, 2, 1, 3]), ("GRU", [0, 1, 2])])
def test_two_directions_have_their_gates_one_after_the_other(tmp_path: Path, kind: str, order: list[int]) -> None:
    inner = layer(kind, "cell", output_dim=1, activation="tanh", inner_activation="sigmoid")
    raw = layer("Bidirectional", "b", layer=inner, merge_mode="concat", batch_input_shape=[None, 2, 1])
    weights = {
        f"{side}_{w}_{g}": np.full((1, 1) if w != "b" else 1, g + 10 * k + 100 * s, np.float32)
        for s, side in enumerate(("forward", "backward"))
        for g in range(len(order))
        for k, w in enumerate("WUb")
    }
    node = load(write(tmp_path, [raw], {"b": weights})).nodes[1]
    assert node.reason == ""
    values = [np.ravel(weight.value).tolist() for weight in node.weights.values()]
    assert values == [[g + 10 * k + 100 * s for g in order] for s in (0, 1) for k in (0, 1, 2)]


def test_a_kernel_inside_another_layer_is_moved_too(tmp_path: Path) -> None:
    inner = conv("c", "th", [None, 2, 2, 2])
    raw = layer("TimeDistributed", "t", layer=inner, batch_input_shape=[None, 3, 2, 2, 2])
    arrays = list(stored("t", np.arange(8).reshape(1, 2, 2, 2), [0.5])["t"].items())
    variables = [Variable(name, Held(array)) for name, array in arrays]
    leaf = Leaf(("t",), Layer("t", "TimeDistributed", raw["config"], (), raw), Resolved("TimeDistributed"), True)
    kernel, bias = converted(leaf, variables)
    assert kernel.stored.shape == (2, 2, 2, 1) and kernel.stored.read()[0, 1, 1, 0] == 5
    assert bias.stored.read() == [0.5]


class Held:
    """An array in a dataset's place."""

    path, dtype = "memory", "float32"

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape = array, array.shape

    def read(self) -> np.ndarray:
        return self.array


def test_a_merge_of_two_branches_at_the_beginning(tmp_path: Path) -> None:
    """(2·3) and (5·7) joined, then 100·6 + 35."""

    def branch(name: str) -> Any:
        dense = layer("Dense", name, output_dim=1, batch_input_shape=[None, 1], bias=False, activation="linear")
        return {"class_name": "Sequential", "config": [dense]}

    merge = layer("Merge", "m", mode="concat", concat_axis=-1, layers=[branch("a"), branch("b")])
    head = layer("Dense", "h", output_dim=1, bias=False)
    weights = {**stored("a", [[3]]), **stored("b", [[7]]), **stored("h", [[100], [1]])}
    graph = load(write(tmp_path, [merge, head], weights))
    assert [spec.name for spec in graph.specs] == ["a_input", "b_input"]
    assert refconv.run(graph, [np.float32([[2]]), np.float32([[5]])]).output.mid.item() == 635


def test_a_functional_model_with_a_merge_and_a_nested_model(tmp_path: Path) -> None:
    """3·2 = 6 of the inner model, plus the input 2: 8. Names without "/" lead to the inner layer."""
    inner = {"class_name": "Sequential", "name": "inner", "inbound_nodes": [[["x", 0, 0]]], "config": [
        layer("Dense", "deep", output_dim=1, bias=False, batch_input_shape=[None, 1])]}  # fmt: skip
    layers = [
        {**layer("InputLayer", "x", batch_input_shape=[None, 1], input_dtype="float32"), "name": "x",
         "inbound_nodes": []},
        inner,
        {**layer("Merge", "s", mode="sum"), "name": "s", "inbound_nodes": [[["x", 0, 0], ["inner", 1, 0]]]},
    ]  # fmt: skip
    config = {"name": "m", "layers": layers, "input_layers": [["x", 0, 0]], "output_layers": [["s", 0, 0]]}
    weights = {"inner": {"deep_W:0": np.float32([[3]])}}
    assert output(write(tmp_path, {"class_name": "Model", "config": config}, weights), [[2]]).item() == 8


def test_a_cropping_has_the_ordering_of_the_file(tmp_path: Path) -> None:
    """Keras 1.2 did not save Cropping2D's."""
    crop = layer("Cropping2D", "k", cropping=[[1, 0], [0, 1]])
    convolution = conv("c", "th", [None, 1, 3, 3])
    graph = load(write(tmp_path, [convolution, crop], stored("c", np.ones((1, 1, 2, 2)), [0])))
    assert graph.nodes[2].attrs.data_format == "channels_first"
    graph = load(write(tmp_path, [conv("c", "tf", [None, 3, 3, 1]), crop], stored("c", np.ones((2, 2, 1, 1)), [0])))
    assert graph.nodes[2].attrs.data_format == "channels_last"


def test_a_weight_of_another_shape_is_told_with_todays_shapes(tmp_path: Path) -> None:
    path = write(tmp_path, [conv("c", "th", [None, 1, 3, 3])], stored("c", np.ones((1, 1, 3, 2)), [0]))
    with pytest.raises(UnreadableModel, match=r"layer c: kernel is stored with shape \(3, 2, 1, 1\), and the config"):
        load(path)


def test_an_integer_input_is_one(tmp_path: Path) -> None:
    raw = layer("Embedding", "e", input_dim=3, output_dim=1, batch_input_shape=[None, 2], input_dtype="int32")
    graph = load(write(tmp_path, [raw], {"e": {"e_W:0": np.float32([[1], [2], [3]])}}))
    assert graph.specs[0].dtype == "int32"


def test_keras_2_without_a_version_is_not_taken_for_keras_1(tmp_path: Path) -> None:
    raw = layer("Embedding", "e", input_dim=3, output_dim=1, batch_input_shape=[None, 2])
    path = write_h5(tmp_path / "m.h5", {"class_name": "Sequential", "config": [raw]},
                    {"e": {"e/embeddings:0": np.float32([[1], [2], [3]])}}, version="")  # fmt: skip
    assert load(path).dialect == "keras2"


def _every_kind() -> dict[str, Any]:
    """A model that begins with a Merge, of layers whose fields Keras 1 spelled in a way of its own."""
    image = [None, 8, 8, 2]
    deconvolution = {**conv("d", "tf", image), "class_name": "Deconvolution2D"}
    deconvolution["config"]["output_shape"] = [None, 9, 9, 1]
    first = [deconvolution, layer("ZeroPadding2D", "z", padding=[1, 2, 3, 4]), layer("Flatten", "f")]
    second = [
        layer("LSTM", "l", output_dim=2, inner_activation="hard_sigmoid", batch_input_shape=[None, 3, 2]),
        layer("BatchNormalization", "n", mode=0, axis=-1, epsilon=1e-3),
    ]
    branches = [{"class_name": "Sequential", "config": branch} for branch in (first, second)]
    merge = layer("Merge", "m", mode="concat", concat_axis=-1, mode_type="raw", layers=branches)
    return {"class_name": "Sequential", "config": [merge, layer("Dense", "h", output_dim=1, bias=True)]}


def test_mutated_configurations_never_end_in_a_traceback(tmp_path: Path) -> None:
    """Each value of a configuration replaced by each of a few others: read, or refused in one line."""
    config = _every_kind()
    weights = {
        **stored("d", np.ones((2, 2, 2, 1)), [0]),
        "l": {f"l_{number}": np.ones((2, 2) if number % 3 < 2 else 2, np.float32) for number in range(12)},
        "n": {name: np.ones(2, np.float32) for name in "gbms"},
        **stored("h", np.ones((182, 1)), [0]),
    }
    path = write(tmp_path, config, weights)
    assert [node.reason for node in load(path).nodes] == [""] * 9
    file, text = Hdf5File(str(path)), json.dumps(config)
    for place in places(config):
        for value in (None, -1, 0, 3.5, "x", [], {}, [None], [1, 2, 3], {"class_name": "Merge"}, True):
            changed = json.loads(text)
            holder = changed
            for key in place[:-1]:
                holder = holder[key]
            holder[place[-1]] = value
            try:
                build_graph(Source(str(path), "hdf5", "hdf5", changed, "1.2.1", "tensorflow", "keras1", file))
            except UnreadableModel as error:
                assert "\n" not in str(error)


def test_gates_of_different_shapes_are_refused(tmp_path: Path) -> None:
    raw = layer("GRU", "g", output_dim=1, batch_input_shape=[None, 2, 1])
    weights = {
        f"g_{number}": np.ones((1, 1 + (number == 3)) if number % 3 < 2 else 1, np.float32) for number in range(9)
    }
    with pytest.raises(UnreadableModel, match="layer g: has a surplus weight"):
        load(write(tmp_path, [raw], {"g": weights}))


def test_a_real_file() -> None:
    graph = load(model_path("legacy/carnd_keras1.h5"))
    assert (graph.dialect, graph.keras_version) == ("keras1", "1.2.1")
    assert [node.name for node in graph.nodes if node.attrs is None] == ["lambda_1"]
    assert [node.type for node in graph.nodes[2:5]] == ["Cropping2D", "Conv2D", "MaxPooling2D"]
    assert graph.nodes[3].weights["kernel"].path == "model_weights/convolution2d_1/convolution2d_1_W:0"
