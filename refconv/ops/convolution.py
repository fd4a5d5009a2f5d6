"""Convolution (cross-correlation) with strides, dilation, groups and bias, of any spatial rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure
from refconv.ops.activations import LINEAR, Activation, activate, activation
from refconv.ops.attributes import attribute, flag, integer
from refconv.ops.base import Context, Row, Shape, Terms, Weights
from refconv.ops.fast_convolution import algorithms, widen
from refconv.ops.spatial import axes, channels_last, data_format, fit_bias, fit_channels, locate, padding, restore
from refconv.primitives.geometry import Window, inside, window
from refconv.primitives.sums import correlate_moments


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """A spatial rank adds the readers of its three per-axis fields."""

    filters: int = attribute(integer(1))
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str = padding()
    data_format: str = data_format()
    dilation_rate: tuple[int, ...]
    groups: int = attribute(integer(1), default=1)
    activation: Activation = attribute(activation, default=LINEAR)
    use_bias: bool = attribute(flag, default=True)


def of_rank(rank: int) -> type[Convolution]:
    """The attributes of Conv1D, Conv2D or Conv3D."""

    @dataclass(frozen=True, kw_only=True)
    class Ranked(Convolution):
        kernel_size: tuple[int, ...] = axes(rank, None)
        strides: tuple[int, ...] = axes(rank)
        dilation_rate: tuple[int, ...] = axes(rank)
        padding: str = padding(rank)

    return Ranked


def shapes(attrs: Convolution) -> dict[str, Shape]:
    kernel = (*attrs.kernel_size, None, attrs.filters)
    return {"kernel": kernel, **({"bias": (attrs.filters,)} if attrs.use_bias else {})}


def convolution(attrs: Convolution, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y[p, f] = activation(Σ_k Σ_c x[p·stride + k·dilation − pad, c]·kernel[k, c, f] + bias[f]), c within f's group.

    x (N, *spatial, C) or (N, C, *spatial); kernel (*k, C/groups, filters); bias (filters,).
    """
    x, kernel = channels_last(inputs[0].mid, attrs.data_format, len(attrs.kernel_size)), weights["kernel"]
    _fit(attrs, kernel, x.shape[-1])
    where = _window(attrs, x.shape[1:-1])
    moments = correlate_moments(context.engine, x, kernel, where, attrs.groups, context.need)
    if attrs.use_bias:
        fit_bias(weights["bias"], attrs.filters)
        moments = moments.plus(weights["bias"])
    widened = widen(context.arithmetic.algorithm, context.engine, x, kernel, where, attrs.groups)
    closed = restore(context.arithmetic.close(moments, widened), attrs.data_format)
    return activate(attrs.activation, closed, context.arithmetic)


def terms(
    attrs: Convolution, weights: Weights, inputs: Sequence[np.ndarray], index: tuple[int, ...], context: Context
) -> Terms:
    """Products of one element, axes (*k, C/groups); taps on padding are left out."""
    x = channels_last(inputs[0], attrs.data_format, len(attrs.kernel_size))
    sample, position, unit = locate(index, attrs.data_format)
    width = x.shape[-1] // attrs.groups
    group = unit // (attrs.filters // attrs.groups)
    sources, taps = inside(_window(attrs, x.shape[1:-1]), x.shape[1:-1], position)
    patch = x[sample][np.ix_(*sources)][..., group * width : (group + 1) * width]
    return Terms(
        patch.astype(np.float64) * weights["kernel"][..., unit][np.ix_(*taps)].astype(np.float64),
        float(weights["bias"][unit]) if attrs.use_bias else None,
        lambda enclosure: activate(attrs.activation, enclosure, context.arithmetic),
    )


def _window(attrs: Convolution, spatial: tuple[int, ...]) -> Window:
    return window(spatial, attrs.kernel_size, attrs.strides, attrs.dilation_rate, attrs.padding)


def _fit(attrs: Convolution, kernel: np.ndarray, channels: int) -> None:
    fit_channels(kernel, -2, channels, attrs.groups)
    if attrs.filters % attrs.groups:
        raise UnreadableModel(f"{attrs.filters} filters cannot be split into {attrs.groups} groups")
    if kernel.shape[:-2] != attrs.kernel_size or kernel.shape[-1] != attrs.filters:
        wanted = (*attrs.kernel_size, kernel.shape[-2], attrs.filters)
        raise UnreadableModel(f"kernel has shape {kernel.shape}, its layer wants {wanted}")


ROWS = tuple(
    Row(
        f"Conv{rank}D",
        of_rank(rank),
        convolution,
        shapes,
        terms,
        operands=("kernel",),
        algorithms=algorithms,
        source=f"keras.layers.Conv{rank}D",
    )
    for rank in (1, 2, 3)
)
