"""Models that compute in lower precision: by dtype policy, or with operands rounded inside patched calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

SHAPE = (12, 12, 3)
PRODUCTS = ("conv", "depthwise", "pointwise", "separable", "up", "dense", "logits")  # layers that multiply weights


def build(keras: Any, policy: str | Callable[[str], str], seed: int, channels: int = 6) -> Any:
    """A small model of every kind of layer, weights drawn; `policy` is one for all, or a function of a layer's name."""
    layers = keras.layers

    def named(name: str) -> dict[str, str]:
        return {"name": name, "dtype": policy if isinstance(policy, str) else policy(name)}

    image = keras.Input(SHAPE, name="image")
    x = layers.Conv2D(channels, 3, padding="same", **named("conv"))(image)
    x = layers.BatchNormalization(**named("norm"))(x)
    x = early = layers.ReLU(**named("relu"))(x)
    x = layers.DepthwiseConv2D(5, padding="same", **named("depthwise"))(x)
    x = layers.Conv2D(channels, 1, use_bias=False, activation="relu", **named("pointwise"))(x)
    x = layers.Add(**named("add"))([early, x])
    x = layers.Activation("gelu", **named("gelu"))(x)
    x = layers.SeparableConv2D(2 * channels, 3, padding="same", activation="sigmoid", **named("separable"))(x)
    pools = [layers.AveragePooling2D(2, **named("average"))(x), layers.MaxPooling2D(2, **named("max"))(x)]
    x = layers.Concatenate(**named("joined"))(pools)
    x = layers.Conv2DTranspose(channels, 3, strides=2, padding="same", activation="tanh", **named("up"))(x)
    x = layers.LeakyReLU(0.2, **named("leaky"))(x)
    large = layers.UpSampling2D(2, interpolation="bilinear", **named("large"))(x)
    mean = layers.GlobalAveragePooling2D(**named("mean"))(large)
    x = layers.Dense(24, activation="elu", **named("dense"))(layers.Flatten(**named("flat"))(x))
    x = layers.Concatenate(**named("both"))([layers.BatchNormalization(**named("norm_1"))(x), mean])
    x = layers.Dense(7, **named("logits"))(layers.Dropout(0.5, **named("drop"))(x))
    outputs = [layers.Softmax(**named("share"))(x), layers.Activation("softmax", name="out", dtype="float32")(x)]
    model = keras.Model(image, outputs)
    model.set_weights(draw(model.weights, seed))
    return model


def draw(weights: Sequence[Any], seed: int) -> list[np.ndarray]:
    """Kernels that keep the size of what passes; biases and statistics of the size of what they meet (TRAPS 32)."""
    rng = np.random.default_rng(seed)
    return [_drawn(rng, w.name, tuple(w.shape)).astype(np.float32) for w in weights]


def _drawn(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if "variance" in name or "gamma" in name:
        return rng.uniform(0.5, 2, shape)
    if len(shape) == 1:
        return rng.normal(size=shape) / 2
    return rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))


def images(seed: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(seed + 100).normal(size=(count, *SHAPE)).astype(np.float32)


def _on_bits(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: tf.bitcast(tf.bitwise.bitwise_and(change(tf.bitcast(x, tf.int32)), -8192), tf.float32)


def _through(dtype: str) -> Callable[[Any], Any]:
    return lambda x: tf.cast(tf.cast(x, dtype), tf.float32)


# On float32's bits, as hardware does it: TF32 keeps the upper 19.
ROUNDINGS = {
    "tf32, nearest even": _on_bits(lambda i: i + 4095 + tf.bitwise.bitwise_and(tf.bitwise.right_shift(i, 13), 1)),
    "tf32, nearest away": _on_bits(lambda i: i + 4096),
    "tf32, truncated": _on_bits(lambda i: i),
    "float16": _through("float16"),
    "bfloat16": _through("bfloat16"),
}


def round_operands(model: Any, rounding: Callable[[Any], Any]) -> None:
    """From now on every product of the live model has rounded operands and float32 sums."""
    for layer in model.layers:
        if layer.name in PRODUCTS:
            vars(layer)["call"] = _patched(layer, rounding)


def _patched(layer: Any, low: Callable[[Any], Any]) -> Callable[..., Any]:
    def call(x: Any, **_: Any) -> Any:
        y = _product(layer, low(x), lambda name: low(tf.convert_to_tensor(getattr(layer, name))), low)
        y = y + layer.bias if layer.use_bias else y
        return y if layer.activation is None else layer.activation(y)

    return call


def _product(layer: Any, x: Any, weight: Callable[[str], Any], low: Callable[[Any], Any]) -> Any:
    kind, one = type(layer).__name__, (1, 1, 1, 1)
    if kind == "Dense":
        return tf.matmul(x, weight("kernel"))
    if kind == "Conv2D":
        return tf.nn.conv2d(x, weight("kernel"), 1, "SAME")
    if kind == "Conv2DTranspose":
        shape = (tf.shape(x)[0], 2 * x.shape[1], 2 * x.shape[2], layer.filters)
        return tf.nn.conv2d_transpose(x, weight("kernel"), shape, 2, "SAME")
    name = "depthwise_kernel" if hasattr(layer, "depthwise_kernel") else "kernel"
    middle = tf.nn.depthwise_conv2d(x, weight(name), one, "SAME")
    return middle if kind == "DepthwiseConv2D" else tf.nn.conv2d(low(middle), weight("pointwise_kernel"), 1, "VALID")
