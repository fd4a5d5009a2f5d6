"""Maximum and average over all spatial axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import attribute, flag
from refconv.ops.base import Context, Row, Terms, Weights
from refconv.ops.masking import only_mask
from refconv.ops.mean import mean
from refconv.ops.spatial import CHANNELS_FIRST, data_format
from refconv.primitives.sums import spatial_moments


@dataclass(frozen=True)
class GlobalPooling:
    """`masks` says that the last input is a mask (N, steps) of the call, which no configuration holds."""

    data_format: str = data_format()
    keepdims: bool = attribute(flag, default=False)
    masks: tuple[str, ...] = attribute(only_mask, default=())


def global_max(
    attrs: GlobalPooling, weights: Weights, inputs: Sequence[Enclosure], context: Context, *, rank: int
) -> Enclosure:
    """Largest value over the spatial axes; NaN propagates."""
    x = inputs[0].mid
    return Enclosure(x.max(axis=_axes(attrs, x, rank), keepdims=attrs.keepdims))


def global_average(
    attrs: GlobalPooling, weights: Weights, inputs: Sequence[Enclosure], context: Context, *, rank: int
) -> Enclosure:
    """Mean over the spatial axes, which keep length 1 with `keepdims`; of the steps that a mask shows.

    Zeros in place of hidden steps add no rounding: a sum has as many terms as are shown, and their number divides it.
    """
    x = inputs[0].mid
    axes = _axes(attrs, x, rank)
    if attrs.masks:
        shown = _shown(attrs, inputs[-1].mid)
        moments = spatial_moments(np.where(shown, x, 0), axes, context.need)
        moments = replace(moments, n=shown.sum(axis=axes, keepdims=True))
    else:
        moments = spatial_moments(x, axes, context.need)
    result = mean(moments, context.arithmetic)
    return result if attrs.keepdims else result.move(lambda v: v.squeeze(axes))


def average_terms(
    attrs: GlobalPooling,
    weights: Weights,
    inputs: Sequence[np.ndarray],
    index: tuple[int, ...],
    context: Context,
    *,
    rank: int,
) -> Terms:
    """All elements of one sample and channel, one axis per spatial axis, and the divisor as scale."""
    channels_first = attrs.data_format == CHANNELS_FIRST
    channel = index[1] if channels_first else index[-1]
    sample = inputs[0][index[0]]
    values = (sample[channel] if channels_first else sample[..., channel]).astype(np.float64)
    values = values[inputs[-1][index[0]].astype(bool)] if attrs.masks else values
    return Terms(values, None, lambda enclosure: enclosure, scale=1.0 / max(values.size, 1))


def _shown(attrs: GlobalPooling, mask: np.ndarray) -> np.ndarray:
    """(N, steps), with an axis for the channels."""
    return np.expand_dims(mask.astype(bool), 1 if attrs.data_format == CHANNELS_FIRST else 2)


def _axes(attrs: GlobalPooling, x: np.ndarray, rank: int) -> tuple[int, ...]:
    if x.ndim != rank + 2:
        raise UnreadableModel(f"an input of {rank + 2} dimensions is wanted, this one has {x.ndim}: {x.shape}")
    first = 2 if attrs.data_format == CHANNELS_FIRST else 1
    return tuple(range(first, first + rank))


def _rows(rank: int) -> tuple[Row, Row]:
    most, mean = f"GlobalMaxPooling{rank}D", f"GlobalAveragePooling{rank}D"
    terms = partial(average_terms, rank=rank)
    return (
        Row(most, GlobalPooling, partial(global_max, rank=rank), exact=True, source=f"keras.layers.{most}"),
        Row(mean, GlobalPooling, partial(global_average, rank=rank), terms=terms, source=f"keras.layers.{mean}"),
    )


ROWS = tuple(row for rank in (1, 2, 3) for row in _rows(rank))
