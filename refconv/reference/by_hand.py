"""One output element as a person computes it by hand: the receptive field, the kernel, their products, the sum."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import fsum
from typing import Any

import numpy as np

from refconv.errors import BadInput
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure
from refconv.ops.activations import LINEAR, Activation, activate
from refconv.ops.base import Weights
from refconv.ops.spatial import CHANNELS_FIRST, channels_last, locate
from refconv.primitives.geometry import Indices, Window, inside, reached, transposed_lengths, window

SUM, MEAN, MAX = "sum", "mean", "max"


@dataclass(frozen=True)
class Field:
    """What one element sees of the input, one axis per kernel axis and one for the channels: (*k, C).

    Attributes:
        values: float64; 0 where a tap meets no element of the input.
        seen: (*k,), True where a tap meets an element; elsewhere it falls on padding or, in a transposed convolution,
            between the input's elements.
        sources: for each kernel axis the input's index under each tap; -1 where there is none.
        channels: the input's channels.
    """

    values: np.ndarray
    seen: np.ndarray
    sources: tuple[np.ndarray, ...]
    channels: np.ndarray


@dataclass(frozen=True)
class Factors:
    """How an element is made.

    Attributes:
        take: index into a kernel → its part for this element, of the field's shape (*k, C); None without a kernel.
        unit: place of its bias.
        operation: what becomes of the products, or of the values where there is no kernel: their sum, mean or maximum.
    """

    field: Field
    take: Callable[[np.ndarray], np.ndarray] | None = None
    unit: int = 0
    operation: str = SUM


@dataclass(frozen=True)
class ByHand:
    """One output element.

    Attributes:
        index: of the element in the layer's output, batch first.
        kernel: what the field is multiplied by, of its shape; None where nothing multiplies it.
        stored: the same as the file holds it, where that is something else; None elsewhere.
        bias, stored_bias: None where there is none.
        divisor: of a mean.
        activation: in words; "" where there is none.
        before: what the activation is given.
        value: the layer's output.
        elementwise: False where the activation needs other elements too (softmax).
    """

    layer: str
    type: str
    index: tuple[int, ...]
    field: Field
    operation: str
    kernel: np.ndarray | None
    stored: np.ndarray | None
    bias: float | None
    stored_bias: float | None
    divisor: int
    activation: str
    before: float
    value: float
    elementwise: bool

    @property
    def products(self) -> np.ndarray:
        """Field times kernel, or the field where there is no kernel."""
        return self.field.values if self.kernel is None else self.field.values * self.kernel

    @property
    def total(self) -> float:
        """The sum of the products, correctly rounded; the maximum for a maximum."""
        return _total(self.products, self.field.seen, self.operation)


def by_hand(
    node: Any, applied: Weights, stored: Weights, inputs: tuple[np.ndarray, ...], index: tuple[int, ...], output: float
) -> ByHand:
    """The element at `index` of what `node` gives.

    Args:
        applied: the weights that the layer multiplies by.
        stored: those of the file.
        inputs: the layer's.
        output: the element as the reference gives it, for activations that need other elements too.

    Raises:
        BadInput: the layer is of no kind that this shows.
    """
    if node.type not in KINDS or getattr(node.attrs, "masks", None):
        hint = "it shows convolutions, Dense and pooling, and their QKeras forms"
        raise BadInput(f"{node.type} cannot be shown by hand", where=f"layer {node.name}", hint=hint)
    factors = KINDS[node.type](node.attrs, inputs[0], index)
    kernel, raw = (None if factors.take is None else factors.take(w["kernel"]) for w in (applied, stored))
    bias, stored_bias = (float(w["bias"][factors.unit]) if "bias" in w else None for w in (applied, stored))
    kernel = None if kernel is None else kernel.astype(np.float64)
    terms = factors.field.values if kernel is None else factors.field.values * kernel
    divisor = int(factors.field.seen.sum()) if factors.operation == MEAN else 1
    before = _total(terms, factors.field.seen, factors.operation) / divisor + (bias or 0.0)
    activation: Activation = getattr(node.attrs, "activation", LINEAR)
    own = activate(activation, Enclosure(np.asarray(before)), Arithmetic()).mid if activation.elementwise else output
    return ByHand(
        *(node.name, node.type, index, factors.field, factors.operation, kernel),
        stored=None if raw is None or kernel is None or np.array_equal(raw, kernel) else raw.astype(np.float64),
        bias=bias,
        stored_bias=None if stored_bias == bias else stored_bias,
        divisor=divisor,
        activation=_words(activation),
        before=before,
        value=float(own),
        elementwise=activation.elementwise,
    )


def _words(activation: Activation) -> str:
    if activation == LINEAR:
        return ""
    parameters = ", ".join(f"{name}={value}" for name, value in activation.parameters)
    name = f"{activation.name}({parameters})" if parameters else activation.name
    return activation.quantizer.describe() if activation.quantizer else name


def _total(terms: np.ndarray, seen: np.ndarray, operation: str) -> float:
    if operation == MAX:
        return float(np.max(terms[seen], initial=-np.inf)) if seen.any() else -np.inf
    if not np.isfinite(terms).all():
        with np.errstate(invalid="ignore"):
            return float(terms.sum())
    return fsum(terms.ravel())


def _field(x: np.ndarray, indices: Indices, size: tuple[int, ...], channels: np.ndarray) -> Field:
    """`x` (*spatial, C) as the taps see it."""
    sources, taps = indices
    values, seen = np.zeros((*size, len(channels))), np.zeros(size, bool)
    values[np.ix_(*taps)] = x[np.ix_(*sources)][..., channels]
    seen[np.ix_(*taps)] = True
    places = [np.full(length, -1) for length in size]
    for place, source, tap in zip(places, sources, taps, strict=True):
        place[tap] = source
    return Field(values, seen, tuple(places), channels)


def _convolution(attrs: Any, x: np.ndarray, index: tuple[int, ...]) -> Factors:
    x = channels_last(x, attrs.data_format, len(attrs.kernel_size))
    sample, position, unit = locate(index, attrs.data_format)
    width = x.shape[-1] // attrs.groups
    first = unit // (attrs.filters // attrs.groups) * width
    seen = inside(_window(attrs, attrs.kernel_size, x), x.shape[1:-1], position)
    field = _field(x[sample], seen, attrs.kernel_size, np.arange(first, first + width))
    return Factors(field, lambda kernel: kernel[..., unit], unit)


def _depthwise(attrs: Any, x: np.ndarray, index: tuple[int, ...]) -> Factors:
    x = channels_last(x, attrs.data_format, len(attrs.kernel_size))
    sample, position, unit = locate(index, attrs.data_format)
    channel, multiple = divmod(unit, attrs.depth_multiplier)
    seen = inside(_window(attrs, attrs.kernel_size, x), x.shape[1:-1], position)
    field = _field(x[sample], seen, attrs.kernel_size, np.array([channel]))
    return Factors(field, lambda kernel: kernel[..., channel : channel + 1, multiple], unit)


def _transposed(attrs: Any, x: np.ndarray, index: tuple[int, ...]) -> Factors:
    x = channels_last(x, attrs.data_format, len(attrs.kernel_size))
    sample, position, unit = locate(index, attrs.data_format)
    size, strides, dilation = attrs.kernel_size, attrs.strides, attrs.dilation_rate
    lengths = transposed_lengths(x.shape[1:-1], size, strides, dilation, attrs.padding, attrs.output_padding)
    seen = reached(window(lengths, size, strides, dilation, attrs.padding), position)
    field = _field(x[sample], seen, size, np.arange(x.shape[-1]))
    return Factors(field, lambda kernel: kernel[..., unit, :], unit)


def _dense(attrs: Any, x: np.ndarray, index: tuple[int, ...]) -> Factors:
    row = x[index[:-1]].astype(np.float64)
    field = Field(row, np.array(True), (), np.arange(len(row)))
    return Factors(field, lambda kernel: kernel[:, index[-1]], index[-1])


def _pooling(operation: str) -> Callable[[Any, np.ndarray, tuple[int, ...]], Factors]:
    def factors(attrs: Any, x: np.ndarray, index: tuple[int, ...]) -> Factors:
        x = channels_last(x, attrs.data_format, len(attrs.pool_size))
        sample, position, channel = locate(index, attrs.data_format)
        where = window(x.shape[1:-1], attrs.pool_size, attrs.strides or attrs.pool_size, padding=attrs.padding)
        seen = inside(where, x.shape[1:-1], position)
        return Factors(_field(x[sample], seen, attrs.pool_size, np.array([channel])), operation=operation)

    return factors


def _global(operation: str) -> Callable[[Any, np.ndarray, tuple[int, ...]], Factors]:
    def factors(attrs: Any, x: np.ndarray, index: tuple[int, ...]) -> Factors:
        first = attrs.data_format == CHANNELS_FIRST
        x, channel = np.moveaxis(x, 1, -1) if first else x, index[1] if first else index[-1]
        spatial = x.shape[1:-1]
        everything = tuple(np.arange(n) for n in spatial)
        field = _field(x[index[0]], (everything, everything), spatial, np.array([channel]))
        return Factors(field, operation=operation)

    return factors


def _window(attrs: Any, size: tuple[int, ...], x: np.ndarray) -> Window:
    return window(x.shape[1:-1], size, attrs.strides, attrs.dilation_rate, attrs.padding)


Kind = Callable[[Any, np.ndarray, tuple[int, ...]], Factors]

KINDS: Mapping[str, Kind] = {
    **{f"Conv{rank}D": _convolution for rank in (1, 2, 3)},
    **dict.fromkeys(("QConv1D", "QConv2D", "QConv2DBatchnorm"), _convolution),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **dict.fromkeys(("QDepthwiseConv2D", "QDepthwiseConv2DBatchnorm"), _depthwise),
    **{f"Conv{rank}DTranspose": _transposed for rank in (1, 2, 3)},
    **dict.fromkeys(("QConv2DTranspose",), _transposed),
    **dict.fromkeys(("Dense", "QDense", "QDenseBatchnorm"), _dense),
    **{f"MaxPooling{rank}D": _pooling(MAX) for rank in (1, 2, 3)},
    **{f"AveragePooling{rank}D": _pooling(MEAN) for rank in (1, 2, 3)},
    **{f"GlobalMaxPooling{rank}D": _global(MAX) for rank in (1, 2, 3)},
    **{f"GlobalAveragePooling{rank}D": _global(MEAN) for rank in (1, 2, 3)},
}
