"""Models whose layers are operators, each applied to the model's own input, by either Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from keras import ops
from tf_keras.src.engine.base_layer import TensorFlowOpLayer

SHAPE = (4, 6, 8)
ROW = np.linspace(0.5, 1.5, 8, dtype=np.float32)

KERAS3: Mapping[str, Callable[[Any], Any]] = {
    "add": lambda x: x + 3.0,
    "add tensors": lambda x: x + x[:, ::-1],
    "add one row": lambda x: x[:, 1:2] + x,
    "constant array": lambda x: x - np.float32(2) * ROW[None, None],
    "constant tensor": lambda x: tf.constant(ROW) * x,
    "subtract from": lambda x: 2.0 - x,
    "multiply": lambda x: x * (1 / 6),
    "square of itself": lambda x: x * x,
    "divide": lambda x: x / 3.0,
    "divide by": lambda x: 1.0 / (ops.absolute(x) + 1.0),
    "maximum": lambda x: ops.maximum(x, 0.25),
    "minimum": lambda x: ops.minimum(x, x[:, ::-1]),
    "clip": lambda x: ops.clip(x, -0.5, 0.75),
    "negative": lambda x: -x,
    "square": lambda x: ops.square(x),
    "roots": lambda x: ops.sqrt(ops.rsqrt(ops.exp(ops.absolute(x)))),
    "log": lambda x: ops.log(ops.absolute(x) + 1.5),
    "reciprocal": lambda x: ops.reciprocal(ops.absolute(x) + 1.5),
    "relu": lambda x: ops.relu(x),
    "relu6": lambda x: ops.relu6(x),
    "leaky": lambda x: ops.leaky_relu(x, negative_slope=0.25),
    "elu": lambda x: ops.elu(x, alpha=0.5),
    "selu": lambda x: ops.selu(x),
    "gelu": lambda x: ops.gelu(x),
    "exact gelu": lambda x: ops.gelu(x, approximate=False),
    "silu": lambda x: ops.silu(x),
    "hard sigmoid": lambda x: ops.hard_sigmoid(x) + ops.hard_silu(x),
    "sigmoid": lambda x: ops.sigmoid(x),
    "log sigmoid": lambda x: ops.log_sigmoid(x),
    "softplus": lambda x: ops.softplus(x),
    "softsign": lambda x: ops.softsign(x),
    "tanh": lambda x: ops.tanh(x),
    "softmax": lambda x: ops.softmax(x, axis=2),
    "log softmax": lambda x: ops.log_softmax(x),
    "slices": lambda x: x[:, 1:, ::2, -3],
    "ellipsis": lambda x: x[..., None, 2:5],
    "new axis": lambda x: x[:, None],
    "reshape": lambda x: ops.reshape(x, (-1, 48, 4)),
    "transpose": lambda x: ops.transpose(x, (0, 3, 1, 2)),
    "swapaxes": lambda x: ops.swapaxes(x, 1, -1),
    "expand and squeeze": lambda x: ops.squeeze(ops.expand_dims(x, 2), 2),
    "flip": lambda x: ops.flip(x, axis=1),
    "tile": lambda x: ops.tile(x, (1, 2, 1, 3)),
    "pad": lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 0), (3, 0))),
    "pad with": lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 0), (3, 0)), constant_values=-1.5),
    "split": lambda x: ops.split(x, 2, axis=-1)[1],
    "split at": lambda x: ops.split(x, [1, 4], axis=-1)[1],
    "concatenate": lambda x: ops.concatenate([x, x[:, :1]], axis=1),
    "stack": lambda x: ops.stack([x, x[:, ::-1]], axis=2),
    "mean": lambda x: ops.mean(x, axis=[1, 2], keepdims=True),
    "sum": lambda x: ops.sum(x, axis=-1),
    "sum of one array": lambda x: ops.sum(x, axis=(1, 2, 3)),
    "max and min": lambda x: ops.max(x, axis=1) - ops.min(x, axis=1),
    "cast": lambda x: ops.cast(ops.cast(x * 4.0, "int32"), "float32"),
    "either": lambda x: ops.logical_or(ops.equal(x, x[:, ::-1]), ops.less(x, 0.5)),
    "both": lambda x: ops.logical_and(ops.less_equal(x, 1.0), ops.greater(x, -1.0)),
    "not all": lambda x: ops.logical_not(ops.all(ops.greater_equal(x, -0.5), axis=-1)),
    "any": lambda x: ops.any(ops.not_equal(x, 0.0), axis=-1, keepdims=True),
}

KERAS2: Mapping[str, Callable[[Any], Any]] = {
    "add": lambda x: x + 3.0,
    "add tensors": lambda x: x + x[:, ::-1],
    "constant array": lambda x: x - ROW[None, None],
    "subtract from": lambda x: 2.0 - x,
    "bias": lambda x: tf.nn.bias_add(x, ROW),
    "multiply": lambda x: tf.multiply(x, 1 / 6),
    "scalar": lambda x: tf.math.scalar_mul(0.3, x),
    "divide": lambda x: x / 3.0,
    "add_n": lambda x: tf.add_n([x, x[:, ::-1], x]),
    "difference": lambda x: tf.math.squared_difference(x, x[:, ::-1]),
    "extremes": lambda x: tf.maximum(tf.minimum(x, 0.5), x[:, ::-1]),
    "clip": lambda x: tf.clip_by_value(x, -0.5, 0.75),
    "functions": lambda x: tf.exp(-tf.sqrt(tf.abs(tf.square(x)) + 1.0)),
    "rsqrt": lambda x: tf.math.rsqrt(tf.abs(x) + 1.0),
    "log": lambda x: tf.math.log(tf.abs(x) + 1.5),
    "relu": lambda x: tf.nn.relu(x),
    "relu6": lambda x: tf.nn.relu6(x),
    "leaky": lambda x: tf.nn.leaky_relu(x, alpha=0.25),
    "elu": lambda x: tf.nn.elu(x),
    "gelu": lambda x: tf.nn.gelu(x),
    "swish": lambda x: tf.nn.silu(x),
    "softmax": lambda x: tf.nn.softmax(x, axis=1),
    "log softmax": lambda x: tf.nn.log_softmax(x),
    "sigmoid": lambda x: tf.sigmoid(x),
    "slices": lambda x: x[:, 1:, ::2, -3],
    "new axis": lambda x: x[:, :, tf.newaxis],
    "reshape": lambda x: tf.reshape(x, (-1, 48, 4)),
    "reshape by a tensor": lambda x: tf.reshape(x, [tf.shape(x)[0], -1]),
    "transpose": lambda x: tf.transpose(x, (0, 3, 1, 2)),
    "expand and squeeze": lambda x: tf.squeeze(tf.expand_dims(x, 2), [2]),
    "reverse": lambda x: tf.reverse(x, [1]),
    "tile": lambda x: tf.tile(x, (1, 2, 1, 3)),
    "pad": lambda x: tf.pad(x, ((0, 0), (1, 2), (0, 0), (3, 0)), constant_values=-1.5),
    "split": lambda x: tf.split(x, 2, axis=-1)[1],
    "concat": lambda x: tf.concat([x, x[:, :1]], axis=1),
    "stack": lambda x: tf.stack([x, x[:, ::-1]], axis=2),
    "mean": lambda x: tf.reduce_mean(x, axis=[1, 2], keepdims=True),
    "sum": lambda x: tf.reduce_sum(x, -1),
    "max and min": lambda x: tf.reduce_max(x, 1) - tf.reduce_min(x, 1),
    "cast": lambda x: tf.cast(tf.cast(x * 4.0, tf.int32), tf.float32),
    "identity": lambda x: tf.identity(tf.stop_gradient(x)),
    "space": lambda x: tf.nn.depth_to_space(x, 2) * 2.0,
    "depth": lambda x: tf.nn.space_to_depth(x, 2),
    "unit": lambda x: tf.math.l2_normalize(x, axis=-1),
    "either": lambda x: tf.math.logical_or(tf.math.equal(x, x[:, ::-1]), tf.math.less(x, 0.5)),
    "both": lambda x: tf.math.logical_and(tf.math.less_equal(x, 1.0), tf.math.greater(x, -1.0)),
    "not all": lambda x: tf.math.logical_not(tf.reduce_all(tf.math.greater_equal(x, -0.5), axis=-1)),
    "any": lambda x: tf.reduce_any(tf.math.not_equal(x, 0.0), axis=-1, keepdims=True),
}

FLOAT = {"T": {"type": "DT_FLOAT"}}
STRIDED = {"begin_mask": {"i": "1"}, "end_mask": {"i": "3"}, "ellipsis_mask": {"i": "0"},
           "new_axis_mask": {"i": "0"}, "shrink_axis_mask": {"i": "4"}}  # fmt: skip
INDEX = {"Index": {"type": "DT_INT32"}}
DIMS = {"Tidx": {"type": "DT_INT32"}}
# Op → its attributes, and its constants by index.
NODES: Mapping[str, tuple[dict[str, Any], dict[int, Any]]] = {
    "AddV2": (FLOAT, {1: np.float32(3.0)}),
    "Sub": (FLOAT, {0: np.float32(2.0)}),
    "Mul": (FLOAT, {1: ROW}),
    "RealDiv": (FLOAT, {1: np.float32(3.0)}),
    "Relu6": (FLOAT, {}),
    "LeakyRelu": ({**FLOAT, "alpha": {"f": 0.25}}, {}),
    "Neg": (FLOAT, {}),
    "StridedSlice": ({**FLOAT, **INDEX, **STRIDED}, {1: np.array([0, 1, 2]), 2: np.array([0, 0, 3]), 3: np.ones(3)}),
    "Reshape": ({**FLOAT, "Tshape": {"type": "DT_INT32"}}, {1: np.array([-1, 48, 4])}),
    "Transpose": ({**FLOAT, "Tperm": {"type": "DT_INT32"}}, {1: np.array([0, 3, 1, 2])}),
    "Mean": ({**FLOAT, **DIMS, "keep_dims": {"b": True}}, {1: np.array([1, 2])}),
    "Max": ({**FLOAT, **DIMS, "keep_dims": {"b": False}}, {1: np.array(1)}),
    "ConcatV2": ({**FLOAT, **DIMS, "N": {"i": "2"}}, {2: np.array(1)}),
    "Pack": ({**FLOAT, "N": {"i": "2"}, "axis": {"i": "2"}}, {}),
    "PadV2": ({**FLOAT, "Tpaddings": {"type": "DT_INT32"}}, {1: np.array([[0, 0], [1, 2], [0, 0], [3, 0]]),
                                                             2: np.float32(-1.5)}),
    "NotEqual": ({**FLOAT, "incompatible_shape_error": {"b": True}}, {1: np.float32(0.5)}),
    "BiasAdd": ({**FLOAT, "data_format": {"s": "TkhXQw=="}}, {1: ROW}),
}  # fmt: skip


def keras3() -> Any:
    x = keras.Input(SHAPE, name="x")
    return keras.Model(x, [apply(x) for apply in KERAS3.values()])


def keras2() -> Any:
    x = tf_keras.Input(SHAPE, name="x")
    return tf_keras.Model(x, [apply(x) for apply in KERAS2.values()])


def node_defs() -> Any:
    """As tf.keras 2.0 to 2.3 wrote them: integers as int32, as a NodeDef's constants were."""
    x = tf_keras.Input(SHAPE, name="x")
    return tf_keras.Model(x, [_wrapped(op, *parts)(_fed(op, x)) for op, parts in NODES.items()])


