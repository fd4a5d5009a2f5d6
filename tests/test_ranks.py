"""Layers over one axis and over three, of both Kerases, from file to verdict: every one verified, its probe exact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras as keras3
import numpy as np
import pytest
import tf_keras as keras2
from support.framework import record

from refconv import formats
from refconv.frameworks.worker.probes import LINEAR
from refconv.pipeline import Options, verify
from refconv.result import CheckResult, Verdict

KERASES = pytest.mark.parametrize("keras", [keras2, keras3], ids=["keras2", "keras3"])
LINE, VOLUME = (23, 6), (7, 8, 9, 4)


def over_a_line(layers: Any, x: Any, keras: Any) -> list[Any]:
    first = layers.Permute((2, 1), name="turned")(x)
    made = [
        layers.Conv1D(8, 4, padding="causal", dilation_rate=2, activation="relu", name="causal")(x),
        layers.Conv1D(8, 4, padding="same", strides=2, groups=2, name="grouped")(x),
        layers.Conv1D(8, 3, dilation_rate=3, use_bias=False, name="dilated")(x),
        layers.Conv1D(5, 3, padding="same", data_format="channels_first", name="first")(first),
        layers.Conv1DTranspose(5, 4, strides=3, padding="same", activation="tanh", name="transposed")(x),
        layers.Conv1DTranspose(5, 3, strides=2, output_padding=1, name="padded_transposed")(x),
        layers.DepthwiseConv1D(3, strides=2, depth_multiplier=2, padding="same", name="depthwise")(x),
        layers.SeparableConv1D(7, 3, padding="same", name="separable")(x),
        layers.MaxPooling1D(4, strides=3, padding="same", name="maximum")(x),
        layers.AveragePooling1D(4, padding="same", name="average")(x),
        layers.ZeroPadding1D((2, 1), name="more")(x),
        layers.Cropping1D((2, 1), name="less")(x),
        layers.UpSampling1D(3, name="longer")(x),
    ]
    if keras is keras3:
        made += [
            layers.AdaptiveAveragePooling1D(5, name="parts")(x),
            layers.AdaptiveMaxPooling1D(5, data_format="channels_first", name="parts_first")(first),
        ]
    else:
        made += [
            layers.LocallyConnected1D(4, 3, strides=2, name="loop")(x),
            layers.LocallyConnected1D(4, 4, padding="same", implementation=2, activation="relu", name="local_matrix")(
                x
            ),
            layers.LocallyConnected1D(4, 4, strides=2, padding="same", implementation=3, name="row")(x),
        ]
        made.append(layers.SeparableConv1D(7, 3, padding="causal", dilation_rate=2, name="causal_separable")(x))
    means = [layers.GlobalAveragePooling1D(name=f"mean_{n}")(y) for n, y in enumerate(made)]
    return [*means, layers.GlobalMaxPooling1D(name="largest")(x)]


def over_a_volume(layers: Any, x: Any, keras: Any) -> list[Any]:
    made = [
        layers.Conv3D(6, (3, 2, 4), padding="same", strides=2, activation="relu", name="conv3")(x),
        layers.Conv3D(6, 2, use_bias=False, name="conv3_valid")(x),
        layers.Conv3DTranspose(5, (2, 3, 3), strides=(1, 2, 2), padding="same", name="transposed3")(x),
        layers.MaxPooling3D((2, 3, 3), strides=2, padding="same", name="maximum3")(x),
        layers.AveragePooling3D(2, padding="same", name="average3")(x),
        layers.ZeroPadding3D(((1, 0), (0, 2), (1, 1)), name="more3")(x),
        layers.Cropping3D(((1, 0), (0, 2), (1, 1)), name="less3")(x),
        layers.UpSampling3D((1, 2, 3), name="larger3")(x),
    ]
    if keras is keras3:  # Keras 2 runs no groups of volumes without XLA
        plane = layers.AdaptiveMaxPooling2D((3, 4), name="parts2")(layers.Reshape((8, 9, 28), name="plane")(x))
        made.append(layers.Reshape((3, 4, 1, 28), name="space")(plane))
        made.append(layers.AdaptiveAveragePooling3D((2, 3, 4), name="parts3")(x))
        made.append(layers.Conv3D(6, 2, groups=2, padding="same", name="grouped3")(x))
    else:
        plane = layers.Permute((3, 1, 2), name="plane_first")(layers.Reshape((8, 9, 28), name="plane")(x))
        kinds = {"padding": "same", "data_format": "channels_first", "implementation": 3}
        plane = layers.LocallyConnected2D(3, (2, 3), data_format="channels_first", name="local2")(plane)
        plane = layers.LocallyConnected2D(2, (4, 2), strides=(2, 1), name="local2_row", **kinds)(plane)
        made.append(layers.Reshape((2, 4, 7, 1), name="space")(plane))
    means = [layers.GlobalAveragePooling3D(name=f"mean3_{n}")(y) for n, y in enumerate(made)]
    return [*means, layers.Flatten(name="flat")(layers.GlobalMaxPooling3D(keepdims=True, name="largest3")(x))]


def model(keras: Any) -> Any:
    line, volume = keras.Input(LINE, name="line"), keras.Input(VOLUME, name="volume")
    parts = over_a_line(keras.layers, line, keras) + over_a_volume(keras.layers, volume, keras)
    built = keras.Model([line, volume], keras.layers.Concatenate(name="join")(parts))
    rng = np.random.default_rng(3)
    built.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in built.get_weights()])
    return built


def checked(keras: Any, built: Any, path: Path) -> CheckResult:
    file = path / ("model.keras" if keras is keras3 else "model.h5")
    built.save(file)
    rng = np.random.default_rng(4)
    inputs = [rng.normal(size=(2, *shape)).astype(np.float32) for shape in (LINE, VOLUME)]
    trace = record(keras, built, *inputs, probes=True)
    return verify(formats.load(file), trace, inputs, Options(thorough=True, power=True))


@KERASES
def test_every_layer_is_verified(keras: Any, tmp_path: Path) -> None:
    result = checked(keras, model(keras), tmp_path)
    wrong = [(layer.name, layer.verdict, layer.reason) for layer in result.layers if layer.verdict not in (
        Verdict.EXACT, Verdict.WITHIN)]  # fmt: skip
    assert not wrong
    assert result.verdict == "pass"
    linear = [layer for layer in result.layers if layer.type in LINEAR]
    assert {layer.type[-2:] for layer in linear if "Pooling" in layer.type} >= {"1D", "3D"}
    for layer in linear:
        # means of means divide by three and go on
        right = (Verdict.EXACT, *([Verdict.WITHIN] if layer.type == "AdaptiveAveragePooling3D" else []))
        assert layer.probe is not None and layer.probe.verdict in right, (layer.name, layer.probe_reason)
    power = [(layer.name, layer.power) for layer in result.layers if layer.power]
    caught = {name for _, p in power for name in p.caught}
    assert {"SAME instead of causal", "tiled instead of repeated", "sides swapped", "dilation ignored"} <= caught
    assert sum(len(p.caught) for _, p in power) > 100
    # the edges' few windows may all hold something positive
    assert {missed.name for _, p in power for missed in p.missed} <= {"padding's zeros may win"}


def behind(layer: Any, x: Any) -> Any:
    """Causal padding on the other side."""
    return keras3.ops.conv(keras3.ops.pad(x, ((0, 0), (0, 2), (0, 0))), layer.kernel, padding="valid") + layer.bias


def whole_divisor(layer: Any, x: Any) -> Any:
    """SAME's zeros counted as divisors."""
    return keras3.ops.average_pool(keras3.ops.pad(x, ((0, 0), *((0, 1),) * 3, (0, 0))), 2, padding="valid")


