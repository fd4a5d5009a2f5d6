"""Integer probes: a clone of every linear layer runs on small integers, in the mode and place of the model's own run.

The model is not touched: a clone is made from the layer's class and configuration, under a name of its own, and only
the clone's weights are set. What follows the sum, and what quantizes, is left out of the clone: no activation, and no
quantizer. The float and the quantized forms of a layer so compute the same thing, and geometry and layout are all that
can be wrong.
"""

from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np

from refconv.frameworks.worker import fill
from refconv.frameworks.worker.capture import Session, as_array
from refconv.frameworks.worker.channel import Channel
from refconv.frameworks.worker.quantized import inner

Shape = Tuple[int, ...]
Fill = Callable[[Any, Shape, Dict[str, Shape], int], List[np.ndarray]]

KERNEL = ("kernel", "bias")
SEPARABLE = ("depthwise_kernel", "pointwise_kernel", "bias")
NAME = "refconv_probe"


def _product(sizes: Any) -> int:
    return int(np.prod(sizes, dtype=np.int64))


def _convolution(layer: Any, x: Shape, weights: Dict[str, Shape], bits: int) -> List[np.ndarray]:
    *size, channels, _ = weights["kernel"]
    return fill.products(x, weights, _product(size), channels, bits)


def _depthwise(layer: Any, x: Shape, weights: Dict[str, Shape], bits: int) -> List[np.ndarray]:
    return fill.products(x, weights, _product(weights["kernel"][:-2]), 1, bits)


def _transposed(layer: Any, x: Shape, weights: Dict[str, Shape], bits: int) -> List[np.ndarray]:
    *size, _, channels = weights["kernel"]
    return fill.products(x, weights, _product(size), channels, bits)


def _separable(layer: Any, x: Shape, weights: Dict[str, Shape], bits: int) -> List[np.ndarray]:
    return fill.separable(x, weights, bits)


def _local(layer: Any, x: Shape, weights: Dict[str, Shape], bits: int) -> List[np.ndarray]:
    """Also the weights of a dense layer's matrix that no window uses are integers that would show."""
    channels = x[1] if layer.data_format == "channels_first" else x[-1]
    return fill.products(x, weights, _product(layer.kernel_size), channels, bits)


def _average(layer: Any, x: Shape, weights: Dict[str, Shape], bits: int) -> List[np.ndarray]:
    return fill.averaged(x, _product(layer.pool_size), bits)


def _global_average(layer: Any, x: Shape, weights: Dict[str, Shape], bits: int) -> List[np.ndarray]:
    spatial = x[2:] if layer.data_format == "channels_first" else x[1:-1]
    return fill.averaged(x, _product(spatial), bits)


