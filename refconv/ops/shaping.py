"""Layers that only move elements: Flatten, Reshape, Permute, RepeatVector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import attribute, integer
from refconv.ops.base import Context, Row, Weights
from refconv.ops.spatial import CHANNELS_FIRST, data_format


def lengths(value: Any) -> tuple[int, ...]:
    """A shape without the batch; at most one −1 (or null), which takes what is left."""
    if not isinstance(value, (list, tuple)):
        raise ValueError("a list of lengths is wanted")
    shape = tuple(-1 if n is None else integer(-1)(n) for n in value)
    if shape.count(-1) > 1:
        raise ValueError("at most one length may be unknown")
    return shape


def permutation(value: Any) -> tuple[int, ...]:
    dims = lengths(value)
    if sorted(dims) != list(range(1, len(dims) + 1)):
        raise ValueError("each of 1, 2, … once is wanted")
    return dims


@dataclass(frozen=True)
class Flatten:
    """`data_format` as from Keras 2.2 on: channels_first moves the channels last before it flattens (TRAPS 24)."""

    data_format: str = data_format()


@dataclass(frozen=True)
class Reshape:
    target_shape: tuple[int, ...] = attribute(lengths)


@dataclass(frozen=True)
class Permute:
    """`dims` are 1-based and leave the batch where it is."""

    dims: tuple[int, ...] = attribute(permutation)


@dataclass(frozen=True)
class RepeatVector:
    n: int = attribute(integer(1))


def flatten(attrs: Flatten, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """(N, …) → (N, product of the rest); (N,) → (N, 1)."""

    def move(v: np.ndarray) -> np.ndarray:
        last = np.moveaxis(v, 1, -1) if attrs.data_format == CHANNELS_FIRST and v.ndim > 1 else v
        return last.reshape(v.shape[0], int(np.prod(v.shape[1:])))

    return _whole(inputs[0], move)


def reshape(attrs: Reshape, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """(N, …) → (N, *target_shape), elements in C order.

    Raises:
        UnreadableModel: the element counts differ.
    """
    shape = inputs[0].mid.shape
    target = _resolve(attrs.target_shape, shape[1:])
    return _whole(inputs[0], lambda v: v.reshape(shape[0], *target))


def _resolve(target: tuple[int, ...], given: tuple[int, ...]) -> tuple[int, ...]:
    known, size = int(np.prod([n for n in target if n != -1])), int(np.prod(given))
    missing = size // known if known and -1 in target else 1
    if known * missing != size:
        raise UnreadableModel(f"{given} cannot be reshaped to {target}")
    return tuple(missing if n == -1 else n for n in target)


def permute(attrs: Permute, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """Axis i of the result is axis dims[i − 1] of the input.

    Raises:
        UnreadableModel: the input has another number of axes.
    """
    _want(inputs[0], len(attrs.dims) + 1)
    return _whole(inputs[0], lambda v: v.transpose(0, *attrs.dims))


def repeat_vector(attrs: RepeatVector, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """(N, C) → (N, n, C).

    Raises:
        UnreadableModel: the input is not of two dimensions.
    """
    _want(inputs[0], 2)
    return _whole(inputs[0], lambda v: np.repeat(v[:, None], attrs.n, axis=1))


def _want(e: Enclosure, rank: int) -> None:
    if e.mid.ndim != rank:
        raise UnreadableModel(f"an input of {rank} dimensions is wanted, this one has {e.mid.ndim}: {e.mid.shape}")


def _whole(e: Enclosure, move: Any) -> Enclosure:
    """Move every field; those that only broadcast to mid's shape are filled out first."""
    if not any(map(np.ndim, (e.sigma, e.worst, e.floor, e.overflow))):
        return e.move(move)
    return Enclosure(*e.full()).move(move)


ROWS = (
    Row("Flatten", Flatten, flatten, exact=True, source="keras.layers.Flatten"),
    Row("Reshape", Reshape, reshape, exact=True, source="keras.layers.Reshape"),
    Row("Permute", Permute, permute, exact=True, source="keras.layers.Permute"),
    Row("RepeatVector", RepeatVector, repeat_vector, exact=True, source="keras.layers.RepeatVector"),
)
