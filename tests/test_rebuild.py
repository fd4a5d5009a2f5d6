"""Files that no framework reads any more, and layers that hold code: what is refused, and what runs around it."""

from __future__ import annotations

import marshal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from support.crafted import called, dense, functional, layer, source, write_h5
from support.framework import framework, record
from support.models import model_path

import refconv
from refconv import pipeline
from refconv.errors import BadInput, UnreadableModel
from refconv.formats.writer import write
from refconv.frameworks.worker.loading import load_model
from refconv.frameworks.workers import renamed
from refconv.graph import Graph
from refconv.pipeline import Options
from refconv.pipeline.rebuilding import NOTE, runnable
from refconv.result import CheckResult, LayerResult, Policy, Verdict

CODE = marshal.dumps((lambda x: x / 255 - 0.5).__code__).decode("latin-1")  # as Keras 1 wrote it, never run
OPTIONS = Options(rebuild=True)
REBUILDABLE = "written by Keras 1.2.1, which no framework reads any more"


def lambda_layer(name: str, **config: Any) -> dict[str, Any]:
    return layer("Lambda", name, function=[CODE, None, None], function_type="lambda", arguments={}, **config)


def judged(graph: Graph, *, spoil: Callable[[Path], None] = lambda path: None, **options: Any) -> CheckResult:
    """`check --rebuild` with the framework in this process; `spoil` may change what refconv wrote."""
    chosen = replace(OPTIONS, **options)
    with runnable(graph, None, chosen, 2, pipeline.draw_inputs) as runs:
        spoil(Path(runs.path))
        tf_keras.backend.clear_session()
        model = load_model(framework(tf_keras), runs.path)
        trace = record(tf_keras, model, *runs.parts.arrays)
        for index, call in enumerate(trace.calls):
            trace.calls[index] = replace(call, layer=runs.names.get(call.layer, call.layer))
        trace.planned.clear()
        result = pipeline.verify(runs.parts.graph, trace, runs.parts.arrays, chosen, seeded=True)
        return runs.completed(result, graph)


def verdicts(result: CheckResult) -> dict[str, Verdict]:
    return {found.name: found.verdict for found in result.layers}


@pytest.fixture
def onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switched on in workers: without it TensorFlow has no convolution of channels first on a CPU."""
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")


@pytest.fixture(scope="module")
def channels_first() -> None:
    """In this process the switch is as TensorFlow found it, off where the processor has no AVX-512."""
    try:
        tf.nn.conv2d(tf.ones((1, 1, 2, 2)), tf.ones((1, 1, 1, 1)), 1, "VALID", data_format="NCHW")
    except tf.errors.OpError:
        pytest.skip("TensorFlow runs convolutions of channels first on a CPU only with oneDNN, which is off here")


@pytest.fixture
def keras1(tmp_path: Path) -> Path:
    """A convolution in Theano's order, a Lambda, a nested model, a Merge of both sides of the Lambda, and a head."""
    rng = np.random.default_rng(0)
    conv = layer("Convolution2D", "conv", nb_filter=2, nb_row=2, nb_col=3, border_mode="same", subsample=[1, 1],
                 dim_ordering="th", activation="relu")  # fmt: skip
    inner = {"class_name": "Sequential", "config": [
        layer("Flatten", "flat", batch_input_shape=[None, 2, 4, 4]), layer("Dense", "deep", output_dim=3)]}  # fmt: skip
    layers = [
        called(layer("InputLayer", "x", batch_input_shape=[None, 3, 4, 4], input_dtype="float32")),
        called(conv, [["x", 0, 0]]),
        called(lambda_layer("code", output_shape=None, output_shape_type="raw"), [["conv", 0, 0]]),
        {**inner, "name": "inner", "inbound_nodes": [[["code", 0, 0]]]},
        called(layer("Flatten", "flatten"), [["conv", 0, 0]]),
        called(layer("Merge", "joined", mode="concat", concat_axis=1), [["inner", 1, 0], ["flatten", 0, 0]]),
        called(layer("Dense", "head", output_dim=2, activation="softmax"), [["joined", 0, 0]]),
    ]
    weights = {
        "conv": {"conv_W:0": rng.normal(size=(2, 3, 2, 3)), "conv_b:0": rng.normal(size=2)},
        "inner": {"deep_W:0": rng.normal(size=(32, 3)), "deep_b:0": rng.normal(size=3)},
        "head": {"head_W:0": rng.normal(size=(35, 2)), "head_b:0": rng.normal(size=2)},
    }
    stored = {name: {k: v.astype(np.float32) for k, v in group.items()} for name, group in weights.items()}
    config = {**functional(layers, [["x", 0, 0]], [["head", 0, 0]]), "class_name": "Model"}
    return write_h5(tmp_path / "old.h5", config, stored, version="1.2.1", backend="")