def _adaptive_average(layer: Any, x: Shape, weights: Dict[str, Shape], bits: int) -> List[np.ndarray]:
    """An axis of n elements in p parts: none is longer than ⌈n/p⌉ + 1, nor than the axis."""
    spatial = x[2:] if layer.data_format == "channels_first" else x[1:-1]
    return fill.averaged(x, _product([min(-(-n // p) + 1, n) for n, p in zip(spatial, layer.output_size)]), bits)


def _maximum(layer: Any, x: Shape, weights: Dict[str, Shape], bits: int) -> List[np.ndarray]:
    return fill.negative(x, bits)


# Class, without the Q of its quantized form → (canonical names of its weights in Keras's order, how to fill it).
LINEAR: Dict[str, Tuple[Tuple[str, ...], Fill]] = {"Dense": (KERNEL, _convolution)}
for _rank in ("1D", "2D", "3D"):
    LINEAR["Conv" + _rank] = (KERNEL, _convolution)
    LINEAR["Conv" + _rank + "Transpose"] = (KERNEL, _transposed)
    LINEAR["DepthwiseConv" + _rank] = (KERNEL, _depthwise)
    LINEAR["SeparableConv" + _rank] = (SEPARABLE, _separable)
    LINEAR["LocallyConnected" + _rank] = (KERNEL, _local)
    LINEAR["MaxPooling" + _rank] = ((), _maximum)
    LINEAR["AdaptiveMaxPooling" + _rank] = ((), _maximum)
    LINEAR["AdaptiveAveragePooling" + _rank] = ((), _adaptive_average)
    LINEAR["GlobalMaxPooling" + _rank] = ((), _maximum)
    LINEAR["AveragePooling" + _rank] = ((), _average)
    LINEAR["GlobalAveragePooling" + _rank] = ((), _global_average)

FOLDED = "its kernel is multiplied by rounded statistics before it is used, so that no integers reach its sums"
EQUATION, GATED = "its equation is not turned into a probe yet", "its gates make it no linear layer"
UNPROBED = {
    "QConv2DBatchnorm": FOLDED,
    "QDepthwiseConv2DBatchnorm": FOLDED,
    "QDenseBatchnorm": FOLDED,
    "EinsumDense": EQUATION,
    "ConvLSTM1D": GATED,
    "ConvLSTM2D": GATED,
    "ConvLSTM3D": GATED,
}


class NoProbe(Exception):
    """Why a linear layer is not probed."""


def rule(kind: str) -> Tuple[Tuple[str, ...], Fill]:
    """How to probe a class of layers.

    Raises:
        KeyError: it is not linear.
        NoProbe: it is, and yet cannot be probed.
    """
    if kind in UNPROBED:
        raise NoProbe(UNPROBED[kind])
    return LINEAR[kind[1:] if kind[:1] == "Q" and kind[1:] in LINEAR else kind]


def send_probes(session: Session, channel: Channel) -> None:
    """Probe each linear layer that the session met, once per input shape, and send what it took and gave."""
    fed = [(path, shape, dtype) for path, shape, dtype in session.fed if _is_linear(session, path)]
    for number, (path, shape, dtype) in enumerate(fed):
        channel.progress(number, len(fed), "probing layers")
        _send(session, channel, number, path, shape, dtype)


def _is_linear(session: Session, path: str) -> bool:
    kind = type(inner(session.recorder.layers[path])).__name__
    return kind in UNPROBED or kind in LINEAR or (kind[:1] == "Q" and kind[1:] in LINEAR)


def _send(session: Session, channel: Channel, number: int, path: str, shape: Shape, dtype: str) -> None:
    layer, sent = inner(session.recorder.layers[path]), []
    try:
        for name, array in run(session, layer, shape, dtype):
            key = f"probe{number}:{name}"
            channel.send("tensor", array, key=key)
            sent.append((name, key))
        reason = ""
    except NoProbe as why:
        reason = str(why)
    named = dict(sent)
    outputs = [named.pop("")] if "" in named else []
    inputs = [named.pop("x")] if "x" in named else []
    weights = list(named.items())
    channel.send("probe", layer=path, shape=list(shape), inputs=inputs, outputs=outputs, weights=weights, reason=reason)


def run(session: Session, layer: Any, shape: Shape, dtype: str) -> Iterator[Tuple[str, np.ndarray]]:
    """("x", integers), (name, integers) of every weight, and ("", output) of a clone that was fed them.

    Raises:
        NoProbe: the layer cannot be cloned, filled or run so.
    """
    names, draw = rule(type(layer).__name__)
    bits = fill.BITS.get(dtype)
    if bits is None:
        raise NoProbe(f"its input is {dtype}")
    clone = _built(session, layer, shape)
    weights = dict(zip(names, fill.shapes(clone.weights)))
    if len(weights) != len(clone.weights):
        raise NoProbe(f"its clone has {len(clone.weights)} weights")
    try:
        x, *values = draw(clone, shape, weights, bits)
    except fill.Unfit as why:
        raise NoProbe(str(why)) from None
    yield from zip(("x", *weights), (x, *values))
    yield "", _output(session, clone, x, values, dtype)


def _output(session: Session, clone: Any, x: np.ndarray, weights: List[np.ndarray], dtype: str) -> np.ndarray:
    tf = session.framework.tf
    try:
        clone.set_weights([w.astype(np.float32) for w in weights])
        return as_array(session.compiled(lambda given: clone(given))(tf.cast(tf.constant(x), dtype)))
    except Exception as error:  # any framework's
        raise NoProbe("its clone could not be run: " + _first_line(error)) from error


def _built(session: Session, layer: Any, shape: Shape) -> Any:
    try:
        clone = type(layer).from_config(bare(layer.get_config()))
        clone.build(shape)
        return clone
    except Exception as error:  # any framework's
        raise NoProbe("it could not be cloned: " + _first_line(error)) from error


def bare(config: Dict[str, Any]) -> Dict[str, Any]:
    """A layer's configuration without what follows or precedes its sum, and without what only training needs."""
    found = {"name": NAME, "trainable": False}
    for field, value in config.items():
        if field == "activation":
            found[field] = "linear"
        elif field.endswith("_initializer"):
            found[field] = "zeros"
        elif field.endswith(("_quantizer", "_regularizer", "_constraint")):
            found[field] = None
        elif field != "batch_input_shape":
            found.setdefault(field, value)
    return found


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
