"""Integer probes end to end: exact for what is right, a mismatch for what real data hides, nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras as keras3
import numpy as np
import pytest
import tf_keras as keras2
from support.framework import record
from support.models import model_path, needs_models

from refconv import check, formats
from refconv.compare import probe as probing
from refconv.frameworks.worker.probes import LINEAR, UNPROBED, bare
from refconv.numerics.enclosure import Enclosure
from refconv.ops.base import Context
from refconv.ops.table import TABLE
from refconv.pipeline import Options, verify
from refconv.primitives import engines
from refconv.result import CheckResult, LayerResult, Verdict
from refconv.trace import Trace

SLOW = {("keras2", "xla"), ("keras3", "graph")}  # each mode and each major stays
MODES = pytest.mark.parametrize("mode", ["graph", "eager", pytest.param("xla", marks=pytest.mark.slow)])
EVERYWHERE = pytest.mark.parametrize(
    ("keras", "mode"),
    [
        pytest.param(keras, mode, id=f"{mode}-{name}", marks=pytest.mark.slow if (name, mode) in SLOW else ())
        for name, keras in {"keras2": keras2, "keras3": keras3}.items()
        for mode in ("graph", "eager", "xla")
    ],
)


def every_kind(keras: Any) -> Any:
    """Odd and even kernels, strides, both paddings, dilation, groups, fused activations, both layouts."""
    layers = keras.layers
    x = keras.Input((11, 12, 4), name="x")
    branches = [
        layers.Conv2D(6, 3, padding="same", activation="relu", name="odd")(x),
        layers.Conv2D(6, (2, 4), strides=2, padding="same", name="even")(x),
        layers.Conv2D(6, 3, dilation_rate=2, padding="valid", use_bias=False, name="dilated")(x),
        layers.Conv2D(6, 3, groups=2, strides=(1, 2), padding="same", activation="softmax", name="grouped")(x),
        layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2, padding="same", name="depthwise")(x),
        layers.SeparableConv2D(5, 3, padding="same", activation="tanh", name="separable")(x),
        layers.Conv2DTranspose(5, 3, strides=2, padding="same", name="transposed")(x),
        layers.MaxPooling2D(3, strides=2, padding="same", name="max")(x),
        layers.AveragePooling2D(3, strides=2, padding="same", name="average")(x),
        layers.AveragePooling2D(2, name="average_even")(x),
    ]
    flat = [layers.GlobalAveragePooling2D(name=f"mean_{n}")(b) for n, b in enumerate(branches)]
    flat += [layers.GlobalMaxPooling2D(name="top")(branches[0])]
    first = layers.Permute((3, 1, 2), name="turned")(x)
    first = layers.Conv2D(3, 3, data_format="channels_first", padding="same", name="first")(first)
    first = layers.MaxPooling2D(2, data_format="channels_first", name="first_max")(first)
    flat += [layers.Flatten(name="flat")(first)]
    model = keras.Model(x, layers.Dense(7, activation="softmax", name="dense")(layers.Concatenate(name="join")(flat)))
    rng = np.random.default_rng(3)
    model.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in model.get_weights()])
    return model


def probed(keras: Any, model: Any, path: Path, *inputs: np.ndarray, mode: str = "graph") -> tuple[CheckResult, Trace]:
    file = path / ("model.keras" if keras is keras3 else "model.h5")
    model.save(file)
    trace = record(keras, model, *inputs, mode=mode, probes=True)
    return verify(formats.load(file), trace, list(inputs), Options(mode=mode, thorough=True)), trace


def by_name(result: CheckResult) -> dict[str, LayerResult]:
    return {layer.name: layer for layer in result.layers}


@EVERYWHERE
def test_every_linear_layer_is_exact_and_the_model_is_as_it_was(keras: Any, mode: str, tmp_path: Path) -> None:
    model = every_kind(keras)
    x = np.random.default_rng(4).normal(size=(2, 11, 12, 4)).astype(np.float32)
    before, given = [w.copy() for w in model.get_weights()], np.asarray(model(x))
    result, _ = probed(keras, model, tmp_path, x, mode=mode)
    linear = [layer for layer in result.layers if layer.type in LINEAR]
    assert len(linear) == 24
    for layer in linear:
        assert layer.probe is not None, layer.probe_reason
        # XLA multiplies a sum by a rounded 1/n instead of dividing it
        rounds = mode == "xla" and "Average" in layer.type
        assert layer.probe.verdict in (Verdict.EXACT, *([Verdict.WITHIN] if rounds else [])), layer.name
    assert all(layer.probe is None for layer in result.layers if layer.type not in LINEAR)
    assert result.verdict == "pass"
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(np.asarray(model(x)), given)


@MODES
def test_quantized_layers_are_probed_without_their_quantizers(mode: str, tmp_path: Path) -> None:
    qkeras = pytest.importorskip("qkeras")
    q = {"kernel_quantizer": "quantized_bits(4,0,1)", "bias_quantizer": "quantized_bits(4)"}
    deep = {"depthwise_quantizer": "quantized_bits(4,0,1)", "bias_quantizer": "quantized_bits(4)"}
    mean = {"average_quantizer": "quantized_bits(6,0,1)", "activation": "quantized_bits(6,2,1)"}
    x = keras2.Input((8, 8, 3), name="x")
    y = qkeras.QConv2D(4, 3, padding="same", activation="quantized_relu(4)", name="conv", **q)(x)
    y = qkeras.QDepthwiseConv2D(3, name="depthwise", **deep)(y)
    y = qkeras.QSeparableConv2D(4, 2, pointwise_quantizer="quantized_bits(4,0,1)", name="separable", **deep)(y)
    y = qkeras.QAveragePooling2D(2, padding="same", name="average", **mean)(y)
    line = qkeras.QConv1D(3, 3, padding="causal", name="line", **q)(keras2.layers.Reshape((9, 4), name="rows")(y))
    y = qkeras.QGlobalAveragePooling2D(name="mean", **mean)(y)
    y = keras2.layers.Concatenate(name="join")([y, keras2.layers.Flatten(name="flat")(line)])
    model = keras2.Model(x, qkeras.QDense(3, activation="quantized_tanh(4)", name="dense", **q)(y))
    result, _ = probed(keras2, model, tmp_path, np.random.default_rng(8).random((2, 8, 8, 3), np.float32), mode=mode)
    names = ("conv", "depthwise", "separable", "average", "line", "mean", "dense")
    for layer in (by_name(result)[name] for name in names):
        assert layer.probe is not None, layer.probe_reason
        assert layer.probe.verdict is Verdict.EXACT or (mode == "xla" and "Average" in layer.type), layer.name


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_narrow_formats_get_shorter_sums_or_a_reason(policy: str, tmp_path: Path) -> None:
    layers = keras3.layers
    stack = [
        layers.Conv2D(8, 3, padding="same", dtype=policy, name="conv"),
        layers.AveragePooling2D(2, dtype=policy, name="quarter"),
        layers.AveragePooling2D(3, dtype=policy, name="ninth"),
    ]
    model = keras3.Sequential([keras3.Input((12, 12, 64)), *stack])
    result, _ = probed(keras3, model, tmp_path, np.ones((2, 12, 12, 64), np.float32))
    found = by_name(result)
    for name in ("conv", "quarter"):
        assert found[name].probe is not None and found[name].probe.verdict is Verdict.EXACT
    assert found["ninth"].probe is None and "means are rounded" in found["ninth"].probe_reason


def swapped_side(layer: Any, x: Any) -> Any:
    """SAME at stride 2 on an even length puts its odd zero before instead of after."""
    padded = keras3.ops.pad(x, ((0, 0), (1, 0), (1, 0), (0, 0)))
    return keras3.ops.conv(padded, layer.kernel, strides=2, padding="valid") + layer.bias


def undilated(layer: Any, x: Any) -> Any:
    return keras3.ops.conv(x[:, 1:-1, 1:-1], layer.kernel, padding="valid") + layer.bias


def regrouped(layer: Any, x: Any) -> Any:
    """The groups' inputs change places."""
    half = x.shape[-1] // 2
    turned = keras3.ops.concatenate([x[..., half:], x[..., :half]], axis=-1)
    return keras3.ops.conv(turned, layer.kernel, padding="valid") + layer.bias


