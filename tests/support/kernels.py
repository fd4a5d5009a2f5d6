"""TensorFlow's own kernels on the CPU, eagerly, beside refconv's rows: every op that sums, on data of every kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from support.data import Kind
from support.laws import CONTEXT

from refconv.compare import stage2
from refconv.compare.stage1 import deviate
from refconv.compare.tensor import compare
from refconv.numerics.enclosure import Enclosure, point
from refconv.ops.attributes import build
from refconv.ops.table import TABLE
from refconv.result import Comparison

Arrays = Mapping[str, np.ndarray]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Kernel:
    """One op, as a layer's row and as what TensorFlow computes.

    Attributes:
        row: the row's name.
        config: its attributes.
        shapes: (channels) → shapes of the input, batch first, and of the weights by name, outputs last.
        run: (x, weights) → the framework's output.
    """

    row: str
    config: Callable[[int], Mapping[str, Any]]
    shapes: Callable[[int], tuple[Shape, Mapping[str, Shape]]]
    run: Callable[[Any, Arrays], Any]


@dataclass(frozen=True)
class Measured:
    """One run: how `compare` judges it, the largest |error|/σ, and the largest share of a radius of stage 2."""

    comparison: Comparison
    sigmas: float
    second: float


def measure(kernel: Kernel, kind: Kind, channels: int, seed: int) -> Measured:
    """Input and weights of one kind of data, in the order in which the loops of the op run."""
    rng = np.random.default_rng(seed)
    shape, weight_shapes = kernel.shapes(channels)
    x = kind(rng, int(np.prod(shape[1:])), shape[0])[0].T.reshape(shape)
    weights = {name: _weight(name, kind, rng, wanted) for name, wanted in weight_shapes.items()}
    return judge(kernel, channels, x, weights)


def _weight(name: str, kind: Kind, rng: np.random.Generator, shape: Shape) -> np.ndarray:
    if len(shape) == 1:  # bias, statistics
        drawn = rng.normal(size=shape)
        return (np.abs(drawn) + 0.1 if name == "moving_variance" else drawn).astype(np.float32)
    return kind(rng, int(np.prod(shape[:-1])), shape[-1])[1].reshape(shape)


def judge(kernel: Kernel, channels: int, x: np.ndarray, weights: Arrays) -> Measured:
    row = TABLE[kernel.row]
    attrs = build(row.attributes, kernel.config(channels), kernel.row)
    got = np.asarray(kernel.run(tf.constant(x), weights))
    with np.errstate(all="ignore"):
        enclosure = row.forward(attrs, weights, (point(x),), CONTEXT)
    assert isinstance(enclosure, Enclosure)
    shares = [0.0]

    def explain(index: tuple[int, ...]) -> Enclosure:
        assert row.terms is not None
        found = stage2.enclose(row.terms(attrs, weights, (x,), index, CONTEXT), CONTEXT.arithmetic)
        shares.append(float(deviate(found, np.asarray(got[index])).used))
        return found

    comparison = compare(enclosure, got, explain if row.terms else None)
    return Measured(comparison, _sigmas(enclosure, got), max(shares))


def _sigmas(enclosure: Enclosure, got: np.ndarray) -> float:
    """Largest |error|/σ where σ tells something: not 0, and above what flushing may do."""
    sigma, floor = (np.broadcast_to(v, got.shape) for v in (enclosure.sigma, enclosure.floor))
    with np.errstate(all="ignore"):
        telling = (sigma > 0) & (floor < sigma / 100) & np.isfinite(got) & np.isfinite(sigma)
        return float(np.max(np.abs(got - enclosure.mid)[telling] / sigma[telling], initial=0.0))


def plus(y: Any, weights: Arrays) -> Any:
    return tf.nn.bias_add(y, weights["bias"])


def _normalize(x: Any, w: Arrays) -> Any:
    fused = tf.compat.v1.nn.fused_batch_norm
    return fused(x, w["gamma"], w["beta"], w["moving_mean"], w["moving_variance"], 1e-3, is_training=False)[0]


def _unfused(x: Any, w: Arrays) -> Any:
    return tf.nn.batch_normalization(x, w["moving_mean"], w["moving_variance"], w["beta"], w["gamma"], 1e-3)


def _separable(x: Any, w: Arrays) -> Any:
    kernels = w["depthwise_kernel"], w["pointwise_kernel"]
    return plus(tf.nn.separable_conv2d(x, *kernels, strides=(1, 1, 1, 1), padding="VALID"), w)


def _locally(x: Any, w: Arrays) -> Any:
    layer = tf_keras.layers.LocallyConnected1D(8, 9)
    layer.build(x.shape)
    layer.set_weights([w["kernel"], w["bias"]])
    return layer(x)


def statistics(c: int) -> dict[str, Shape]:
    return dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (c,))


def filters(size: int, count: int) -> Mapping[str, Any]:
    return {"filters": count, "kernel_size": (size, size), "strides": (1, 1), "dilation_rate": (1, 1)}


KERNELS: dict[str, Kernel] = {
    "dense, one row": Kernel(
        "Dense",
        lambda c: {"units": 1},
        lambda c: ((1, 16 * c), {"kernel": (16 * c, 1), "bias": (1,)}),
        lambda x, w: plus(tf.matmul(x, w["kernel"]), w),
    ),
    "dense": Kernel(
        "Dense",
        lambda c: {"units": 24},
        lambda c: ((8, 16 * c), {"kernel": (16 * c, 24), "bias": (24,)}),
        lambda x, w: plus(tf.matmul(x, w["kernel"]), w),
    ),
    "convolution": Kernel(
        "Conv2D",
        lambda c: filters(3, 8),
        lambda c: ((2, 3, 3, c), {"kernel": (3, 3, c, 8), "bias": (8,)}),
        lambda x, w: plus(tf.nn.conv2d(x, w["kernel"], 1, "VALID"), w),
    ),
    "pointwise convolution": Kernel(
        "Conv2D",
        lambda c: filters(1, 8),
        lambda c: ((2, 4, 4, c), {"kernel": (1, 1, c, 8), "bias": (8,)}),
        lambda x, w: plus(tf.nn.conv2d(x, w["kernel"], 1, "VALID"), w),
    ),
    "convolution of an image": Kernel(
        "Conv2D",
        lambda c: {**filters(3, 8), "padding": "same"},
        lambda c: ((1, 12, 12, c), {"kernel": (3, 3, c, 8), "bias": (8,)}),
        lambda x, w: plus(tf.nn.conv2d(x, w["kernel"], 1, "SAME"), w),
    ),
    "depthwise convolution": Kernel(
        "DepthwiseConv2D",
        lambda c: {"kernel_size": (7, 7), "strides": (1, 1), "dilation_rate": (1, 1)},
        lambda c: ((1, 9, 9, c), {"kernel": (7, 7, c, 1), "bias": (c,)}),
        lambda x, w: plus(tf.nn.depthwise_conv2d(x, w["kernel"], (1, 1, 1, 1), "VALID"), w),
    ),
    "transposed convolution": Kernel(
        "Conv2DTranspose",
        lambda c: {**filters(3, 8), "strides": (2, 2)},
        lambda c: ((1, 4, 4, c), {"kernel": (3, 3, 8, c), "bias": (8,)}),
        lambda x, w: plus(tf.nn.conv2d_transpose(x, w["kernel"], (1, 9, 9, 8), (2, 2), "VALID"), w),
    ),
    "separable convolution": Kernel(
        "SeparableConv2D",
        lambda c: filters(3, 8),
        lambda c: (
            (1, 5, 5, c),
            {"depthwise_kernel": (3, 3, c, 1), "pointwise_kernel": (1, 1, c, 8), "bias": (8,)},
        ),
        _separable,
    ),
    "average pooling": Kernel(
        "AveragePooling2D",
        lambda c: {"pool_size": (7, 7), "strides": (3, 3)},
        lambda c: ((1, 16, 16, c), {}),
        lambda x, w: tf.nn.avg_pool2d(x, 7, 3, "VALID"),
    ),
    "average pooling, SAME": Kernel(
        "AveragePooling2D",
        lambda c: {"pool_size": (3, 3), "strides": (2, 2), "padding": "same"},
        lambda c: ((1, 16, 16, c), {}),
        lambda x, w: tf.nn.avg_pool2d(x, 3, 2, "SAME"),
    ),
    "global average pooling": Kernel(
        "GlobalAveragePooling2D",
        lambda c: {},
        lambda c: ((2, 24, 24, c), {}),
        lambda x, w: tf.reduce_mean(x, (1, 2)),
    ),
    "global average pooling of one channel": Kernel(
        "GlobalAveragePooling2D",
        lambda c: {},
        lambda c: ((2, 4 * c, 64, 1), {}),
        lambda x, w: tf.reduce_mean(x, (1, 2)),
    ),
    "batch normalization": Kernel(
        "BatchNormalization", lambda c: {}, lambda c: ((2, 6, 6, c), statistics(c)), _normalize
    ),
    "batch normalization, unfused": Kernel(
        "BatchNormalization", lambda c: {}, lambda c: ((2, 6, 6, c), statistics(c)), _unfused
    ),
    "softmax": Kernel("Softmax", lambda c: {}, lambda c: ((2, 16 * c), {}), lambda x, w: tf.nn.softmax(x)),
    "log softmax": Kernel(
        "Activation",
        lambda c: {"activation": "log_softmax"},
        lambda c: ((2, 16 * c), {}),
        lambda x, w: tf.nn.log_softmax(x),
    ),
    "convolution of a line": Kernel(
        "Conv1D",
        lambda c: {"filters": 8, "kernel_size": (9,), "strides": (1,), "dilation_rate": (1,), "padding": "causal"},
        lambda c: ((2, 12, c), {"kernel": (9, c, 8), "bias": (8,)}),
        lambda x, w: plus(tf.nn.conv1d(tf.pad(x, [[0, 0], [8, 0], [0, 0]]), w["kernel"], 1, "VALID"), w),
    ),
    "convolution of a volume": Kernel(
        "Conv3D",
        lambda c: {"filters": 8, "kernel_size": (3, 3, 3)},
        lambda c: ((1, 4, 4, 4, c), {"kernel": (3, 3, 3, c, 8), "bias": (8,)}),
        lambda x, w: plus(tf.nn.conv3d(x, w["kernel"], (1,) * 5, "VALID"), w),
    ),
    "transposed convolution of a volume": Kernel(
        "Conv3DTranspose",
        lambda c: {"filters": 8, "kernel_size": (2, 2, 2)},
        lambda c: ((1, 3, 3, 3, c), {"kernel": (2, 2, 2, 8, c), "bias": (8,)}),
        lambda x, w: plus(tf.nn.conv3d_transpose(x, w["kernel"], (1, 4, 4, 4, 8), (1,) * 5, "VALID"), w),
    ),
    "locally connected": Kernel(
        "LocallyConnected1D",
        lambda c: {"filters": 8, "kernel_size": (9,)},
        lambda c: ((2, 12, c), {"kernel": (4, 9 * c, 8), "bias": (4, 8)}),
        _locally,
    ),
    "average pooling of a volume": Kernel(
        "AveragePooling3D",
        lambda c: {"pool_size": (5, 5, 5), "strides": (1, 2, 3)},
        lambda c: ((1, 7, 9, 8, c), {}),
        lambda x, w: tf.nn.avg_pool3d(x, 5, (1, 2, 3), "VALID"),
    ),
    "global average pooling of a volume": Kernel(
        "GlobalAveragePooling3D",
        lambda c: {},
        lambda c: ((2, 8, 12, 8, c), {}),
        lambda x, w: tf.reduce_mean(x, (1, 2, 3)),
    ),
    "adaptive average pooling": Kernel(
        "AdaptiveAveragePooling2D",
        lambda c: {"output_size": (3, 5)},
        lambda c: ((1, 16, 23, c), {}),
        lambda x, w: keras.ops.adaptive_average_pool(x, (3, 5), data_format="channels_last"),
    ),
    "adaptive average pooling of all": Kernel(
        "AdaptiveAveragePooling3D",
        lambda c: {"output_size": (1, 1, 1)},
        lambda c: ((2, 6, 24, 64, 1), {}),
        lambda x, w: keras.ops.adaptive_average_pool(x, 1, data_format="channels_last"),
    ),
    "resizing": Kernel(
        "Resizing",
        lambda c: {"height": 13, "width": 17},
        lambda c: ((1, 9, 9, c), {}),
        lambda x, w: tf.image.resize(x, (13, 17)),
    ),
    "resizing to less": Kernel(
        "Resizing",
        lambda c: {"height": 5, "width": 7},
        lambda c: ((1, 9, 9, c), {}),
        lambda x, w: tf.image.resize(x, (5, 7)),
    ),
    "resizing by a cubic": Kernel(
        "Resizing",
        lambda c: {"height": 13, "width": 17, "interpolation": "bicubic"},
        lambda c: ((1, 9, 9, c), {}),
        lambda x, w: tf.image.resize(x, (13, 17), method="bicubic"),
    ),
    "resizing to less, antialiased": Kernel(
        "Resizing",
        lambda c: {"height": 5, "width": 7, "interpolation": "lanczos5", "antialias": True},
        lambda c: ((1, 16, 23, c), {}),
        lambda x, w: tf.image.resize(x, (5, 7), method="lanczos5", antialias=True),
    ),
}
