"""Layers of many kinds with a fault planted in them, each reduced to a few numbers that a person can check."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from support.live import PACKAGES
from support.reducing import Plant, shrunk

from refconv.formats import load
from refconv.graph import Graph
from refconv.result import Verdict


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(list(shape)).normal(size=shape).astype(np.float32)


def saved(keras: int, layer: Any, shape: tuple[int, ...], folder: Path) -> Graph:
    """A model of one layer, as a file."""
    package = import_module(PACKAGES[keras])
    x = package.layers.Input(shape, name="x_in")
    model = package.Model(x, layer(package)(x))
    model.set_weights([drawn(*w.shape) + 0.5 for w in model.get_weights()])
    path = folder / f"model{'.h5' if keras == 2 else '.keras'}"
    model.save(path)
    return load(path)


def patched(change: Any) -> Plant:
    """The fault of the layer that is there: what it gives goes through `change`."""

    def plant(model: Any) -> None:
        layer = model.layers[-1]
        original = layer.call
        vars(layer)["call"] = lambda *args, **kwargs: change(layer, original, *args, **kwargs)

    return plant


def weights(number: int, change: Any) -> Plant:
    def plant(model: Any) -> None:
        held = model.layers[-1].get_weights()
        held[number:] = [change(held[number]), *held[number + 1 :]] if number < len(held) else []
        model.layers[-1].set_weights(held)

    return plant


def doubled(x: np.ndarray) -> np.ndarray:
    return 2 * x


def divided_by_all(model: Any) -> None:
    """Average pooling that counts the padding (RC210)."""
    layer = model.layers[-1]
    size = layer.pool_size

    def call(x: Any, **_: Any) -> Any:
        pads = [((n - 1) // 2, n // 2) for n in size]
        return tf.nn.avg_pool2d(tf.pad(x, [(0, 0), *pads, (0, 0)]), size, layer.strides, "VALID")

    vars(layer)["call"] = call


def other_gates(model: Any) -> None:
    layer = model.layers[-1]
    layer._could_use_gpu_kernel, layer.cell.recurrent_activation = False, tf.keras.activations.hard_sigmoid


def other_quantizer(model: Any) -> None:
    import qkeras

    layer = model.layers[-1]
    if layer.kernel_quantizer_internal is not None:
        layer.kernel_quantizer_internal = qkeras.quantized_bits(3, 0, 1, alpha=1.0)


def in_bfloat16(model: Any) -> None:
    layer = model.layers[-1]

    def low(x: Any) -> Any:
        return tf.cast(tf.cast(x, tf.bfloat16), tf.float32)

    def call(x: Any, **_: Any) -> Any:
        y = tf.matmul(low(x), low(layer.kernel))
        return y + layer.bias if layer.use_bias else y

    vars(layer)["call"] = call


def quantized(package: Any) -> Any:
    import qkeras

    bits = qkeras.quantized_bits(4, 0, 1, alpha=1.0)
    return qkeras.QDense(5, kernel_quantizer=bits, bias_quantizer=bits, name="l")


CASES = {
    "grouped": (3, lambda k: k.layers.Conv2D(6, 3, groups=2, padding="same", name="l"), (5, 5, 4),
                weights(0, lambda w: w[::-1, ::-1]), "RC203", 8),
    "channels first": (2, lambda k: k.layers.Conv2D(4, 3, strides=2, data_format="channels_first", name="l"), (3, 7, 7),
                       weights(0, lambda w: w[::-1, ::-1]), "RC203", 8),
    "depthwise": (3, lambda k: k.layers.DepthwiseConv2D(3, depth_multiplier=2, name="l"), (7, 7, 4),
                  weights(1, doubled), "RC302", 4),
    "transposed": (2, lambda k: k.layers.Conv2DTranspose(4, 3, strides=2, padding="same", name="l"), (4, 5, 3),
                   weights(1, np.zeros_like), "RC301", 4),
    "separable": (3, lambda k: k.layers.SeparableConv2D(5, 3, name="l"), (8, 8, 3), weights(2, doubled), "RC302", 5),
    "dense": (2, lambda k: k.layers.Dense(7, activation="relu", name="l"), (12,), weights(1, doubled), "RC302", 4),
    "average": (3, lambda k: k.layers.AveragePooling2D(3, strides=1, padding="same", name="l"), (7, 7, 3),
                divided_by_all, "RC210", 4),
    "maximum": (2, lambda k: k.layers.MaxPooling2D(2, name="l"), (6, 6, 3),
                patched(lambda layer, call, x: call(tf.roll(x, 1, axis=1))), "", 8),
    "lstm": (2, lambda k: k.layers.LSTM(5, return_sequences=True, name="l"), (6, 4), other_gates, "", 12),
    "quantized": (2, quantized, (6,), other_quantizer, "", 4),
    "low precision": (3, lambda k: k.layers.Dense(6, name="l"), (8,), in_bfloat16, "RC402", 6),
    "norm": (3, lambda k: k.layers.BatchNormalization(name="l"), (5, 5, 6), weights(1, np.zeros_like), "", 6),
}  # fmt: skip


VERDICTS = {"low precision": Verdict.DEGRADED}


@pytest.mark.parametrize("name", CASES)
def test_a_layer_is_reduced_and_fails_in_the_same_way(name: str, tmp_path: Path) -> None:
    keras, layer, shape, plant, code, most = CASES[name]
    graph = saved(keras, layer, shape, tmp_path)
    start, best, search = shrunk(graph, "l", [drawn(3, *shape)], plant, tmp_path)
    assert best.result.verdict is start.result.verdict is VERDICTS.get(name, Verdict.MISMATCH)
    assert best.fault.codes <= start.fault.codes
    assert not code or best.fault.codes == {code}, best.fault
    assert search.spent.complete and best.case.elements <= most
    assert len(best.case.inputs[0]) == 1
