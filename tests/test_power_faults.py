"""What `would have caught` means: with that fault in the framework's layer, the check of the layer fails.

Every counterfactual is planted: the framework builds the layer that the altered attributes describe, with the altered
weights, and is fed the altered inputs; its outputs are judged as those of the layer as it should be.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from support.laws import _call, _draw_weights, _name_weights, _plain
from support.live import capture_live

from refconv import formats
from refconv.compare import power
from refconv.compare.counterfactuals.base import Case
from refconv.compare.counterfactuals.table import ROWS, applicable
from refconv.compare.layer import judge
from refconv.formats.architecture import Layer
from refconv.formats.resolve import resolve
from refconv.formats.spelling import IMPLIED
from refconv.graph import Node, Origin
from refconv.ops.activations import Activation
from refconv.ops.base import Context
from refconv.ops.table import TABLE
from refconv.pipeline import Options, verify
from refconv.primitives import engines
from refconv.reference.forward import NodeWeights
from refconv.result import FAILING, Verdict

keras = pytest.importorskip("keras")

CONTEXT = Context(engines.get("numpy"))


@dataclass(frozen=True)
class Tried:
    """A layer of the framework: class, configuration, and the shapes of its inputs."""

    keras: str
    config: dict[str, Any]
    shapes: tuple[tuple[int, ...], ...] = ((2, 12, 12, 6),)
    integers: int = 0
    weights: dict[str, float] = field(default_factory=dict)


SAME = {"kernel_size": 3, "strides": 2, "padding": "same"}
LOCAL = {"filters": 4, "kernel_size": [2, 3], "strides": 2, "padding": "same"}
LINE, VOLUME = ((2, 12, 6),), ((1, 6, 8, 6, 3),)
LAYERS = {
    "conv": Tried("Conv2D", {"filters": 8, **SAME}),
    "conv wide": Tried("Conv2D", {"filters": 8, "kernel_size": 3, "activation": "relu"}, ((1, 40, 40, 48),)),
    "conv grouped": Tried("Conv2D", {"filters": 8, "groups": 2, "kernel_size": 3, "activation": "silu"}),
    "conv dilated": Tried("Conv2D", {"filters": 8, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}),
    "conv of a line": Tried("Conv1D", {"filters": 8, "kernel_size": 3, "padding": "causal"}, LINE),
    "conv of a volume": Tried("Conv3D", {"filters": 4, **SAME}, VOLUME),
    "transposed line": Tried("Conv1DTranspose", {"filters": 8, **SAME}, LINE),
    "maximum of a volume": Tried("MaxPooling3D", {"pool_size": 3, "strides": 2, "padding": "same"}, VOLUME),
    "average of a line": Tried("AveragePooling1D", {"pool_size": 3, "strides": 2, "padding": "same"}, LINE),
    "depthwise": Tried("DepthwiseConv2D", {**SAME, "activation": "sigmoid"}),
    "separable": Tried("SeparableConv2D", {"filters": 8, **SAME}),
    "transposed": Tried("Conv2DTranspose", {"filters": 8, "activation": "tanh", **SAME}),
    "dense": Tried("Dense", {"units": 8, "activation": "softmax"}, ((4, 5, 9),)),
    "dense gelu": Tried("Dense", {"units": 8, "activation": "gelu"}, ((4, 9),)),
    "dense long": Tried("Dense", {"units": 8}, ((4, 900),)),
    "maximum": Tried("MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}),
    "average": Tried("AveragePooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}),
    "whole mean": Tried("GlobalAveragePooling3D", {}, VOLUME),
    "whole maximum": Tried("GlobalMaxPooling1D", {"keepdims": True}, LINE),
    "parts' means": Tried("AdaptiveAveragePooling2D", {"output_size": [5, 3]}),
    "parts' maxima": Tried("AdaptiveMaxPooling1D", {"output_size": 5}, LINE),
    "local": Tried("LocallyConnected1D", {"filters": 4, "kernel_size": 3, "activation": "relu"}, LINE),
    "local matrix": Tried("LocallyConnected2D", {**LOCAL, "implementation": 2}, ((2, 6, 7, 3),)),
    "local row": Tried(
        "LocallyConnected2D", {**LOCAL, "implementation": 3, "data_format": "channels_first"}, ((2, 3, 6, 7),)
    ),
    "norm": Tried("BatchNormalization", {}),
    "norm of epsilon": Tried("BatchNormalization", {"epsilon": 1e-5}),
    "layer norm": Tried("LayerNormalization", {}),
    "rms": Tried("RMSNormalization", {}),
    "group norm": Tried("GroupNormalization", {"groups": 3}),
    "activation": Tried("Activation", {"activation": "hard_sigmoid"}),
    "relu": Tried("ReLU", {"max_value": 1.0}),
    "leaky": Tried("LeakyReLU", {}),
    "elu": Tried("ELU", {}),
    "prelu": Tried("PReLU", {}),
    "softmax": Tried("Softmax", {}),
    "flatten": Tried("Flatten", {}),
    "reshape": Tried("Reshape", {"target_shape": [36, 24]}),
    "permute": Tried("Permute", {"dims": [2, 3, 1]}),
    "padding": Tried("ZeroPadding2D", {"padding": [[1, 0], [0, 2]]}),
    "padding of a line": Tried("ZeroPadding1D", {"padding": [1, 2]}, LINE),
    "cropping": Tried("Cropping2D", {"cropping": [[1, 0], [0, 2]]}),
    "larger": Tried("UpSampling2D", {}),
    "larger volume": Tried("UpSampling3D", {}, VOLUME),
    "halved": Tried("Resizing", {"height": 6, "width": 4, "interpolation": "nearest"}),
    "resizing": Tried("Resizing", {"height": 7, "width": 9}),
    "smoothed": Tried("Resizing", {"height": 7, "width": 9, "interpolation": "bicubic", "antialias": True}),
    "rescaling": Tried("Rescaling", {"scale": 0.5, "offset": 0.25}),
    "normalization": Tried("Normalization", {}),
    "embedding": Tried("Embedding", {"input_dim": 9, "output_dim": 4}, ((2, 7),), integers=9),
    "add": Tried("Add", {}, ((2, 5), (2, 5))),
    "subtract": Tried("Subtract", {}, ((2, 5), (2, 5))),
    "multiply": Tried("Multiply", {}, ((2, 5), (2, 5))),
    "mean": Tried("Average", {}, ((2, 5), (2, 5))),
    "largest": Tried("Maximum", {}, ((2, 5), (2, 5), (2, 5))),
    "smallest": Tried("Minimum", {}, ((2, 5), (2, 5), (2, 5))),
    "concatenate": Tried("Concatenate", {}, ((2, 5), (2, 3))),
}
ELSEWHERE = {  # what this file plants in another way, or what only hand-worked cases can have
    "other operand missing",  # of operators, which are no layers: test_operators
    "causal mask left out",  # both: compare/test_power_wide
    "query and key swapped",
    "mask left out",  # test_masks
    "stored instead of quantized weights",
    "weights of one bit less",
    "one integer bit less",
    "one integer bit more",
    "ties of weights rounded away from zero",
    "ties rounded away from zero",
    "first two gates swapped",
    "recurrent kernel transposed",
    "state forgotten",
    "sequence turned round",
    "directions exchanged",
}


def build(keras_name: str, config: dict[str, Any], inputs: tuple[np.ndarray, ...]) -> Any:
    layers = keras.layers if hasattr(keras.layers, keras_name) else import_module("tf_keras").layers
    layer = getattr(layers, keras_name).from_config(config)
    layer.build([x.shape for x in inputs] if len(inputs) > 1 else inputs[0].shape)
    return layer


def attributes(layer: Any, name: str) -> Any:
    written = json.loads(json.dumps(layer.get_config(), default=_plain))
    found = resolve(Layer(name, name, written, calls=(), raw={}), name, "keras3")
    assert found.row is not None, found.reason
    return found.attrs


def case_of(tried: Tried) -> Case:
    rng = np.random.default_rng(11)
    if tried.integers:
        inputs = tuple(rng.integers(0, tried.integers, shape).astype(np.int32) for shape in tried.shapes)
    else:
        inputs = tuple(rng.normal(size=shape).astype(np.float32) for shape in tried.shapes)
    layer = build(tried.keras, tried.config, inputs)
    attrs = attributes(layer, tried.keras)
    weights = _name_weights(TABLE[tried.keras], attrs, _draw_weights(layer, 3))
    return Case(Node(1, "layer", tried.keras, attrs, (), Origin(tried.keras, "keras3")), weights, inputs, weights)


def _config(value: Any) -> Any:
    """An attribute as Keras's own configuration writes it."""
    if isinstance(value, Activation):
        return _activation(value)
    return list(value) if isinstance(value, tuple) else value


