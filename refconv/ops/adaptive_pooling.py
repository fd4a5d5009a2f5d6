"""Maximum and average over windows that divide each axis into a given number of parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refconv.numerics.enclosure import Enclosure, widest
from refconv.numerics.formats import gamma
from refconv.numerics.moments import Need
from refconv.ops.attributes import attribute, integers
from refconv.ops.base import Context, Row, Terms, Weights
from refconv.ops.carry import carry
from refconv.ops.mean import mean
from refconv.ops.spatial import channels_last, data_format, locate, moved, restore
from refconv.primitives.geometry import Spans, longest, parts
from refconv.primitives.sums import span_moments, spanned


@dataclass(frozen=True, kw_only=True)
class AdaptivePooling:
    output_size: tuple[int, ...]
    data_format: str = data_format()


def of_rank(rank: int) -> type[AdaptivePooling]:
    """The attributes of an adaptive pooling over `rank` axes."""

    @dataclass(frozen=True, kw_only=True)
    class Ranked(AdaptivePooling):
        output_size: tuple[int, ...] = attribute(integers(rank, 1))

    return Ranked


def adaptive_max(attrs: AdaptivePooling, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """Largest value of each window (`geometry.parts` along each axis); NaN propagates."""

    def largest(v: np.ndarray) -> np.ndarray:
        return spanned(v, _cuts(v.shape[1:-1], attrs.output_size), np.max)

    return moved(Enclosure(inputs[0].mid), attrs.data_format, len(attrs.output_size), largest)


def adaptive_average(
    attrs: AdaptivePooling, weights: Weights, inputs: Sequence[Enclosure], context: Context
) -> Enclosure:
    """Mean of each window (`geometry.parts`), of all its elements at once or, as Keras's TensorFlow backend does, axis
    by axis: the values agree, and the larger radius covers both.
    """
    x = Enclosure(channels_last(inputs[0].mid, attrs.data_format, len(attrs.output_size)).astype(np.float64))
    cuts = _cuts(x.mid.shape[1:-1], attrs.output_size)
    found = x
    for axis, cut in cuts.items():
        found = _step(found, axis, cut, context)
    if len(cuts) > 1:
        found = widest(mean(span_moments(x.mid, cuts), context.arithmetic), found)
    return restore(found, attrs.data_format)


def average_terms(
    attrs: AdaptivePooling, weights: Weights, inputs: Sequence[np.ndarray], index: tuple[int, ...], context: Context
) -> Terms:
    """The means over all axes but the last of one window; `widen` adds what they may have erred."""
    x = channels_last(inputs[0], attrs.data_format, len(attrs.output_size))
    sample, position, channel = locate(index, attrs.data_format)
    cuts = _cuts(x.shape[1:-1], attrs.output_size)
    box = tuple(cut[i] for cut, i in zip(cuts.values(), position, strict=True))
    middle = Enclosure(x[(slice(sample, sample + 1), *box, slice(channel, channel + 1))].astype(np.float64))
    for axis in range(1, len(box)):
        middle = _step(middle, axis, parts(middle.mid.shape[axis], 1), context)
    middle = Enclosure(*(v.ravel() for v in middle.full()))

    def widen(enclosure: Enclosure) -> Enclosure:
        one = Enclosure(*(v.reshape(1) for v in enclosure.full()))
        return _carried(one, middle, 0, parts(middle.mid.size, 1), context).move(lambda v: v.reshape(()))

    return Terms(middle.mid, None, lambda enclosure: enclosure, 1.0 / middle.mid.size, widen)


def _cuts(spatial: tuple[int, ...], output_size: tuple[int, ...]) -> dict[int, Spans]:
    """Axis of (N, *spatial, C) → its windows."""
    lengths = zip(spatial, output_size, strict=True)
    return {axis: parts(length, count) for axis, (length, count) in enumerate(lengths, start=1)}


def _step(e: Enclosure, axis: int, cut: Spans, context: Context) -> Enclosure:
    """Means along one axis of what may have errors already."""
    closed = mean(span_moments(e.mid, {axis: cut}, on_grid=e.exact), context.arithmetic)
    return closed if context.need is Need.VALUES else _carried(closed, e, axis, cut, context)


def _carried(closed: Enclosure, e: Enclosure, axis: int, cut: Spans, context: Context) -> Enclosure:
    growth = float(gamma(longest(cut) + 2, context.arithmetic.sums.u))
    return carry(closed, e, lambda v: spanned(v, {axis: cut}, np.mean), growth)


# Keras asks for windows one longer than a part too, and takes none of them where it has no use for them.
CRASHES = "given oneDNN, TensorFlow 2.21 ends by SIGFPE where one part of an adaptive maximum is the whole axis"


def _rows(rank: int) -> tuple[Row, Row]:
    most, average = f"AdaptiveMaxPooling{rank}D", f"AdaptiveAveragePooling{rank}D"
    return (
        Row(most, of_rank(rank), adaptive_max, exact=True, source=f"keras.layers.{most}", note=CRASHES),
        Row(average, of_rank(rank), adaptive_average, terms=average_terms, source=f"keras.layers.{average}"),
    )


ROWS = tuple(row for rank in (1, 2, 3) for row in _rows(rank))
