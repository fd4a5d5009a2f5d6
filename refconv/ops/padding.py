"""Zeros added around, or elements cut from around, the spatial axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import Reader, attribute, integer, integers
from refconv.ops.base import Context, Row, Weights
from refconv.ops.spatial import data_format, moved

Margins = tuple[tuple[int, int], ...]


def margins(rank: int) -> Reader:
    """Per axis (before, after): from one integer, one per axis, or one pair per axis.

    Of one axis, two integers are its pair.
    """
    axes, both = integer(0), integers(2)

    def read(value: Any) -> Margins:
        if isinstance(value, int):
            return ((axes(value), axes(value)),) * rank
        if rank == 1 and isinstance(value, (list, tuple)) and len(value) == 2:
            value = [value]
        if not isinstance(value, (list, tuple)) or len(value) != rank:
            raise ValueError(f"an integer, or {rank} integers or pairs of integers, are wanted")
        return tuple((one[0], one[1]) for one in map(both, value))

    return read


@dataclass(frozen=True, kw_only=True)
class Padding:
    padding: Margins
    data_format: str = data_format()


@dataclass(frozen=True, kw_only=True)
class Cropping:
    cropping: Margins
    data_format: str = data_format()


def padding_of_rank(rank: int) -> type[Padding]:
    """The attributes of ZeroPadding1D, 2D or 3D."""

    @dataclass(frozen=True, kw_only=True)
    class Ranked(Padding):
        padding: Margins = attribute(margins(rank), default=((1, 1),) * rank)

    return Ranked


def cropping_of_rank(rank: int) -> type[Cropping]:
    """The attributes of Cropping1D, 2D or 3D."""

    @dataclass(frozen=True, kw_only=True)
    class Ranked(Cropping):
        cropping: Margins = attribute(margins(rank), default=((0, 0) if rank == 2 else (1, 1),) * rank)

    return Ranked


def zero_padding(attrs: Padding, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """x with `padding` zeros before and after each spatial axis."""

    def pad(v: np.ndarray) -> np.ndarray:
        return np.pad(v, ((0, 0), *attrs.padding, (0, 0)))

    return moved(inputs[0], attrs.data_format, len(attrs.padding), pad)


def cropping(attrs: Cropping, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """x without `cropping` elements before and after each spatial axis."""

    def crop(v: np.ndarray) -> np.ndarray:
        spans = zip(attrs.cropping, v.shape[1:-1], strict=True)
        return v[(slice(None), *(_span(before, after, length) for (before, after), length in spans))]

    return moved(inputs[0], attrs.data_format, len(attrs.cropping), crop)


def _span(before: int, after: int, length: int) -> slice:
    if before + after >= length:
        raise UnreadableModel(f"cropping ({before}, {after}) leaves nothing of an axis of length {length}")
    return slice(before, length - after)


def _rows(rank: int) -> tuple[Row, Row]:
    more, less = f"ZeroPadding{rank}D", f"Cropping{rank}D"
    return (
        Row(more, padding_of_rank(rank), zero_padding, exact=True, source=f"keras.layers.{more}"),
        Row(less, cropping_of_rank(rank), cropping, exact=True, source=f"keras.layers.{less}"),
    )


ROWS = tuple(row for rank in (1, 2, 3) for row in _rows(rank))