def _activation(value: Activation) -> Any:
    given = dict(value.parameters)
    if not given:
        return value.name
    function = getattr(keras.activations, value.name)
    return lambda x: function(x, **given)


def computed(case: Case) -> tuple[np.ndarray, ...]:
    """What the framework gives for the case, faulty or not."""
    known = {f.name for f in fields(case.attrs)} - {"masks"}  # which no configuration holds
    said = [name for name in known if (case.node.type, name) not in IMPLIED]
    config = {name: _config(getattr(case.attrs, name)) for name in said}
    if case.node.type == "Softmax":
        config["axis"] = config["axis"][0]
    if case.node.type in ("ZeroPadding1D", "Cropping1D"):
        config |= {name: config[name][0] for name in config if name != "data_format"}
        del config["data_format"]
    if case.node.type == "Rescaling":
        config |= {"scale": case.attrs.scale, "offset": case.attrs.offset}
    layer = build(case.node.type, config, case.inputs)
    names = TABLE[case.node.type].weights(case.attrs)
    for variable, name in zip(layer.weights, names, strict=True):
        variable.assign(case.weights[name])
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()
    return _call(layer, case.inputs)


def verdict(case: Case, got: tuple[np.ndarray, ...]) -> Verdict:
    return judge(case.node, NodeWeights(case.weights, {}), {}, case.inputs, got, CONTEXT).verdict


