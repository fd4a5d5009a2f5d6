"""Who is named in a configuration: the names are those of the tables, and everything else is a stranger."""

from __future__ import annotations

from typing import Any

import pytest
from support.crafted import called, dense, functional, layer, sequential, source

from refconv.errors import UnreadableModel
from refconv.formats import names
from refconv.formats.node_def import OPS
from refconv.formats.objects import strangers
from refconv.formats.operator_names import KERAS2
from refconv.formats.wrappers import WRAPPERS
from refconv.ops.functions.table import FUNCTIONS
from refconv.ops.qkeras_layers import NO_LAYERS
from refconv.ops.registered import REGISTERED
from refconv.ops.table import TABLE
from refconv.ops.uncovered import UNCOVERED
from refconv.quantizers.table import TABLE as QUANTIZERS


def test_the_names_of_layers_are_those_of_the_tables() -> None:
    tables = {*TABLE, *UNCOVERED, *NO_LAYERS, *WRAPPERS} - REGISTERED
    assert names.LAYERS | (names.CODE & set(UNCOVERED)) == {name for name in tables if "." not in name}
    assert names.CODE.isdisjoint(names.OBJECTS)


def test_the_names_of_functions_and_quantizers_are_those_of_the_tables() -> None:
    assert set(QUANTIZERS) == names.QUANTIZERS
    assert {name for name in FUNCTIONS if not name.endswith("_keras2")} <= names.ACTIVATIONS
    assert set(OPS) <= names.NODES
    for symbol in KERAS2:
        assert not found(layer("TFOpLambda", "f", function=symbol)), symbol


def found(*layers: dict[str, Any]) -> tuple[Any, ...]:
    return strangers(sequential(source(), *layers))


DTYPE = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}
ZEROS = {"module": "keras.initializers", "class_name": "Zeros", "config": {}, "registered_name": None}


@pytest.mark.parametrize(
    "raw",
    [
        dense(),
        dense(activation="relu", kernel_initializer=ZEROS, dtype=DTYPE),
        dense(activation={"class_name": "function", "config": "silu", "module": "builtins", "registered_name": "silu"}),
        {**dense(), "module": "keras.src.layers.core.dense", "registered_name": "Dense"},
        {**layer("Add", "add"), "module": "keras.src.ops.numpy", "registered_name": "Add"},
        layer("QActivation", "a", activation="quantized_relu(6,1,1)"),
        layer("QDense", "d", kernel_quantizer={"class_name": "quantized_bits", "config": {"bits": 4}}),
        layer("Custom>CustomScaleLayer", "scale", scale=0.1),
        layer("TensorFlowOpLayer", "mul", node_def={"op": "Mul"}),
        layer("StringLookup", "words", vocabulary=["a", "b"]),
        layer("Rescaling", "r", scale={"class_name": "__numpy__", "config": {"value": 1.0, "dtype": "float32"}}),
        layer(
            "PruneLowMagnitude", "p", layer=dense(), pruning_schedule={"class_name": "PolynomialDecay", "config": {}}
        ),
        sequential(source("y"), dense()),
    ],
    ids=lambda raw: raw["class_name"],
)
def test_what_keras_writes_is_known(raw: dict[str, Any]) -> None:
    assert not found(raw)


@pytest.mark.parametrize(
    ("raw", "where", "what"),
    [
        (layer("Mine", "own"), "layer own", "Mine is no class of Keras"),
        (layer("mine>Dense", "own"), "layer own", "mine>Dense is no class of Keras"),
        ({**dense(), "registered_name": "mine>Dense"}, "layer dense", "mine>Dense is no class of Keras"),
        ({**dense(), "module": "my_layers"}, "layer dense", "Dense is no class of Keras"),
        ({**dense(), "module": "kerasx"}, "layer dense", "Dense is no class of Keras"),
        (dense(activation="my_function"), "layer dense: activation", "is no function of Keras"),
        (dense(kernel_regularizer=layer("Mine", "m")), "layer dense/m: kernel_regularizer", "Mine is no class"),
    ],
    ids=str,
)
def test_what_trusted_files_may_define(raw: dict[str, Any], where: str, what: str) -> None:
    (stranger,) = found(raw)
    assert not stranger.inside and stranger.where == where and what in stranger.what


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (layer("Lambda", "f", function="x"), "Lambda layer holds code"),
        (layer("keras.layers>Lambda", "f"), "Lambda layer holds code"),
        (layer("TimeDistributed", "t", layer=layer("Lambda", "f")), "Lambda layer holds code"),
        (dense(activation={"class_name": "__lambda__", "config": {"value": ""}}), "lambda holds code"),
        (layer("TFSMLayer", "t"), "names a file"),
        (layer("TFOpLambda", "f", function="io.write_file"), "tf.io.write_file"),
        (layer("TFOpLambda", "f", function="compat.v1.read_file"), "tf.compat.v1.read_file"),
        (layer("TFOpLambda", "f", function="math.__class__.mro()"), "only compute"),
        (layer("SlicingOpLambda", "f", function="py_function"), "tf.py_function"),
        (layer("TensorFlowOpLayer", "f", node_def={"op": "PyFunc"}), "'PyFunc'"),
        (layer("TensorFlowOpLayer", "f", node_def="\n\x04WriteFile"), "binary form"),
        (layer("ClassMethod", "f"), "names a file"),
        (layer("StringLookup", "s", vocabulary="/etc/passwd"), "is the name of a file"),
        ({**dense(), "registered_name": "get_file"}, "no name that Keras gives"),
        (layer("a.b", "own"), "no name that Keras gives"),
        (dense(activation="__import__('os').mkdir('x')"), "no name of a function"),
        (layer("QDense", "d", kernel_quantizer="quantized_bits(__import__('os'))"), "cannot read the arguments"),
        (layer("QDense", "d", bias_quantizer=["range(1)"]), "no name of a function"),
        ({"class_name": "__typespec__", "spec_name": "x", "config": []}, "does not read"),
    ],
    ids=str,
)
def test_what_no_trust_covers(raw: dict[str, Any], what: str) -> None:
    (stranger,) = found(raw)
    assert stranger.inside and what in stranger.what


def test_layers_that_lead_nowhere_are_looked_at() -> None:
    layers = [called(source()), called(layer("Mine", "dead"), [["x", 0, 0, {}]]), called(dense(), [["x", 0, 0, {}]])]
    (stranger,) = strangers(functional(layers, [["x", 0, 0]], [["dense", 0, 0]]))
    assert stranger.where == "layer dead"


def test_the_worst_comes_first_and_each_name_once() -> None:
    mine, code = layer("Mine", "own"), layer("Lambda", "f")
    assert [one.name for one in found(mine, {**mine}, code)] == ["Lambda", "Mine"]


def test_what_a_model_was_compiled_with_is_not_loaded() -> None:
    model = {**sequential(source(), dense()), "compile_config": {"loss": layer("Mine", "loss")}}
    assert not strangers(model)


@pytest.mark.parametrize("name", ["..", "../x", "a/../b"])
def test_names_that_are_paths(name: str) -> None:
    (stranger,) = found(dense(name))
    assert stranger.inside and "name is a path" in stranger.what


@pytest.mark.parametrize("dtype", ["(1000,1000)f4", "f4", "O", None, ["float32"]])
def test_odd_dtypes(dtype: Any) -> None:
    constant = {"class_name": "__numpy__", "config": {"value": [1.0], "dtype": dtype}}
    with pytest.raises(UnreadableModel, match="a constant of dtype"):
        found(layer("Rescaling", "r", scale=constant))