def test_a_file_of_keras_1_is_refused_and_the_options_are_named(keras1: Path) -> None:
    with pytest.raises(UnreadableModel, match=REBUILDABLE) as caught:
        refconv.check(keras1)
    assert "--rebuild" in str(caught.value) and "--no-framework" in str(caught.value)


@pytest.mark.usefixtures("onednn")
def test_a_file_of_keras_1_is_verified_but_for_its_lambda(keras1: Path) -> None:
    """With the worker: layers of nested models are told under their own names."""
    result = refconv.check(keras1, rebuild=True)
    found = verdicts(result)
    assert list(found) == ["conv", "code", "inner/flat", "inner/deep", "flatten", "joined", "head"]
    assert found.pop("code") is Verdict.UNVERIFIED
    assert set(found.values()) <= {Verdict.EXACT, Verdict.WITHIN}, found
    assert result.verdict == "incomplete" and result.plain is not None and result.plain.ok
    assert replace(result, policy=Policy(allow_unverified=True)).verdict == "pass"
    assert NOTE in result.notes and any("assumed to be its input's): code 2×4×4" in note for note in result.notes)
    assert [tensor["name"] for tensor in result.input["tensors"]] == ["x", "code"]
    assert result.model.path == str(keras1)


@pytest.mark.usefixtures("channels_first")
@pytest.mark.parametrize(
    ("place", "name"), [("conv/conv/kernel:0", "conv"), ("inner.deep/inner.deep/bias:0", "inner/deep")]
)
def test_a_wrong_weight_in_what_the_framework_runs_is_found(keras1: Path, place: str, name: str) -> None:
    def spoil(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            file["model_weights"][place][...] *= 1.01

    found = verdicts(judged(refconv.load(keras1), spoil=spoil))
    assert [layer for layer, verdict in found.items() if verdict is Verdict.MISMATCH] == [name]


def test_what_is_written_holds_no_code(keras1: Path) -> None:
    with runnable(refconv.load(keras1), None, OPTIONS, 2, pipeline.draw_inputs) as runs:
        written = Path(runs.path).read_bytes()
    assert b"Lambda" not in written and CODE.encode("latin-1") not in written
    assert not Path(runs.path).exists()


def test_no_code_of_a_file_is_run_or_even_unpacked(keras1: Path) -> None:
    """In a process that fails where anything is unmarshalled or compiled from text while the reference runs."""
    program = (
        "import sys, refconv; from refconv.pipeline import Options, check\n"
        "import refconv.pipeline.model, refconv.primitives.numpy_engine, refconv.report.terminal\n"
        f"check({str(keras1)!r}, framework=False, engine='numpy')\n"
        "def hook(event, arguments):\n"
        "    assert event not in ('marshal.loads', 'exec', 'compile', 'subprocess.Popen', 'socket.connect'), event\n"
        "sys.addaudithook(hook)\n"
        f"result = check({str(keras1)!r}, framework=False, engine='numpy')\n"
        "assert len(result.layers) == 7\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_the_reference_alone_verifies_nothing_and_computes_all_else(keras1: Path) -> None:
    result = refconv.check(keras1, framework=False)
    assert result.verdict == "incomplete" and result.exit_code == 3
    reasons = {found.name: found.reason for found in result.layers}
    assert reasons["code"] == "no reference for Lambda; not run"
    assert reasons["conv"].startswith("computed: 2×2×4×4, 0 … ")
    assert reasons["head"].startswith("computed: 2×2, ")
    assert result.environment == {} and result.plain is None


def test_the_reference_alone_gives_what_run_gives() -> None:
    path = Path(refconv.__file__).parent / "samples" / "digits.keras"
    graph = refconv.load(path)
    x = pipeline.draw_inputs(graph, None, Options())
    run = refconv.run(graph, x[0])
    for found in refconv.check(path, framework=False).layers:
        low, high = run[found.name].mid.min(), run[found.name].mid.max()
        assert found.reason.endswith(f", {low:.6g} … {high:.6g}")


def test_what_stands_behind_a_lambda_may_be_given_by_its_name(keras1: Path) -> None:
    x, behind = np.ones((3, 3, 4, 4), np.float32), np.full((3, 2, 4, 4), 7, np.float32)
    graph = refconv.load(keras1)
    with runnable(graph, {"x": x, "code": behind}, OPTIONS, 2, pipeline.draw_inputs) as runs:
        assert [a.tolist() for a in runs.parts.arrays] == [x.tolist(), behind.tolist()]
    with runnable(graph, x, OPTIONS, 2, pipeline.draw_inputs) as runs:
        given, drawn = runs.parts.arrays
        assert given.tolist() == x.tolist() and drawn.shape == behind.shape and np.std(drawn) > 0
        assert runs.parts.sources["x"] is x and runs.parts.sources["code"] == "seeded"
    pixels = replace(OPTIONS, preprocess="unit")
    with runnable(graph, {"x": 255 * x}, pixels, 2, pipeline.draw_inputs) as runs:
        assert runs.parts.arrays[0].tolist() == x.tolist()
    with pytest.raises(BadInput, match="no input is called 'other'"):
        refconv.check(keras1, {"x": x, "other": behind}, framework=False)


def test_the_shape_behind_a_lambda_may_be_said(tmp_path: Path) -> None:
    """A Lambda that halves its channels: assumed to keep them it does not fit, which is told with the option."""
    layers = [lambda_layer("half", batch_input_shape=[None, 4]), dense("d", 3)]
    weights = {"d": {"d/kernel:0": np.ones((2, 3), np.float32), "d/bias:0": np.zeros(3, np.float32)}}
    path = write_h5(tmp_path / "half.h5", {"class_name": "Sequential", "config": layers}, weights)
    with pytest.raises(UnreadableModel, match="layer d: ") as caught:
        refconv.check(path, framework=False)
    assert "--shape" in str(caught.value)
    result = refconv.check(path, framework=False, shapes={"half": (2,)})
    assert result.layers[1].reason.startswith("computed: 2×3, ")
    assert any("as --shape says" in note for note in result.notes)


def test_shapes_of_the_model_s_own_inputs_stay_theirs(tmp_path: Path) -> None:
    """--shape for all inputs is for those of unknown size, also where one of known size stands behind a Lambda."""
    layers = [
        called(source("a", (None, None, 3))),
        called(source("b", (None, None, 3))),
        called(lambda_layer("code", output_shape=[5, 3], output_shape_type="raw"), [["a", 0, 0, {}]]),
        called(dense("d"), [["code", 0, 0, {}]]),
        called(dense("e"), [["b", 0, 0, {}]]),
    ]
    weights = {n: {f"{n}/kernel:0": np.eye(3), f"{n}/bias:0": np.zeros(3)} for n in "de"}
    config = functional(layers, [["a", 0, 0], ["b", 0, 0]], [["d", 0, 0], ["e", 0, 0]])
    graph = refconv.load(write_h5(tmp_path / "m.h5", config, weights))
    with runnable(graph, None, replace(OPTIONS, shapes={"": (7,)}), 2, pipeline.draw_inputs) as runs:
        names, shapes = [s.name for s in runs.parts.graph.specs], [x.shape for x in runs.parts.arrays]
    assert dict(zip(names, shapes, strict=True)) == {"b": (2, 7, 3), "code": (2, 5, 3)}


def test_a_model_of_a_lambda_alone_leaves_nothing(tmp_path: Path) -> None:
    config = {"class_name": "Sequential", "config": [lambda_layer("all", batch_input_shape=[None, 4])]}
    path = write_h5(tmp_path / "all.h5", config, {})
    with pytest.raises(UnreadableModel, match="nothing is left"):
        refconv.check(path, framework=False)


def test_a_lambda_at_the_end_leaves_what_it_was_fed(tmp_path: Path) -> None:
    config = {"class_name": "Sequential", "config": [source(), dense(), lambda_layer("last")]}
    path = write_h5(tmp_path / "last.h5", config)
    result = judged(refconv.load(path))
    assert verdicts(result) == {"dense": Verdict.WITHIN, "last": Verdict.UNVERIFIED}


def drawn(rng: np.random.Generator, **shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {name: rng.uniform(0.2, 1.2, shape).astype(np.float32) - 0.5 * ("_std" not in name)
            for name, shape in shapes.items()}  # fmt: skip


def old_sequences() -> tuple[list[Any], dict[str, dict[str, np.ndarray]]]:
    """Recurrent layers gate by gate, in both directions, on looked-up rows, and a normalization."""
    rng = np.random.default_rng(1)
    cell = {"activation": "tanh", "inner_activation": "hard_sigmoid", "consume_less": "cpu"}
    inner = layer("GRU", "inner", output_dim=2, return_sequences=False, **cell)
    layers = [
        layer("Embedding", "e", input_dim=7, output_dim=3, batch_input_shape=[None, 5], input_dtype="int32"),
        layer("LSTM", "l", output_dim=4, return_sequences=True, **cell),
        layer("Dropout", "drop", p=0.25),
        layer("Bidirectional", "b", layer=inner, merge_mode="concat"),
        layer("BatchNormalization", "n", mode=0, axis=-1, epsilon=1e-4, momentum=0.9),
        layer("Dense", "d", output_dim=2, activation="softmax"),
    ]
    lstm = {f"l_{w}_{g}": s for g in "icfo" for w, s in (("W", (3, 4)), ("U", (4, 4)), ("b", (4,)))}
    gru = {f"b_{d}_{w}_{g}": s for d in "fb" for g in "zrh" for w, s in (("W", (4, 2)), ("U", (2, 2)), ("b", (2,)))}
    norm = {f"n_{name}": (4,) for name in ("gamma", "beta", "running_mean", "running_std")}
    groups = {"e": {"e_W": (7, 3)}, "l": lstm, "b": gru, "n": norm, "d": {"d_W": (4, 2), "d_b": (2,)}}
    return layers, {name: drawn(rng, **shapes) for name, shapes in groups.items()}


def old_images() -> tuple[list[Any], dict[str, dict[str, np.ndarray]]]:
    """Every convolution of Keras 1 and what moves pixels."""
    rng = np.random.default_rng(2)
    common = {"dim_ordering": "tf", "border_mode": "valid", "activation": "elu", "subsample": [1, 1]}
    size = {"nb_row": 3, "nb_col": 2}
    layers = [
        layer("ZeroPadding2D", "z", padding=[1, 0, 2, 1], dim_ordering="tf", batch_input_shape=[None, 7, 6, 2]),
        layer("AtrousConvolution2D", "a", nb_filter=3, atrous_rate=[2, 2], **size, **common),
        layer("Deconvolution2D", "t", nb_filter=2, output_shape=[None, 10, 15, 2], **size,
              **{**common, "subsample": [2, 2]}),
        layer("SeparableConvolution2D", "s", nb_filter=3, depth_multiplier=2, **size, **common),
        layer("LeakyReLU", "r", alpha=0.1),
        layer("AveragePooling2D", "p", pool_size=[2, 2], strides=[2, 2], border_mode="same", dim_ordering="tf"),
        layer("UpSampling2D", "u", size=[2, 1], dim_ordering="tf"),
        layer("Cropping2D", "c", cropping=[[1, 0], [0, 2]]),
        layer("GlobalMaxPooling2D", "g", dim_ordering="tf"),
    ]  # fmt: skip
    groups: dict[str, dict[str, tuple[int, ...]]] = {
        "a": {"a_W": (3, 2, 2, 3), "a_b": (3,)},
        "t": {"t_W": (3, 2, 3, 2), "t_b": (2,)},
        "s": {"s_depthwise_kernel": (3, 2, 2, 2), "s_pointwise_kernel": (1, 1, 4, 3), "s_b": (3,)},
    }
    return layers, {name: drawn(rng, **shapes) for name, shapes in groups.items()}


@pytest.mark.parametrize("made", [old_sequences, old_images])
def test_layers_of_keras_1_are_verified_in_keras_2(tmp_path: Path, made: Any) -> None:
    layers, weights = made()
    path = write_h5(tmp_path / "m.h5", {"class_name": "Sequential", "config": layers}, weights, version="1.2.2")
    found = verdicts(judged(refconv.load(path)))
    assert len(found) == len(layers) and set(found.values()) <= {Verdict.EXACT, Verdict.WITHIN}, found


def test_frames_are_renamed() -> None:
    frames: Iterator[Any] = iter(
        [
            ({"kind": "planned", "calls": {"a.b": 2, "c": 1}}, None),
            ({"kind": "call", "layer": "a.b"}, None),
            ({"kind": "error", "layer": ""}, None),
        ]
    )
    found = [header for header, _ in renamed(frames, {"a.b": "a/b"})]
    assert found[0]["calls"] == {"a/b": 2, "c": 1}
    assert [header["layer"] for header in found[1:]] == ["a/b", ""]


def test_the_real_file_of_keras_1_is_verified_but_for_its_lambda() -> None:
    result = judged(refconv.load(model_path("legacy/carnd_keras1.h5")), samples=1)
    found = verdicts(result)
    assert found.pop("lambda_1") is Verdict.UNVERIFIED and len(found) == 16
    assert set(found.values()) <= {Verdict.EXACT, Verdict.WITHIN}, found
    assert result.plain is not None and result.plain.ok
    assert any("as the file declares): lambda_1 160×320×3" in note for note in result.notes)


def test_a_real_lambda_is_refused_in_one_line_and_run_around() -> None:
    path = model_path("float/mnist_densenet.h5")
    with pytest.raises(UnreadableModel, match="layer lambda_1: a Lambda layer holds code from the file") as caught:
        refconv.check(path)
    assert "--no-framework" in str(caught.value) and len(str(caught.value).splitlines()) == 1
    reasons = [found.reason for found in refconv.check(path, framework=False).layers]
    assert sum(reason.startswith("computed: ") for reason in reasons) == 37
    assert sum(reason == "no reference for Lambda; not run" for reason in reasons) == 13


LENET = "legacy/lenet5_theano_keras2.h5"


def digits() -> tuple[np.ndarray, np.ndarray]:
    """All 5,000 digits, 500 of each in order, as 1×28×28 in [0, 1], and what they are."""
    rows = np.loadtxt(model_path("data/mnist_5k.csv.gz"), delimiter=",")
    return (rows[:, :-1] / 255).reshape(-1, 1, 28, 28).astype(np.float32), rows[:, -1]


def score(outputs: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.mean(outputs.argmax(1) == wanted))


FIRST, SPREAD = slice(200), slice(None, None, 25)  # the first 200 are all zeros


def test_the_reference_reads_theanos_kernels_rightly() -> None:
    graph, (x, wanted) = refconv.load(model_path(LENET)), digits()
    assert score(refconv.run(graph, x[FIRST]).output.mid, wanted[FIRST]) >= 0.99
    assert score(refconv.run(graph, x[SPREAD]).output.mid, wanted[SPREAD]) == 1.0


@pytest.mark.usefixtures("channels_first")
def test_tf_keras_does_not_read_theanos_kernels_rightly() -> None:
    x, wanted = digits()
    model = tf_keras.models.load_model(model_path(LENET), compile=False)
    assert score(model.predict(x[SPREAD], verbose=0), wanted[SPREAD]) == pytest.approx(0.305, abs=0.02)


def lenet_result(change: Callable[[np.ndarray], np.ndarray]) -> dict[str, LayerResult]:
    """tf-keras's reading, with the first kernel changed."""
    graph = refconv.load(model_path(LENET))
    model = tf_keras.models.load_model(model_path(LENET), compile=False)
    kernel, bias = model.layers[0].get_weights()
    model.layers[0].set_weights([change(kernel), bias])
    arrays = pipeline.draw_inputs(graph, None, Options())
    result = pipeline.verify(graph, record(tf_keras, model, *arrays), arrays, Options(), seeded=True)
    return {found.name: found for found in result.layers}


@pytest.mark.usefixtures("onednn")
def test_a_kernel_that_theano_wrote_is_a_mismatch_and_the_finding_says_why() -> None:
    found = {layer.name: layer for layer in refconv.check(model_path(LENET)).layers}
    for name in ("conv2d_1", "conv2d_2", "conv2d_3"):
        (finding,) = found[name].findings
        assert (found[name].verdict, finding.code) == (Verdict.MISMATCH, "RC203")
        assert "Theano" in finding.title and "`backend`" in finding.title and "--rebuild" in finding.fix
    others = {found[name].verdict for name in found if not name.startswith("conv")}
    assert others <= {Verdict.EXACT, Verdict.WITHIN}


@pytest.mark.usefixtures("channels_first")
def test_another_fault_in_such_a_file_has_no_such_finding() -> None:
    turned = lenet_result(lambda kernel: 1.5 * kernel[::-1, ::-1])["conv2d_1"]
    assert turned.verdict is Verdict.MISMATCH
    assert "RC203" not in [finding.code for finding in turned.findings]
    assert lenet_result(lambda kernel: kernel[::-1, ::-1])["conv2d_1"].verdict is Verdict.WITHIN


@pytest.mark.usefixtures("onednn")
def test_a_rebuilt_file_of_theano_is_right() -> None:
    found = verdicts(refconv.check(model_path(LENET), rebuild=True))
    assert set(found.values()) <= {Verdict.EXACT, Verdict.WITHIN}, found


def test_the_oldest_keras_2_file_passes() -> None:
    graph = refconv.load(model_path("legacy/donkeycar_keras202.h5"))
    model = tf_keras.models.load_model(graph.path, compile=False)
    arrays = pipeline.draw_inputs(graph, None, Options())
    result = pipeline.verify(graph, record(tf_keras, model, *arrays), arrays, Options(), seeded=True)
    assert result.verdict == "pass" and result.counts["verified"] == 13


@pytest.mark.parametrize("keras", [2, 3])
def test_nothing_is_cut_where_everything_can_be_written(tmp_path: Path, keras: int) -> None:
    graph = refconv.load(model_path("legacy/donkeycar_keras202.h5"))
    with runnable(graph, None, OPTIONS, keras, pipeline.draw_inputs) as runs:
        assert runs.parts.removed == () and runs.parts.graph is graph
        assert refconv.load(runs.path).keras == keras
    assert write(graph, tmp_path / "m", keras=keras).names["conv2d_31"] == "conv2d_31"