@pytest.mark.parametrize("name", LAYERS)
def test_what_would_have_been_caught_is(name: str) -> None:
    case = case_of(LAYERS[name])
    found = power.measure(case, CONTEXT)
    assert found is not None
    assert verdict(case, computed(case)) not in FAILING
    for row in applicable(case):
        if row.name in found.caught:
            assert verdict(case, computed(row.alter(case))) in FAILING, row.name


def test_every_row_is_planted() -> None:
    planted = {row.name for tried in LAYERS.values() for row in applicable(case_of(tried))}
    assert planted | ELSEWHERE == {row.name for row in ROWS}
    assert not planted & ELSEWHERE


def test_nearly_all_would_be_caught_on_random_inputs() -> None:
    found = [power.measure(case_of(tried), CONTEXT) for tried in LAYERS.values()]
    caught, tried = (sum(count) for count in zip(*((len(p.caught), p.applicable) for p in found if p), strict=True))
    assert caught >= 0.9 * tried


def model(**constant: float) -> Any:
    """A model whose weights are drawn, or set to a constant by layer."""
    layers = keras.layers
    built = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(8, 3, strides=2, padding="same", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.DepthwiseConv2D(3, padding="same", name="depthwise"),
            layers.AveragePooling2D(2, padding="same", name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, activation="softmax", name="dense"),
        ]
    )
    rng = np.random.default_rng(5)
    for layer in built.layers:
        for weight in layer.weights:
            spread = (0.5, 2.0) if weight.name in ("gamma", "moving_variance") else (-0.5, 0.5)
            drawn = rng.uniform(*spread, weight.shape)
            weight.assign(np.full(weight.shape, constant[layer.name]) if layer.name in constant else drawn)
    return built


def checked(path: Any, built: Any, x: np.ndarray, plant: Any = None, **options: Any) -> Any:
    built.save(path / "model.keras")
    graph = formats.load(path / "model.keras")
    if plant:
        plant(built)
    return verify(graph, capture_live(built, [x], keras=3), [x], Options(**options))


def drawn() -> np.ndarray:
    return np.random.default_rng(9).normal(size=(2, 12, 12, 3)).astype(np.float32)


def test_a_whole_check_says_what_it_would_have_caught(tmp_path: Any) -> None:
    result = checked(tmp_path, model(), drawn(), power=True)
    assert result.exit_code == 0
    found = [layer.power for layer in result.layers if layer.power]
    assert len(found) == 7 and sum(p.applicable for p in found) > 30
    assert sum(len(p.caught) for p in found) >= 0.9 * sum(p.applicable for p in found)
    assert all(layer.power is None for layer in checked(tmp_path, model(), drawn()).layers)


@pytest.mark.parametrize("ratio", [1.0, 4.0])
def test_the_smallest_error_that_shows_is_found_in_a_live_model(tmp_path: Any, ratio: float) -> None:
    """All weights of the convolution off by so much: by four times the smallest, surely; nothing is claimed below."""
    before = {layer.name: layer.power for layer in checked(tmp_path, model(), drawn(), power=True).layers}
    least = before["conv"].smallest_scale_error
    assert 1e-7 < least < 1e-3

    def plant(built: Any) -> None:
        kernel = built.get_layer("conv").kernel
        kernel.assign(np.asarray(kernel) * np.float32(1 + ratio * least))

    verdicts = {layer.name: layer.verdict for layer in checked(tmp_path, model(), drawn(), plant).layers}
    assert verdicts["conv"] in FAILING


VACUOUS = {
    "all weights zero": (model(conv=0.0), drawn(), {"conv"}),
    "all inputs zero": (model(), np.zeros((2, 12, 12, 3), np.float32), {"conv"}),
    "relu lets all through": (model(conv=0.1, norm=1.0), np.full((2, 12, 12, 3), 9.0, np.float32), {"relu"}),
}


@pytest.mark.parametrize("name", VACUOUS)
def test_vacuous_layers_are_named(name: str, tmp_path: Any) -> None:
    built, x, wanted = VACUOUS[name]
    result = checked(tmp_path, built, x, power=True)
    found = {layer.name: layer.reason for layer in result.layers if layer.verdict is Verdict.VACUOUS}
    assert wanted <= set(found)
    assert all(found.values())
    assert result.exit_code == 0