LAYERS = keras3.layers
# Fault → (layer, shape of its input, what it does instead).
FAULTS: dict[str, tuple[Callable[[], Any], tuple[int, ...], Callable[[Any, Any], Any]]] = {
    "causal padding behind": (lambda: LAYERS.Conv1D(4, 3, padding="causal", name="it"), (9, 2), behind),
    "depth and height swapped": (
        lambda: LAYERS.Conv3D(4, 2, use_bias=False, name="it"),
        (5, 6, 7, 2),
        lambda layer, x: keras3.ops.conv(x, keras3.ops.swapaxes(layer.kernel, 0, 1)),
    ),
    "average counts padding": (
        lambda: LAYERS.AveragePooling3D(2, padding="same", name="it"),
        (5, 3, 5, 2),
        whole_divisor,
    ),
    "tiled": (
        lambda: LAYERS.UpSampling1D(2, name="it"),
        (5, 2),
        lambda layer, x: keras3.ops.concatenate([x, x], axis=1),
    ),
    "sides swapped": (
        lambda: LAYERS.ZeroPadding1D((2, 1), name="it"),
        (5, 2),
        lambda layer, x: keras3.ops.pad(x, ((0, 0), (1, 2), (0, 0))),
    ),
    "one element left out of a mean": (
        lambda: LAYERS.GlobalAveragePooling3D(name="it"),
        (3, 3, 3, 2),
        lambda layer, x: keras3.ops.sum(x, (1, 2, 3)) / 26,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_a_mismatch(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, shape, instead = FAULTS[fault]
    built = keras3.Sequential([keras3.Input(shape), make()])
    built.save(tmp_path / "model.keras")
    x = np.random.default_rng(7).normal(size=(2, *shape)).astype(np.float32)

    def verdict() -> Verdict:
        (layer,) = verify(formats.load(tmp_path / "model.keras"), record(keras3, built, x), [x], Options()).layers
        return layer.verdict

    assert verdict() in (Verdict.EXACT, Verdict.WITHIN)
    monkeypatch.setattr(type(built.layers[-1]), "call", lambda self, inputs: instead(self, inputs))
    assert verdict() is Verdict.MISMATCH
