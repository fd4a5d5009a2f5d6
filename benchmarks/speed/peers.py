"""What computes a layer: each peer turns a shape and its operands into a call, or None where it has no such layer.

A peer's operands are laid out, padded and converted before its clock runs; refconv is given plain float32, channels
last, and pads and converts within its time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from refconv.primitives import engines
from refconv.primitives.sums import LONG
from speed.shapes import CORRELATIONS, DENSE, DEPTHWISE, MATMUL, MAX, SUM, Shape

Call = Callable[[], Any]
Operands = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Peer:
    """A column of the table.

    Attributes:
        prepare: (shape, (x, kernel)) → what is timed.
        result: what a call gives → channels-last values, to see that all compute the same.
        needs: the package that has to be there.
        most: useful operations beyond which it would take minutes; it is left out there.
    """

    name: str
    prepare: Callable[[Shape, Operands], Call | None]
    result: Callable[[Any], np.ndarray] = np.asarray
    needs: str = "numpy"
    most: float = np.inf

    @property
    def there(self) -> bool:
        return find_spec(self.needs) is not None


def values(engine: str) -> Callable[[Shape, Operands], Call]:
    def prepare(shape: Shape, operands: Operands) -> Call:
        e, (x, kernel), w = engines.get(engine), operands, shape.window
        return {
            MATMUL: lambda: e.matmul(x, kernel),
            MAX: lambda: e.window_max(x, w),
            SUM: lambda: e.window_sum(x, w),
        }.get(shape.kind, lambda: e.correlate(x, kernel, w, shape.groups))

    return prepare


def sums(shape: Shape, operands: Operands) -> Call | None:
    """With Σt², all that a verdict on a long sum needs; a short one needs Σ|t| too."""
    e, (x, kernel), w = engines.get("numba"), operands, shape.window
    worst = shape.size**2 * shape.channels // shape.groups < LONG
    if shape.kind == MAX:
        return None
    return {
        MATMUL: lambda: e.matmul_sums(x, kernel, worst=worst),
        SUM: lambda: e.window_sums(x, w),
    }.get(shape.kind, lambda: e.correlate_sums(x, kernel, w, shape.groups, worst=worst))


def padded(shape: Shape, x: np.ndarray) -> np.ndarray:
    if shape.kind == MATMUL:
        return x
    return np.pad(x, ((0, 0), *shape.window.pads, (0, 0)), constant_values=-np.inf if shape.kind == MAX else 0)


def tensorflow(shape: Shape, operands: Operands) -> Call | None:
    tf = import_module("tensorflow")
    x, kernel = tf.constant(padded(shape, operands[0])), tf.constant(operands[1])
    if shape.kind == DEPTHWISE:
        kernel = tf.reshape(kernel, (shape.size, shape.size, shape.channels, 1))
        strides, dilations = (1, shape.stride, shape.stride, 1), (shape.dilation, shape.dilation)
        call = lambda x: tf.nn.depthwise_conv2d(x, kernel, strides, "VALID", dilations=dilations)  # noqa: E731
    elif shape.kind in CORRELATIONS:
        call = lambda x: tf.nn.conv2d(x, kernel, shape.stride, "VALID", dilations=shape.dilation)  # noqa: E731
    elif shape.kind == MATMUL:
        call = lambda x: tf.matmul(x, kernel)  # noqa: E731
    elif shape.kind == MAX:
        call = lambda x: tf.nn.max_pool2d(x, shape.size, shape.stride, "VALID")  # noqa: E731
    else:
        call = lambda x: tf.nn.avg_pool2d(x, shape.size, shape.stride, "VALID") * shape.size**2  # noqa: E731
    graph = tf.function(call, autograph=False)
    return lambda: graph(x).numpy()


def torch(dtype: str) -> Callable[[Shape, Operands], Call | None]:
    def prepare(shape: Shape, operands: Operands) -> Call:
        module = import_module("torch")
        module.set_grad_enabled(False)
        f, kind = module.nn.functional, getattr(module, dtype)
        x = module.tensor(_first(padded(shape, operands[0])), dtype=kind)
        k = module.tensor(_filters_first(shape, operands[1]), dtype=kind)
        stride, dilation = shape.stride, shape.dilation
        return {
            MATMUL: lambda: f.linear(x, k),
            MAX: lambda: f.max_pool2d(x, shape.size, stride),
            SUM: lambda: f.avg_pool2d(x, shape.size, stride, divisor_override=1),
        }.get(shape.kind, lambda: f.conv2d(x, k, None, stride, 0, dilation, shape.groups))

    return prepare


def onnx_reference(shape: Shape, operands: Operands) -> Call | None:
    helper, reference = import_module("onnx.helper"), import_module("onnx.reference")
    x, kernel = _first(padded(shape, operands[0])), _filters_first(shape, operands[1])
    if shape.kind == SUM:
        return None
    both = {"kernel_shape": [shape.size] * 2, "strides": [shape.stride] * 2}
    inputs = ["x"] if shape.kind == MAX else ["x", "k"]
    if shape.kind == MATMUL:
        node = helper.make_node("MatMul", inputs, ["y"])
        kernel = operands[1]
    elif shape.kind == MAX:
        node = helper.make_node("MaxPool", inputs, ["y"], **both)
    else:
        node = helper.make_node("Conv", inputs, ["y"], dilations=[shape.dilation] * 2, group=shape.groups, **both)
    infos = [helper.make_tensor_value_info(name, 1, None) for name in inputs]
    graph = helper.make_graph([node], "one", infos, [helper.make_tensor_value_info("y", 1, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    session = reference.ReferenceEvaluator(model)
    feeds = {"x": x, "k": kernel} if len(inputs) > 1 else {"x": x}
    return lambda: session.run(None, feeds)[0]


def scipy_signal(shape: Shape, operands: Operands) -> Call | None:
    """Filter by filter, as its users write it; it knows neither strides nor dilation nor groups."""
    signal = import_module("scipy.signal")
    if shape.kind != DENSE or shape.stride > 1 or shape.dilation > 1:
        return None
    x, kernel = padded(shape, operands[0]).astype(np.float64), operands[1].astype(np.float64)

    def call() -> np.ndarray:
        filters = (kernel[..., i] for i in range(shape.filters))
        planes = [[signal.correlate(image, k, "valid")[..., 0] for image in x] for k in filters]
        return np.stack([np.stack(plane) for plane in planes], axis=-1)

    return call


def _first(x: np.ndarray) -> np.ndarray:
    """Channels first."""
    return x if x.ndim == 2 else np.ascontiguousarray(np.moveaxis(x, -1, 1))


def _filters_first(shape: Shape, kernel: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(kernel.T if shape.kind == MATMUL else kernel.transpose(3, 2, 0, 1))


def _last(y: Any) -> np.ndarray:
    y = np.asarray(y)
    return y if y.ndim == 2 else np.moveaxis(y, 1, -1)


REFCONV, SUMS, NUMPY = "refconv", "refconv with sums", "refconv numpy"
TORCH64, TORCH32, TENSORFLOW = "torch float64", "torch float32", "tensorflow float32"

PEERS = (
    Peer(REFCONV, values("numba"), needs="numba"),
    Peer(SUMS, sums, result=lambda sums: sums.y, needs="numba"),
    Peer(NUMPY, values("numpy")),
    Peer(TENSORFLOW, tensorflow, needs="tensorflow"),
    Peer(TORCH64, torch("float64"), _last, needs="torch"),
    Peer(TORCH32, torch("float32"), _last, needs="torch"),
    Peer("onnx.reference", onnx_reference, _last, needs="onnx", most=0.5e9),
    Peer("scipy.signal", scipy_signal, needs="scipy", most=0.5e9),
)