def _fed(op: str, x: Any) -> Any:
    return [x, x] if op in ("ConcatV2", "Pack") else x


def _wrapped(op: str, attributes: dict[str, Any], constants: dict[int, Any]) -> Any:
    count = len(constants) + (2 if op in ("ConcatV2", "Pack") else 1)
    inputs = [f"input_{i}" for i in range(count)]
    held = {i: v if v.dtype == np.float32 else v.astype(np.int32) for i, v in constants.items()}
    return TensorFlowOpLayer({"name": op, "op": op, "input": inputs, "attr": attributes}, op, held)


def mixed(package: Any, policy: str) -> Any:
    """Operators on tensors of a 16-bit policy, and the layers that normalise."""
    layers = package.layers
    x = package.Input(SHAPE, name="x")
    y = layers.Dense(8, dtype=policy, name="dense")(x)
    outputs = [y + y, y * 0.3, 1.5 - y, y / 3.0, y[:, ::2]]
    if package is keras:
        outputs += [ops.relu6(y), ops.mean(y, axis=-1), ops.cast(y, "float32") * 0.3]
    else:
        outputs += [tf.nn.relu6(y), tf.reduce_mean(y, -1), tf.cast(y, tf.float32) * 0.3]
    for epsilon in (1e-3, 1e-6):
        outputs.append(layers.LayerNormalization(epsilon=epsilon, dtype=policy)(y))
    outputs.append(layers.GroupNormalization(2, dtype=policy)(y))
    if package is tf_keras or "bfloat16" in policy:  # 1e12 is no float16
        outputs.append(layers.UnitNormalization(dtype=policy)(y))
    model = package.Model(x, outputs)
    rng = np.random.default_rng(4)
    model.set_weights([rng.normal(size=np.shape(w)) for w in model.get_weights()])
    return model


MAKERS: Mapping[str, tuple[int, Callable[[], Any]]] = {
    "keras3": (3, keras3),
    "keras2": (2, keras2),
    "node_defs": (2, node_defs),
}