def whole_divisor(layer: Any, x: Any) -> Any:
    """Padding counts as elements."""
    padded = keras3.ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return keras3.ops.average_pool(padded, 3, strides=1, padding="valid")


def zero_padded(layer: Any, x: Any) -> Any:
    """Padding takes part in the maximum, as a zero."""
    padded = keras3.ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return keras3.ops.max_pool(padded, 3, strides=1, padding="valid")


def centre_only(kernel: np.ndarray) -> np.ndarray:
    inner = np.zeros((3, 3, 1, 1))
    inner[1, 1] = 1
    return kernel * inner


LAYERS = keras3.layers
# Fault → (layer, what it does instead, its kernel, its input): weights and inputs under which both give the same.
Kernel, Data = Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]
FAULTS: dict[str, tuple[Callable[[], Any], Any, Kernel, Data]] = {
    "SAME side swapped, constant input, kernel zero outside its centre": (
        lambda: LAYERS.Conv2D(4, 3, strides=2, padding="same", name="it"),
        swapped_side,
        centre_only,
        np.ones_like,
    ),
    "dilation ignored, kernel zero outside its centre": (
        lambda: LAYERS.Conv2D(4, 3, dilation_rate=2, name="it"),
        undilated,
        centre_only,
        lambda x: x,
    ),
    "groups' inputs change places, equal groups": (
        lambda: LAYERS.Conv2D(4, 3, groups=2, name="it"),
        regrouped,
        lambda kernel: kernel,
        lambda x: np.concatenate([x[..., :2], x[..., :2]], axis=-1),
    ),
    "average counts padding, zero border": (
        lambda: LAYERS.AveragePooling2D(3, strides=1, padding="same", name="it"),
        whole_divisor,
        lambda kernel: kernel,
        lambda x: (
            x * np.pad(np.ones((1, x.shape[1] - 4, x.shape[2] - 4, 1), x.dtype), ((0, 0), (2, 2), (2, 2), (0, 0)))
        ),
    ),
    "maximum counts padding, positive input": (
        lambda: LAYERS.MaxPooling2D(3, strides=1, padding="same", name="it"),
        zero_padded,
        lambda kernel: kernel,
        np.abs,
    ),
}


