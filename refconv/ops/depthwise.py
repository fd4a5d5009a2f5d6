"""Depthwise convolution: every input channel is filtered alone, by `depth_multiplier` filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refconv.numerics.enclosure import Enclosure
from refconv.ops.activations import LINEAR, Activation, activate, activation
from refconv.ops.attributes import attribute, flag, integer
from refconv.ops.base import Context, Row, Shape, Terms, Weights
from refconv.ops.spatial import axes, channels_last, data_format, fit_bias, fit_channels, locate, padding, restore
from refconv.primitives.geometry import Window, inside, window
from refconv.primitives.sums import correlate_moments


@dataclass(frozen=True, kw_only=True)
class Depthwise:
    """A spatial rank adds the readers of its three per-axis fields."""

    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str = padding()
    depth_multiplier: int = attribute(integer(1), default=1)
    data_format: str = data_format()
    dilation_rate: tuple[int, ...]
    activation: Activation = attribute(activation, default=LINEAR)
    use_bias: bool = attribute(flag, default=True)


def of_rank(rank: int) -> type[Depthwise]:
    """The attributes of DepthwiseConv1D or DepthwiseConv2D."""

    @dataclass(frozen=True, kw_only=True)
    class Ranked(Depthwise):
        kernel_size: tuple[int, ...] = axes(rank, None)
        strides: tuple[int, ...] = axes(rank)
        dilation_rate: tuple[int, ...] = axes(rank)

    return Ranked


def shapes(attrs: Depthwise) -> dict[str, Shape]:
    """Keras 2 names the kernel depthwise_kernel; Keras 3's kernel is the canonical name."""
    kernel = (*attrs.kernel_size, None, attrs.depth_multiplier)
    return {"kernel": kernel, **({"bias": (None,)} if attrs.use_bias else {})}


def depthwise(attrs: Depthwise, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y[p, c·M + m] = activation(Σ_k x[p·stride + k·dilation − pad, c]·kernel[k, c, m] + bias[c·M + m]).

    x (N, *spatial, C) or (N, C, *spatial); kernel (*k, C, M); bias (C·M,).
    """
    x = channels_last(inputs[0].mid, attrs.data_format, len(attrs.kernel_size))
    kernel = weights["kernel"]
    fit_channels(kernel, -2, x.shape[-1])
    where = depthwise_window(attrs, x.shape[1:-1])
    moments = correlate_moments(context.engine, x, as_grouped(kernel), where, x.shape[-1], context.need)
    if attrs.use_bias:
        fit_bias(weights["bias"], kernel.shape[-2] * kernel.shape[-1])
        moments = moments.plus(weights["bias"])
    closed = restore(context.arithmetic.close(moments), attrs.data_format)
    return activate(attrs.activation, closed, context.arithmetic)


def as_grouped(kernel: np.ndarray) -> np.ndarray:
    """(*k, C, M) as the kernel (*k, 1, C·M) of a convolution in C groups."""
    return kernel.reshape(*kernel.shape[:-2], 1, -1)


def depthwise_window(attrs: Depthwise, spatial: tuple[int, ...]) -> Window:
    return window(spatial, attrs.kernel_size, attrs.strides, attrs.dilation_rate, attrs.padding)


def terms(
    attrs: Depthwise, weights: Weights, inputs: Sequence[np.ndarray], index: tuple[int, ...], context: Context
) -> Terms:
    """Products of one element, one axis per kernel axis; taps on padding are left out."""
    x = channels_last(inputs[0], attrs.data_format, len(attrs.kernel_size))
    sample, position, unit = locate(index, attrs.data_format)
    channel, filtered = divmod(unit, attrs.depth_multiplier)
    sources, taps = inside(depthwise_window(attrs, x.shape[1:-1]), x.shape[1:-1], position)
    patch = x[sample, ..., channel][np.ix_(*sources)].astype(np.float64)
    return Terms(
        patch * weights["kernel"][..., channel, filtered][np.ix_(*taps)].astype(np.float64),
        float(weights["bias"][unit]) if attrs.use_bias else None,
        lambda enclosure: activate(attrs.activation, enclosure, context.arithmetic),
    )


ROWS = tuple(
    Row(
        f"DepthwiseConv{rank}D",
        of_rank(rank),
        depthwise,
        shapes,
        terms,
        operands=("kernel",),
        source=f"keras.layers.DepthwiseConv{rank}D",
    )
    for rank in (1, 2)
)
