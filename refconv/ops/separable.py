"""Separable convolution: a depthwise convolution, then a product over its channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.formats import gamma
from refconv.ops.activations import activate
from refconv.ops.attributes import attribute, integer
from refconv.ops.base import Context, Row, Shape, Terms, Weights
from refconv.ops.carry import carry
from refconv.ops.depthwise import Depthwise, as_grouped, depthwise_window
from refconv.ops.depthwise import of_rank as depthwise_of_rank
from refconv.ops.spatial import channels_last, fit_bias, fit_channels, locate, padding, restore
from refconv.primitives.geometry import inside
from refconv.primitives.sums import correlate_moments, matmul_moments, product_moments


@dataclass(frozen=True, kw_only=True)
class Separable(Depthwise):
    filters: int = attribute(integer(1))


def of_rank(rank: int) -> type[Separable]:
    """The attributes of SeparableConv1D or SeparableConv2D."""

    @dataclass(frozen=True, kw_only=True)
    class Ranked(depthwise_of_rank(rank), Separable):  # type: ignore[misc]
        padding: str = padding(rank)  # causal in Keras 2 only

    return Ranked


def shapes(attrs: Separable) -> dict[str, Shape]:
    ones = (1,) * len(attrs.kernel_size)
    return {
        "depthwise_kernel": (*attrs.kernel_size, None, attrs.depth_multiplier),
        "pointwise_kernel": (*ones, None, attrs.filters),
        **({"bias": (attrs.filters,)} if attrs.use_bias else {}),
    }


def separable(attrs: Separable, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y = activation((x ⋆ depthwise_kernel)·pointwise_kernel + bias), no bias or activation between.

    x (N, *spatial, C) or (N, C, *spatial); depthwise_kernel (*k, C, M); pointwise_kernel (1, …, C·M, filters).
    The depthwise step's radii are carried through the product: its errors reach every filter.
    """
    x = channels_last(inputs[0].mid, attrs.data_format, len(attrs.kernel_size))
    middle = context.arithmetic.feed(_depthwise(attrs, weights, x, context))
    pointwise = _pointwise(attrs, weights, middle.mid.shape[-1])
    moments = matmul_moments(context.engine, middle.mid, pointwise, context.need)
    if not middle.exact:
        moments = replace(moments, grid=0.0)  # its operands may be off the grid of their exact values
    if attrs.use_bias:
        fit_bias(weights["bias"], attrs.filters)
        moments = moments.plus(weights["bias"])
    closed = context.arithmetic.close(moments, lambda e: _carried(e, middle, pointwise, context))
    return activate(attrs.activation, restore(closed, attrs.data_format), context.arithmetic)


def _depthwise(attrs: Separable, weights: Weights, x: np.ndarray, context: Context) -> Enclosure:
    kernel = weights["depthwise_kernel"]
    fit_channels(kernel, -2, x.shape[-1], name="depthwise_kernel")
    where = depthwise_window(attrs, x.shape[1:-1])
    grouped = as_grouped(kernel)
    return context.arithmetic.close(correlate_moments(context.engine, x, grouped, where, x.shape[-1], context.need))


def _pointwise(attrs: Separable, weights: Weights, channels: int) -> np.ndarray:
    kernel = weights["pointwise_kernel"]
    fit_channels(kernel, -2, channels, name="pointwise_kernel")
    if kernel.shape[-1] != attrs.filters:
        raise UnreadableModel(f"pointwise_kernel of shape {kernel.shape} does not have {attrs.filters} filters")
    return kernel.reshape(channels, attrs.filters)


def _carried(closed: Enclosure, middle: Enclosure, pointwise: np.ndarray, context: Context) -> Enclosure:
    magnitude = np.abs(pointwise.astype(np.float64))
    growth = float(gamma(len(pointwise) + 2, context.arithmetic.sums.u))
    return carry(closed, middle, lambda v: context.engine.matmul(v, magnitude), growth)


def terms(
    attrs: Separable, weights: Weights, inputs: Sequence[np.ndarray], index: tuple[int, ...], context: Context
) -> Terms:
    """Products of the pointwise step of one element; `widen` adds what the depthwise step may have erred."""
    sample, position, unit = locate(index, attrs.data_format)
    x = channels_last(inputs[0], attrs.data_format, len(attrs.kernel_size))
    middle = _one_position(attrs, weights, x[sample : sample + 1], position, context)
    pointwise = _pointwise(attrs, weights, middle.mid.shape[-1])[:, unit : unit + 1]

    def widen(enclosure: Enclosure) -> Enclosure:
        one = Enclosure(*(v.reshape(1) for v in enclosure.full()))
        return _carried(one, middle, pointwise, context).move(lambda v: v.reshape(()))

    return Terms(
        middle.mid * pointwise[:, 0].astype(np.float64),
        float(weights["bias"][unit]) if attrs.use_bias else None,
        lambda enclosure: activate(attrs.activation, enclosure, context.arithmetic),
        widen=widen,
    )


def _one_position(
    attrs: Separable, weights: Weights, x: np.ndarray, position: tuple[int, ...], context: Context
) -> Enclosure:
    """The depthwise step at one position: an enclosure of C·M values."""
    spatial = x.shape[1:-1]
    sources, taps = inside(depthwise_window(attrs, spatial), spatial, position)
    patch = x[0][np.ix_(*sources)].reshape(-1, x.shape[-1], 1)
    kernel = weights["depthwise_kernel"][np.ix_(*taps)].reshape(*patch.shape[:2], attrs.depth_multiplier)
    closed = context.arithmetic.close(product_moments(patch, kernel))
    return context.arithmetic.feed(closed.move(np.ravel))


OPERANDS = ("depthwise_kernel", "pointwise_kernel")

ROWS = tuple(
    Row(
        f"SeparableConv{rank}D",
        of_rank(rank),
        separable,
        shapes,
        terms,
        operands=OPERANDS,
        source=f"keras.layers.SeparableConv{rank}D",
    )
    for rank in (1, 2)
)
