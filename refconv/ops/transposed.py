"""Transposed convolution: the gradient of a convolution with respect to its input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure
from refconv.ops.activations import LINEAR, Activation, activate, activation
from refconv.ops.attributes import attribute, flag, integer, integers, optional
from refconv.ops.base import Context, Row, Shape, Terms, Weights
from refconv.ops.spatial import axes, channels_last, data_format, fit_bias, fit_channels, locate, padding, restore
from refconv.primitives.geometry import Window, reached, transposed_lengths, window
from refconv.primitives.sums import transposed_moments


@dataclass(frozen=True, kw_only=True)
class Transposed:
    """A spatial rank adds the readers of its per-axis fields."""

    filters: int = attribute(integer(1))
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str = padding()
    output_padding: tuple[int, ...] | None
    data_format: str = data_format()
    dilation_rate: tuple[int, ...]
    activation: Activation = attribute(activation, default=LINEAR)
    use_bias: bool = attribute(flag, default=True)


def of_rank(rank: int) -> type[Transposed]:
    """The attributes of Conv1DTranspose, Conv2DTranspose or Conv3DTranspose."""

    @dataclass(frozen=True, kw_only=True)
    class Ranked(Transposed):
        kernel_size: tuple[int, ...] = axes(rank, None)
        strides: tuple[int, ...] = axes(rank)
        output_padding: tuple[int, ...] | None = attribute(optional(integers(rank)), default=None)
        dilation_rate: tuple[int, ...] = axes(rank)

    return Ranked


def shapes(attrs: Transposed) -> dict[str, Shape]:
    kernel = (*attrs.kernel_size, attrs.filters, None)
    return {"kernel": kernel, **({"bias": (attrs.filters,)} if attrs.use_bias else {})}


def transposed(attrs: Transposed, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y[p·stride + k·dilation − pad, f] = activation(Σ_{p, k} Σ_c x[p, c]·kernel[k, f, c] + bias[f]).

    x (N, *spatial, C) or (N, C, *spatial); kernel (*k, filters, C); bias (filters,). `pad` is that of the convolution
    of the result with the same kernel, strides and padding, whose gradient this is.
    """
    x, kernel = channels_last(inputs[0].mid, attrs.data_format, len(attrs.kernel_size)), weights["kernel"]
    _fit(attrs, kernel, x.shape[-1])
    lengths, where = _geometry(attrs, x.shape[1:-1])
    moments = transposed_moments(context.engine, x, kernel, where, lengths, context.need)
    if attrs.use_bias:
        fit_bias(weights["bias"], attrs.filters)
        moments = moments.plus(weights["bias"])
    closed = restore(context.arithmetic.close(moments), attrs.data_format)
    return activate(attrs.activation, closed, context.arithmetic)


def terms(
    attrs: Transposed, weights: Weights, inputs: Sequence[np.ndarray], index: tuple[int, ...], context: Context
) -> Terms:
    """Products of one element, axes (*k, C): only the taps by which some input position reaches it."""
    x = channels_last(inputs[0], attrs.data_format, len(attrs.kernel_size))
    sample, position, unit = locate(index, attrs.data_format)
    _, where = _geometry(attrs, x.shape[1:-1])
    sources, taps = reached(where, position)
    kernel = weights["kernel"][..., unit, :][np.ix_(*taps)].astype(np.float64)
    return Terms(
        x[sample][np.ix_(*sources)].astype(np.float64) * kernel,
        float(weights["bias"][unit]) if attrs.use_bias else None,
        lambda enclosure: activate(attrs.activation, enclosure, context.arithmetic),
    )


def _geometry(attrs: Transposed, spatial: tuple[int, ...]) -> tuple[tuple[int, ...], Window]:
    """The result's spatial lengths, and the window over them whose positions are the input's."""
    size, strides, dilation = attrs.kernel_size, attrs.strides, attrs.dilation_rate
    lengths = transposed_lengths(spatial, size, strides, dilation, attrs.padding, attrs.output_padding)
    where = window(lengths, size, strides, dilation, attrs.padding)
    if where.out != spatial:
        raise UnreadableModel(
            f"output_padding {attrs.output_padding} gives an output of {lengths}, from which a convolution has "
            f"{where.out} positions, but the input has {spatial}"
        )
    return lengths, where


def _fit(attrs: Transposed, kernel: np.ndarray, channels: int) -> None:
    fit_channels(kernel, -1, channels)
    wanted: tuple[Any, ...] = (*attrs.kernel_size, attrs.filters, channels)
    if kernel.shape != wanted:
        raise UnreadableModel(f"kernel has shape {kernel.shape}, its layer wants {wanted}")


ROWS = tuple(
    Row(
        f"Conv{rank}DTranspose",
        of_rank(rank),
        transposed,
        shapes,
        terms,
        operands=("kernel",),
        source=f"keras.layers.Conv{rank}DTranspose",
    )
    for rank in (1, 2, 3)
)
