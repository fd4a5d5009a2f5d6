"""Layers that random models are made of: what each makes of a shape, by a few numbers; 0 is always the simplest choice.

A layer function takes the shape without the batch and gives class, configuration and output shape, whatever the numbers
are, so that steps of a model can be left out and numbers lowered freely.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from refconv.primitives.geometry import transposed_lengths, window

Shape = tuple[int, ...]
MOST = 48  # elements of a sample: layers that make more of it are not offered larger ones

# Where both Keras versions have the function, and it does not grow exponentially.
FUNCTIONS = ("relu", "tanh", "sigmoid", "elu", "softsign", "softplus", "selu", "gelu", "swish")


class Numbers:
    """Numbers of one step, taken one after another; 0 for ever when they are used up."""

    def __init__(self, values: Sequence[int], quantizers: Sequence[str] = ()) -> None:
        self._left, self.quantizers = list(values), quantizers

    def below(self, limit: int) -> int:
        return self._left.pop(0) % limit if self._left else 0

    def one_of(self, *choices: Any) -> Any:
        return choices[self.below(len(choices))]


@dataclass(frozen=True)
class Made:
    """A layer: its Keras class, its arguments, and the shape that it gives, without the batch."""

    kind: str
    shape: Shape
    config: Mapping[str, Any] = field(default_factory=dict)


Make = Callable[[Shape, Numbers], Made]


def _bias(numbers: Numbers) -> dict[str, Any]:
    found: dict[str, Any] = {"use_bias": numbers.one_of(False, True)}
    function = numbers.one_of("linear", *FUNCTIONS[:4])
    return found if function == "linear" else {**found, "activation": function}


def dense(shape: Shape, numbers: Numbers) -> Made:
    units = 1 + numbers.below(4)
    return Made("Dense", (*shape[:-1], units), {"units": units, **_bias(numbers)})


def _sliding(shape: Shape, numbers: Numbers, name: str, rate: str = "dilation_rate") -> tuple[dict[str, Any], Shape]:
    """A window of up to 3 along every axis, and the lengths that come out; `name` is what its size is called."""
    spatial = shape[:-1]
    size = tuple(min(1 + numbers.below(3), n) for n in spatial)
    padding = numbers.one_of("valid", "same")
    step, dilation = numbers.one_of((1, 1), (2, 1), (1, 2))
    if padding == "valid" and any((k - 1) * dilation + 1 > n for k, n in zip(size, spatial, strict=True)):
        dilation = 1
    rank = len(spatial)
    config = {name: size, "strides": (step,) * rank, "padding": padding}
    config |= {rate: (dilation,) * rank} if dilation > 1 and rate else {}
    rates = (dilation if rate else 1,) * rank
    return config, window(spatial, size, (step,) * rank, rates, padding).out


def convolution(shape: Shape, numbers: Numbers) -> Made:
    config, out = _sliding(shape, numbers, "kernel_size")
    groups = numbers.one_of(1, 1, shape[-1])
    filters = groups * (1 + numbers.below(3 if groups < 3 else 1))
    grouped = {"groups": groups} if groups > 1 else {}
    kind = f"Conv{len(shape) - 1}D"
    return Made(kind, (*out, filters), {"filters": filters, **config, **grouped, **_bias(numbers)})


def depthwise(shape: Shape, numbers: Numbers) -> Made:
    config, out = _sliding(shape, numbers, "kernel_size")
    multiplier = 1 + numbers.below(2)
    config |= {"depth_multiplier": multiplier}
    return Made(f"DepthwiseConv{len(shape) - 1}D", (*out, multiplier * shape[-1]), {**config, **_bias(numbers)})


def separable(shape: Shape, numbers: Numbers) -> Made:
    config, out = _sliding(shape, numbers, "kernel_size")
    filters = 1 + numbers.below(3)
    kind = f"SeparableConv{len(shape) - 1}D"
    return Made(kind, (*out, filters), {"filters": filters, **config, **_bias(numbers)})


def transposed(shape: Shape, numbers: Numbers) -> Made:
    size, step = (1 + numbers.below(3),) * (len(shape) - 1), (1 + numbers.below(2),) * (len(shape) - 1)
    padding, filters = numbers.one_of("valid", "same"), 1 + numbers.below(2)
    out = transposed_lengths(shape[:-1], size, step, (1,) * len(size), padding, None)
    config = {"filters": filters, "kernel_size": size, "strides": step, "padding": padding, **_bias(numbers)}
    return Made(f"Conv{len(size)}DTranspose", (*out, filters), config)


def max_pooling(shape: Shape, numbers: Numbers) -> Made:
    config, out = _sliding(shape, numbers, "pool_size", "")
    return Made(f"MaxPooling{len(shape) - 1}D", (*out, shape[-1]), config)


def average_pooling(shape: Shape, numbers: Numbers) -> Made:
    config, out = _sliding(shape, numbers, "pool_size", "")
    return Made(f"AveragePooling{len(shape) - 1}D", (*out, shape[-1]), config)


def global_average(shape: Shape, numbers: Numbers) -> Made:
    return Made(f"GlobalAveragePooling{len(shape) - 1}D", shape[-1:])


def global_max(shape: Shape, numbers: Numbers) -> Made:
    return Made(f"GlobalMaxPooling{len(shape) - 1}D", shape[-1:])


def relu(shape: Shape, numbers: Numbers) -> Made:
    return Made("ReLU", shape, numbers.one_of({}, {"max_value": 6.0}))


def activation(shape: Shape, numbers: Numbers) -> Made:
    return Made("Activation", shape, {"activation": numbers.one_of(*FUNCTIONS)})


def leaky(shape: Shape, numbers: Numbers) -> Made:
    return Made("LeakyReLU", shape)


def softmax(shape: Shape, numbers: Numbers) -> Made:
    """Keras warns of a softmax over one element."""
    return Made("Softmax", shape) if shape[-1] > 1 else relu(shape, numbers)


def batch_normalization(shape: Shape, numbers: Numbers) -> Made:
    return Made("BatchNormalization", shape, numbers.one_of({}, {"scale": False}, {"center": False}, {"epsilon": 0.1}))


def layer_normalization(shape: Shape, numbers: Numbers) -> Made:
    """Of one element there is no variance."""
    return Made("LayerNormalization", shape) if shape[-1] > 1 else batch_normalization(shape, numbers)


def flatten(shape: Shape, numbers: Numbers) -> Made:
    return Made("Flatten", (prod(shape),))


def padding(shape: Shape, numbers: Numbers) -> Made:
    rank = len(shape) - 1
    sides = tuple((numbers.below(2), numbers.below(3)) for _ in range(rank))
    out = tuple(n + sum(pair) for n, pair in zip(shape, sides, strict=False))
    return Made(f"ZeroPadding{rank}D", (*out, shape[-1]), {"padding": sides[0] if rank == 1 else sides})


def up_sampling(shape: Shape, numbers: Numbers) -> Made:
    rank = len(shape) - 1
    size = tuple(1 + numbers.below(2) for _ in range(rank))
    out = tuple(n * factor for n, factor in zip(shape, size, strict=False))
    return Made(f"UpSampling{rank}D", (*out, shape[-1]), {"size": size[0] if rank == 1 else size})


def reshape(shape: Shape, numbers: Numbers) -> Made:
    """An image as a sequence of its pixels, a sequence as one row of an image, a vector as one step."""
    to = (1, *shape) if len(shape) < 3 else (shape[0] * shape[1], shape[2])
    return Made("Reshape", to, {"target_shape": to})


def permute(shape: Shape, numbers: Numbers) -> Made:
    dims = (2, 1, 3) if len(shape) == 3 else (2, 1)
    return Made("Permute", tuple(shape[d - 1] for d in dims), {"dims": dims})


def dropout(shape: Shape, numbers: Numbers) -> Made:
    return Made("Dropout", shape, {"rate": 0.5})


def _quantized(make: Make, *slots: str) -> Make:
    """A QKeras layer from the float layer: the first quantizer for its kernels, the second for its activation."""

    def made(shape: Shape, numbers: Numbers) -> Made:
        found, (kernel, after) = make(shape, numbers), numbers.quantizers
        config = {**found.config, **dict.fromkeys(slots, kernel), "bias_quantizer": BIAS}
        config |= {"activation": after} if "activation" in config else {}
        return Made(f"Q{found.kind}", found.shape, config)

    return made


BIAS = "quantized_bits(bits=8,integer=3,alpha=1.0)"


def q_activation(shape: Shape, numbers: Numbers) -> Made:
    return Made("QActivation", shape, {"activation": numbers.quantizers[1]})


q_dense = _quantized(dense, "kernel_quantizer")
q_convolution = _quantized(convolution, "kernel_quantizer")
q_depthwise = _quantized(depthwise, "depthwise_quantizer")
q_separable = _quantized(separable, "depthwise_quantizer", "pointwise_quantizer")

# By the number of axes without the batch: the first is what an example shrinks to.
LAYERS: dict[int, tuple[Make, ...]] = {
    1: (dense, relu, activation, batch_normalization, layer_normalization, softmax, leaky, dropout, reshape),
    2: (
        *(convolution, dense, relu, activation, batch_normalization, max_pooling, average_pooling, flatten),
        *(
            global_average,
            global_max,
            depthwise,
            separable,
            transposed,
            padding,
            up_sampling,
            permute,
            reshape,
            dropout,
        ),
        *(layer_normalization, softmax, leaky),
    ),
    3: (
        *(convolution, dense, relu, activation, batch_normalization, depthwise, max_pooling, average_pooling, flatten),
        *(global_average, global_max, separable, transposed, padding, up_sampling, permute, reshape, dropout, leaky),
        *(layer_normalization, softmax),
    ),
}
QUANTIZED: dict[int, tuple[Make, ...]] = {
    1: (q_dense, q_activation, relu, batch_normalization),
    2: (
        q_convolution,
        q_dense,
        q_activation,
        max_pooling,
        average_pooling,
        flatten,
        global_average,
        batch_normalization,
    ),
    3: (
        *(q_convolution, q_depthwise, q_activation, max_pooling, average_pooling, flatten, global_average),
        *(batch_normalization, q_separable, padding, up_sampling, reshape),
    ),
}
GROWING = (transposed, padding, up_sampling)


def choices(shape: Shape, *, quantized: bool = False) -> tuple[Make, ...]:
    """The layers that a tensor of this shape may go through."""
    table = QUANTIZED if quantized else LAYERS
    large = prod(shape) > MOST
    return tuple(make for make in table[len(shape)] if not (large and make in GROWING))