@pytest.mark.parametrize("planted", [False, True], ids=["right", "wrong"])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_the_data_hides_the_probe_shows(
    fault: str, planted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault is in the framework's class, as a library's would be: for the data it makes no difference."""
    make, instead, kernel_of, data_of = FAULTS[fault]
    model = keras3.Sequential([keras3.Input((8, 8, 4)), make()])
    if weights := model.get_weights():
        rng = np.random.default_rng(6)
        model.set_weights([kernel_of(rng.normal(size=weights[0].shape)), rng.normal(size=weights[1].shape)])
    if planted:
        monkeypatch.setattr(type(model.layers[-1]), "call", lambda self, inputs: instead(self, inputs))
    x = data_of(np.random.default_rng(7).normal(size=(2, 8, 8, 4)).astype(np.float32))
    (layer,) = probed(keras3, model, tmp_path, x)[0].layers
    assert layer.probe is not None and layer.outputs[0].verdict.severity < Verdict.SUSPECT.severity
    if not planted:
        assert (layer.probe.verdict, layer.probe_reason) == (Verdict.EXACT, "")
        return
    assert layer.verdict is layer.probe.verdict is Verdict.MISMATCH
    assert "integer probe differs" in layer.probe_reason
    assert layer.probe.worst is not None and layer.probe.worst.expected != layer.probe.worst.got


def one_dense() -> tuple[Any, Trace]:
    model = keras3.Sequential([keras3.Input((5,)), LAYERS.Dense(3, name="dense")])
    return model, record(keras3, model, np.ones((2, 5), np.float32), probes=True)


@pytest.fixture
def dense(tmp_path: Path) -> tuple[Any, Any, Trace]:
    model, trace = one_dense()
    model.save(tmp_path / "m.keras")
    graph = formats.load(tmp_path / "m.keras")
    return next(n for n in graph.nodes if n.layer == "dense"), trace.probes[0], trace


def judged(dense: Any, change: Callable[[np.ndarray], np.ndarray], key: str = "", gpu: bool = False) -> probing.Probed:
    node, probe, trace = dense
    key = key or probe.outputs[0]
    tensors = {**trace.tensors, key: change(trace.tensors[key])}
    return probing.judge_probe(node, probe, tensors, Context(engines.get("numpy")), gpu=gpu)


def test_on_a_gpu_a_result_that_rounds_to_the_integers_passes_and_says_so(dense: Any) -> None:
    def off(by: float) -> Callable[[np.ndarray], np.ndarray]:
        return lambda y: (y + np.float32(by)).astype(np.float32)

    passed = judged(dense, off(0.25), gpu=True)
    assert passed.comparison and passed.comparison.verdict is Verdict.WITHIN and "transforms round" in passed.reason
    for by, gpu in ((0.25, False), (0.5, True), (1.0, True)):
        failed = judged(dense, off(by), gpu=gpu).comparison
        assert failed and failed.verdict is Verdict.MISMATCH


def test_numbers_that_give_no_exact_result_are_no_pass(dense: Any) -> None:
    _, probe, _ = dense
    found = judged(dense, lambda x: x * np.float32(np.pi), key=probe.inputs[0])
    assert (found.comparison, found.reason) == (None, probing.DEFECT)


def test_a_mean_s_radius_must_tell_sums_apart(tmp_path: Path) -> None:
    model = keras3.Sequential([keras3.Input((9, 9, 2)), LAYERS.AveragePooling2D(3, name="mean")])
    model.save(tmp_path / "m.keras")
    node = formats.load(tmp_path / "m.keras").nodes[-1]
    mean = Enclosure(np.full((1, 3, 3, 2), 1 / 9), 0.0, 0.05)
    assert probing.certain(node, mean, "float32", (1, 9, 9, 2))
    assert not probing.certain(node, replace(mean, worst=0.06), "float32", (1, 9, 9, 2))
    assert not probing.certain(node, mean, "bfloat16", (1, 9, 9, 2))


def test_a_layer_that_cannot_be_cloned_has_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(cls: Any, config: Any) -> Any:
        raise TypeError("not from this\nat all")

    monkeypatch.setattr(LAYERS.Dense, "from_config", classmethod(refuse))
    _, trace = one_dense()
    assert [(p.outputs, p.reason) for p in trace.probes] == [((), "it could not be cloned: not from this")]


def test_a_shared_layer_is_probed_once_per_shape() -> None:
    a, b, c = (keras3.Input(shape) for shape in ((4,), (4,), (3, 4)))
    same = LAYERS.Dense(2, name="same")
    model = keras3.Model([a, b, c], [same(a), same(b), same(c)])
    inputs = [np.ones((2, *shape), np.float32) for shape in ((4,), (4,), (3, 4))]
    assert sorted(p.shape for p in record(keras3, model, *inputs, probes=True).probes) == [(2, 3, 4), (2, 4)]


def test_bare_leaves_out_what_follows_the_sum_and_what_only_training_needs() -> None:
    config = {"name": "a", "trainable": True, "units": 3, "activation": "relu", "kernel_quantizer": "q(4)"}
    more = {"kernel_initializer": {"class_name": "X"}, "bias_constraint": {"class_name": "Y"}}
    assert bare({**config, **more}) == {
        "name": "refconv_probe",
        "trainable": False,
        "units": 3,
        "activation": "linear",
        "kernel_quantizer": None,
        "kernel_initializer": "zeros",
        "bias_constraint": None,
    }


def test_every_linear_row_has_a_rule_or_a_reason() -> None:
    linear = [name for name in TABLE if any(word in name for word in ("Conv", "Dense", "Pooling", "Connected"))]
    known = {*LINEAR, *UNPROBED, *("Q" + name for name in LINEAR)}
    assert [name for name in linear if name not in known] == []
    for name in set(TABLE) & set(LINEAR):
        attrs = TABLE[name].attributes.__dataclass_fields__
        if "use_bias" in attrs:
            sizes = {f: (3, 3) for f in ("kernel_size", "strides", "dilation_rate") if f in attrs}
            counts = {f: 2 for f in ("filters", "units") if f in attrs}
            rank_one = name.endswith("1D")
            fields = {f: v[:1] if rank_one else v for f, v in sizes.items()}
            assert tuple(TABLE[name].weights(TABLE[name].attributes(**fields, **counts))) == LINEAR[name][0]


REAL = (
    "float/mlperf_tiny_resnet_keras3.h5",
    "float/gan_generator_transpose.h5",
    "float/fer_mini_xception.hdf5",
    "qkeras/svhn_quantized.h5",
)


@needs_models
@pytest.mark.parametrize("name", REAL)
def test_real_models(name: str) -> None:
    result = check(model_path(name), samples=1, thorough=True)
    linear = [layer for layer in result.layers if layer.probe or layer.probe_reason]
    assert any(layer.probe for layer in linear)
    for layer in linear:
        if layer.type in UNPROBED:
            assert UNPROBED[layer.type] in layer.probe_reason
        else:
            assert layer.probe is not None and layer.probe.verdict is Verdict.EXACT, (layer.name, layer.probe_reason)
