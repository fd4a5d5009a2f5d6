"""The worker alone refuses what refconv's own reader does, where the trick is in the configuration (refusing.py)."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from security.recipes import RECIPES, SECRET, Recipe, archive, harmless, keras3, members, with_dead
from support.crafted import called, dense, functional, layer, sequential, source, write_h5, write_zip
from support.models import MODELS, model_path

from refconv.formats import load, names, objects
from refconv.frameworks.worker import known, naming
from refconv.frameworks.worker.alone import main
from refconv.frameworks.worker.naming import Refused
from refconv.frameworks.worker.refusing import Config
from refconv.quantizers.grammar import parse

ROWS = ("CVE-2024-3660", "CVE-2025-1550", "CVE-2025-8747", "CVE-2025-9906", "CVE-2025-9905", "CVE-2025-49655",
        "CVE-2025-12058", "CVE-2026-1462", "TensorFlow's functions", "dead node", "QKeras strings")  # fmt: skip
ALL = [recipe for row in ROWS for recipe in RECIPES[row]]
# What only the user's own code could define, so that --trust-code has to: then its name is looked for there.
FOREIGN = {"function_of_any_module_as_an_activation": ["mkdir"], "class_of_any_module": ["Popen"]}
SAMPLES = Path(__file__).resolve().parents[2] / "refconv" / "samples"
LAMBDA, KERAS1 = "mnist_densenet.h5", "carnd_keras1.h5"  # the first holds code, the second no framework reads


def h5(path: Path, *layers: dict[str, Any]) -> Config:
    return Config(str(write_h5(path / "m.h5", sequential(source(), *layers, dense()))))


def zipped(path: Path, raw: dict[str, Any]) -> Config:
    return Config(str(archive(path / "m.keras", raw)))


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.__name__)
def test_refused(recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(recipe(tmp_path))
    if recipe.__name__ in FOREIGN:
        assert Config(path).foreign() == FOREIGN[recipe.__name__]
    else:
        with pytest.raises(Refused):
            Config(path).foreign()
    assert main(["capture", path, str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("refconv-worker: ") and said.count("\n") == 1 and SECRET.decode() not in said
    assert not (tmp_path / "out").exists() and not (tmp_path / "marker").exists()


def test_the_file_that_they_vary_is_accepted(tmp_path: Path) -> None:
    assert Config(str(harmless(tmp_path))).foreign() == []


FILES = sorted(MODELS.glob("*/**/*.[hk]*5")) + sorted(MODELS.glob("*/*.keras")) if MODELS else []
REAL = [str(file.relative_to(MODELS)) for file in FILES if MODELS and file.name not in (LAMBDA, KERAS1)]


@pytest.mark.parametrize("name", REAL or ["float/sudoku_digits.h5"])
def test_real_files_are_accepted(name: str) -> None:
    config = Config(str(model_path(name)))
    assert config.foreign() == [] and config.whole == ""
    as_read(model_path(name))


@pytest.mark.parametrize("name", ["digits.h5", "digits.keras", "digits_qkeras.h5"])
def test_samples_are_accepted(name: str) -> None:
    assert Config(str(SAMPLES / name)).foreign() == []
    as_read(SAMPLES / name)


def as_read(path: Path) -> None:
    """The reader finds the same inputs, and the same Keras and QKeras to run them with."""
    config, graph = Config(str(path)), load(path)
    assert config.inputs == [spec.name for spec in graph.specs]
    assert (config.keras, config.qkeras, config.whole) == (graph.keras, graph.qkeras, graph.opaque)


@pytest.mark.parametrize("name", ["CODE", "CALLS", "REGISTERED", "MODULES", "OPERATIONS", "PACKAGES", "ACTIVATIONS",
                                  "QUANTIZERS", "FUNCTIONS_OF", "FUNCTIONS", "NODES"])  # fmt: skip
def test_the_tables_are_those_of_the_reader(name: str) -> None:
    assert getattr(known, name) == getattr(names, name)


def test_the_small_tables_too() -> None:
    assert naming.FILES == objects.FILES and naming.WORDS == objects.WORDS
    assert naming.IDENTIFIER.pattern == objects.IDENTIFIER.pattern


@pytest.mark.parametrize(("ends", "wanted"), [
    ([["x", 0, 0]], ["x"]), (["x", 0, 0], ["x"]), ([["b", 0, 0], ["a", 0, 0]], ["b", "a"]),
    ({"zeta": ["z", 0, 0], "alpha": ["a", 0, 0]}, ["a", "z"]), ([[["x", 0, 0]], {"y": ["y", 0, 0]}], ["x", "y"]),
    (None, []),
])  # fmt: skip
def test_what_the_inputs_are_called(ends: Any, wanted: list[str], tmp_path: Path) -> None:
    assert Config(str(write_h5(tmp_path / "m.h5", functional([], ends, [])))).inputs == wanted


def test_the_input_of_a_sequential_model_without_a_layer_for_it(tmp_path: Path) -> None:
    raw = sequential(dense(batch_input_shape=[None, 4]))
    path = write_h5(tmp_path / "m.h5", raw)
    assert Config(str(path)).inputs == ["dense_input"]
    as_read(path)


# What may be in a configuration.


@pytest.mark.parametrize("field", ["vocabulary", "idf_weights"])
@pytest.mark.parametrize("kind", ["StringLookup", "IntegerLookup", "TextVectorization"])
def test_a_vocabulary_is_no_file(kind: str, field: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=f"the {field} of {kind} is the name of a file"):
        h5(tmp_path, layer(kind, "words", **{field: "/etc/hostname"})).foreign()
    assert h5(tmp_path, layer(kind, "words", **{field: ["a", "b"]})).foreign() == []
    assert h5(tmp_path, layer(kind, "words", **{field: None})).foreign() == []


@pytest.mark.parametrize(("op", "fine"), [("Relu", True), ("WriteFile", False), ("ReadFile", False), ("", False)])
def test_operations_of_tensorflow(op: str, fine: bool, tmp_path: Path) -> None:
    config = h5(tmp_path, layer("TensorFlowOpLayer", "op", node_def={"op": op}, constants={}))
    if fine:
        assert config.foreign() == []
        return
    with pytest.raises(Refused, match="TensorFlow's operation .* may do more than compute"):
        config.foreign()


def test_an_operation_in_binary_form(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="in binary form"):
        h5(tmp_path, layer("TensorFlowOpLayer", "op", node_def="CgRSZWx1", constants={})).foreign()


FINE = ("nn.relu", "math.reduce_mean", "reshape", "compat.v1.transpose", "__operators__.getitem", "image.resize")
WRONG = ("io.write_file", "print", "function", "py_function", "raw_ops.WriteFile", "compat.v1.py_func", "nn.x y",
         "math.", "data.Dataset.list_files", "")  # fmt: skip


@pytest.mark.parametrize("name", FINE)
def test_functions_of_tensorflow(name: str, tmp_path: Path) -> None:
    assert h5(tmp_path, layer("TFOpLambda", "f", function=name)).foreign() == []


@pytest.mark.parametrize("name", WRONG)
def test_functions_of_tensorflow_that_do_more(name: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="may do more than compute"):
        h5(tmp_path, layer("TFOpLambda", "f", function=name)).foreign()
    with pytest.raises(Refused, match="may do more than compute"):
        h5(tmp_path, layer("SlicingOpLambda", "f", function=name)).foreign()


NO_PLACES = ("keras.config", "keras.utils", "keras.saving", "keras.export", "keras.src.saving.saving_lib",
             "keras.src.utils.file_utils", "tf_keras.utils", "keras.api.config", "keras.layersx",
             "tensorflow.keras.utils", "tensorflow.python.keras.saving")  # fmt: skip


@pytest.mark.parametrize("module", NO_PLACES)
def test_modules_of_keras_that_hold_no_layers(module: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=f"{module}.Thing is none of a model's parts"):
        zipped(tmp_path, keras3("Thing", "x", module=module)).foreign()


@pytest.mark.parametrize(("module", "name"), [("keras.models", "load_model"), ("keras", "config"),
                                              ("builtins", "exec"), ("keras.layers", "serialize")])  # fmt: skip
def test_a_function_is_no_layer(module: str, name: str, tmp_path: Path) -> None:
    """A node that leads nowhere would call it."""
    path = write_zip(tmp_path / "m.keras", members(with_dead(keras3(name, "trap", module=module), "x")))
    with pytest.raises(Refused, match="none of a model's parts"):
        Config(str(path)).foreign()


@pytest.mark.parametrize(("module", "name", "fine"), [
    ("builtins", "relu", True), (None, "relu", True), ("keras.activations", "gelu", True), ("keras.ops", "sum", True),
    ("keras.src.ops.numpy", "mean", True), ("builtins", "exec", False), (None, "exec", False),
    ("keras.activations", "get", False), ("keras.config", "relu", False), ("keras.models", "load_model", False),
    ("keras", "config.enable_unsafe_deserialization", False),
])  # fmt: skip
def test_functions(module: str | None, name: str, fine: bool, tmp_path: Path) -> None:
    function = {"module": module, "class_name": "function", "config": name, "registered_name": "function"}
    config = zipped(tmp_path, keras3("Dense", "d", units=4, activation=function))
    if fine:
        assert config.foreign() == []
        return
    with pytest.raises(Refused):
        config.foreign()


def test_a_function_under_another_name(tmp_path: Path) -> None:
    function = {"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "get_file"}
    with pytest.raises(Refused, match="'relu' is no name that Keras gives"):
        zipped(tmp_path, keras3("Dense", "d", units=4, activation=function)).foreign()


def test_places_of_keras(tmp_path: Path) -> None:
    for module in ("keras", "keras.layers", "keras.src.models.functional", "tf_keras.src.engine.functional",
                   "tensorflow.python.keras.layers.core", "keras.optimizers.schedules", "keras.src.ops.numpy",
                   "keras._legacy.layers", "qkeras.qlayers", "keras_core.src.ops.numpy"):  # fmt: skip
        assert zipped(tmp_path, keras3("Thing", "x", module=module)).foreign() == []


# Quantizers by their names.


@pytest.mark.parametrize("text", [
    "quantized_bits(4,0,alpha='auto')", "quantized_relu(6, 1, 1)", "quantized_bits( 4 , 0 , keep_negative = True )",
    "binary", "ternary()", 'stochastic_ternary(alpha="auto_po2")', "quantized_po2(4,1e-3)", "quantized_relu(4,)",
    "quantized_bits(.5,-3,+2.)", "quantized_bits(4,None)", "quantized_bits(4,[1])", "quantized_bits(4;0)",
    "quantized_bits(get_quantizer('x'))", "quantized_bits(4)+1", "quantized_bits(4)(5)", "quantized_bits(4,,5)",
    "quantized_bits('a(b')", "quantized_bits(4", "quantized_bits(4))", "quantized_bits" + "(" + "1," * 600 + "1)",
])  # fmt: skip
def test_quantizers_are_read_as_the_reader_reads_them(text: str, tmp_path: Path) -> None:
    config = h5(tmp_path, layer("QActivation", "act", activation=text))
    try:
        parse(text)
    except ValueError:
        with pytest.raises(Refused, match="no quantizer with literal arguments"):
            config.foreign()
    else:
        assert config.foreign() == []


@pytest.mark.parametrize("text", ["get_quantizer('x')", "safe_eval('x', 1)", "relu()", "os.mkdir", "a b", "", "f(1)"])
def test_nothing_else_is_called(text: str, tmp_path: Path) -> None:
    for raw in (layer("QDense", "d", units=4, kernel_quantizer=text), layer("QActivation", "a", activation=[text])):
        with pytest.raises(Refused, match="no quantizer with literal arguments"):
            h5(tmp_path, raw).foreign()


# Whose code it takes.


def test_code_of_the_user(tmp_path: Path) -> None:
    """Each name once, in the order of the file; what a registered name says counts too."""
    function = {"module": "mine", "class_name": "function", "config": "bend", "registered_name": "bend"}
    assert zipped(tmp_path, keras3("Mine", "a", module="builtins")).foreign() == ["Mine"]  # of a script
    layers = [keras3("Mine", "a", module="mine", activation=function), layer("Dense", "b", activation="snake"),
              layer("Custom>Own", "c"), layer("Mine", "d") | {"module": "mine"},
              layer("Custom>CustomScaleLayer", "e")]  # fmt: skip
    assert h5(tmp_path, *layers).foreign() == ["Mine", "bend", "snake", "Own"]


def test_what_a_model_was_compiled_with_is_not_loaded(tmp_path: Path) -> None:
    loss = {"module": "mine", "class_name": "function", "config": "my_loss", "registered_name": "my_loss"}
    raw = {**sequential(source(), dense()), "compile_config": {"loss": loss}}
    assert Config(str(write_h5(tmp_path / "m.h5", raw))).foreign() == []
    inner = sequential(source("inner_x"), dense("inner")) | {"compile_config": {"loss": loss}}
    inner["config"]["name"] = "within"
    assert h5(tmp_path, inner).foreign() == ["my_loss"]  # Keras 3 compiles what is inside


def test_a_type_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="TypeSpec is a type that is not read"):
        h5(tmp_path, layer("Dense", "d", x={"class_name": "TypeSpec", "type_spec": "os.system"})).foreign()


# Files that cannot be read at all.


@pytest.mark.parametrize(("contents", "said"), [
    ({"config.json": b"{}"}, "cannot be read: There is no item named 'metadata.json' in the archive"),
    ({"metadata.json": b"[]", "config.json": b"{}"}, "cannot be read: 'list' object has no attribute 'get'"),
    ({"metadata.json": b"{}", "config.json": b"[]"}, "its configuration describes no model"),
    ({"metadata.json": b"{}", "config.json": b"{"}, "its configuration is no JSON"),
    ({"metadata.json": b"{}", "config.json": b"\xff"}, "cannot be read: 'utf-8' codec"),
    ({"metadata.json": b"{}", "config.json": b"[" * 10**6}, "its configuration is no JSON"),
])  # fmt: skip
def test_archives_that_hold_no_model(contents: dict[str, bytes], said: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        Config(str(write_zip(tmp_path / "m.keras", contents)))
    assert str(caught.value).startswith(said) and "\n" not in str(caught.value)


def test_a_damaged_archive(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "m.keras", members(), zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    at = data.index(b"metadata.json") + len("metadata.json")
    data[at : at + 4] = b"\xff" * 4
    path.write_bytes(data)
    with pytest.raises(Refused, match="^cannot be read: "):
        Config(str(path))


def test_a_layer_that_leads_nowhere_is_looked_at(tmp_path: Path) -> None:
    layers = [
        called(source()),
        called(layer("TFSMLayer", "dead"), [["x", 0, 0, {}]]),
        called(dense(), [["x", 0, 0, {}]]),
    ]
    path = write_h5(tmp_path / "m.h5", functional(layers, [["x", 0, 0]], [["dense", 0, 0]]))
    with pytest.raises(Refused, match="TFSMLayer holds code or names a file"):
        Config(str(path)).foreign()
    (tmp_path / "a.json").write_text(json.dumps(functional(layers, [["x", 0, 0]], [["dense", 0, 0]])))
    with pytest.raises(Refused, match="TFSMLayer holds code or names a file"):
        Config(str(path), str(tmp_path / "a.json")).foreign()
