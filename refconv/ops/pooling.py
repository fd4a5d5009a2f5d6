"""Maximum and average over a sliding window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import attribute, integers, optional
from refconv.ops.base import Context, Row, Terms, Weights
from refconv.ops.mean import mean
from refconv.ops.spatial import axes, channels_last, data_format, locate, padding, restore
from refconv.primitives.geometry import Window, inside, window
from refconv.primitives.sums import window_moments


@dataclass(frozen=True, kw_only=True)
class Pooling:
    """A spatial rank adds the readers of its per-axis fields."""

    pool_size: tuple[int, ...]
    strides: tuple[int, ...] | None
    padding: str = padding()
    data_format: str = data_format()


def of_rank(rank: int) -> type[Pooling]:
    """The attributes of a pooling over `rank` axes; strides default to the pool's size."""

    @dataclass(frozen=True, kw_only=True)
    class Ranked(Pooling):
        pool_size: tuple[int, ...] = axes(rank, 2)
        strides: tuple[int, ...] | None = attribute(optional(integers(rank, 1)), default=None)

    return Ranked


def max_pooling(attrs: Pooling, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """Largest value of each window; padding never wins. A NaN in the window is the result, as in `reduce_max`.

    TensorFlow's CPU kernel drops NaN instead, and not in every channel alike (tensorflow issue 125965): then the
    framework's output is not what the layer says, and differs.
    """
    x = _values(attrs, inputs)
    result = context.engine.window_max(x, _window(attrs, x.shape[1:-1]))
    return restore(Enclosure(result), attrs.data_format)


def average_pooling(attrs: Pooling, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """Mean of the elements of each window that lie inside the input: SAME's padding does not count as a divisor."""
    x = _values(attrs, inputs)
    moments = window_moments(context.engine, x, _window(attrs, x.shape[1:-1]), context.need)
    return restore(mean(moments, context.arithmetic), attrs.data_format)


def average_terms(
    attrs: Pooling, weights: Weights, inputs: Sequence[np.ndarray], index: tuple[int, ...], context: Context
) -> Terms:
    """The elements of one window, one axis per pool axis, and the divisor as scale."""
    x = channels_last(inputs[0], attrs.data_format, len(attrs.pool_size))
    sample, position, channel = locate(index, attrs.data_format)
    sources, _ = inside(_window(attrs, x.shape[1:-1]), x.shape[1:-1], position)
    patch = x[sample, ..., channel][np.ix_(*sources)].astype(np.float64)
    return Terms(patch, None, lambda enclosure: enclosure, scale=1.0 / patch.size)


def _values(attrs: Pooling, inputs: Sequence[Enclosure]) -> np.ndarray:
    return channels_last(inputs[0].mid, attrs.data_format, len(attrs.pool_size))


def _window(attrs: Pooling, spatial: tuple[int, ...]) -> Window:
    return window(spatial, attrs.pool_size, attrs.strides or attrs.pool_size, padding=attrs.padding)


def _rows(rank: int) -> tuple[Row, Row]:
    most, mean = f"MaxPooling{rank}D", f"AveragePooling{rank}D"
    return (
        Row(most, of_rank(rank), max_pooling, exact=True, source=f"keras.layers.{most}"),
        Row(mean, of_rank(rank), average_pooling, terms=average_terms, source=f"keras.layers.{mean}"),
    )


ROWS = tuple(row for rank in (1, 2, 3) for row in _rows(rank))
