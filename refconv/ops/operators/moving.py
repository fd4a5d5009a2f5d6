"""Operators that only move, select or repeat elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure, join
from refconv.numerics.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64
from refconv.ops.attributes import Unknown, attribute, integer, number, optional
from refconv.ops.axes import position
from refconv.ops.base import Context, Forward, Row, Weights
from refconv.ops.operators.elementwise import Unary
from refconv.ops.operators.operands import (
    Constant,
    Operand,
    listed,
    moved,
    number_of,
    only,
    operands,
    taken,
    whole,
)

FLOATS = {fmt.name: fmt for fmt in (FLOAT32, FLOAT16, BFLOAT16)}
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")


@dataclass(frozen=True)
class Slice:
    """start:stop:step; any of them may be missing, or a tensor's."""

    start: int | Operand | None = None
    stop: int | Operand | None = None
    step: int | Operand | None = None


ELLIPSIS = "..."
Item = int | Operand | Slice | str | None


def item(value: Any) -> Item:
    """One part of an index; booleans and arrays have no reference."""
    if value is None or isinstance(value, Slice) or value == ELLIPSIS:
        return value
    return whole(value)


def lengths(value: Any) -> tuple[int | Operand, ...]:
    """A whole shape; null and −1 take what is left."""
    if isinstance(value, Operand):
        raise Unknown("a shape that is one tensor has no reference")
    return tuple(-1 if n is None else whole(n) for n in (value if isinstance(value, (list, tuple)) else [value]))


def margins(value: Any) -> tuple[tuple[int, int], ...]:
    """Pairs (before, after), one per axis."""
    pairs = tuple(listed(integer(0))(pair) for pair in value)
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("a pair of integers per axis is wanted")
    return pairs


@dataclass(frozen=True)
class Reshape(Unary):
    shape: tuple[int | Operand, ...] = attribute(lengths, default=())


@dataclass(frozen=True)
class Transpose(Unary):
    """`perm` none: axes reversed."""

    perm: tuple[int, ...] | None = attribute(optional(listed(integer())), default=None)


@dataclass(frozen=True)
class ExpandDims(Unary):
    axis: tuple[int, ...] = attribute(listed(integer()), default=(-1,))


@dataclass(frozen=True)
class Squeeze(Unary):
    """`axis` none: every axis of length 1."""

    axis: tuple[int, ...] | None = attribute(optional(listed(integer())), default=None)


@dataclass(frozen=True)
class SwapAxes(Unary):
    one: int = attribute(integer(), default=-1)
    other: int = attribute(integer(), default=-2)


@dataclass(frozen=True)
class Flip(Unary):
    axis: tuple[int, ...] | None = attribute(optional(listed(integer())), default=None)


@dataclass(frozen=True)
class Pad(Unary):
    paddings: tuple[tuple[int, int], ...] = attribute(margins, default=())
    mode: str = attribute(only("mode", "constant", "CONSTANT"), default="constant")
    value: float = attribute(number, default=0.0)


@dataclass(frozen=True)
class GetItem(Unary):
    key: tuple[Item, ...] = attribute(listed(item), default=())


@dataclass(frozen=True)
class Split(Unary):
    """`sections`: how many equal parts, or where to cut."""

    sections: int | tuple[int, ...] = attribute(
        lambda value: tuple(map(integer(), value)) if isinstance(value, (list, tuple)) else integer(1)(value), default=1
    )
    axis: int = attribute(integer(), default=0)


@dataclass(frozen=True)
class Tile(Unary):
    repeats: tuple[int, ...] = attribute(listed(integer(0)), default=())


@dataclass(frozen=True)
class Cast(Unary):
    dtype: str = attribute(only("dtype", *FLOATS, *INTEGERS), default="float32")


@dataclass(frozen=True)
class Join:
    values: tuple[Operand | Constant, ...] = operands()
    axis: int = attribute(integer(), default=-1)


@dataclass(frozen=True)
class Blocks(Unary):
    block_size: int = attribute(integer(2), default=2)


def moving(move: Callable[..., np.ndarray]) -> Forward:
    """A row's forward from what (attributes, an array, the node's inputs) → array does to one field."""

    def run(attrs: Any, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
        return moved(taken(attrs.x, inputs, context.arithmetic), lambda v: move(attrs, v, inputs))

    return run


def reshape(attrs: Reshape, v: np.ndarray, inputs: Sequence[Enclosure]) -> np.ndarray:
    return v.reshape([number_of(n, inputs) for n in attrs.shape])


def transpose(attrs: Transpose, v: np.ndarray, inputs: Sequence[Enclosure]) -> np.ndarray:
    return v.transpose(attrs.perm)


def expand_dims(attrs: ExpandDims, v: np.ndarray, inputs: Sequence[Enclosure]) -> np.ndarray:
    return np.expand_dims(v, attrs.axis)


def squeeze(attrs: Squeeze, v: np.ndarray, inputs: Sequence[Enclosure]) -> np.ndarray:
    return np.squeeze(v, attrs.axis or None)


def flip(attrs: Flip, v: np.ndarray, inputs: Sequence[Enclosure]) -> np.ndarray:
    return np.flip(v, attrs.axis)


def tile(attrs: Tile, v: np.ndarray, inputs: Sequence[Enclosure]) -> np.ndarray:
    return np.tile(v, attrs.repeats)


def get_item(attrs: GetItem, v: np.ndarray, inputs: Sequence[Enclosure]) -> np.ndarray:
    return v[tuple(_index(part, inputs) for part in attrs.key)]


def depth_to_space(attrs: Blocks, v: np.ndarray, inputs: Sequence[Enclosure]) -> np.ndarray:
    """(N, H, W, b·b·C) → (N, b·H, b·W, C)."""
    n, height, width, depth = v.shape
    b = attrs.block_size
    blocks = v.reshape(n, height, width, b, b, depth // b**2).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(n, height * b, width * b, depth // b**2)


def space_to_depth(attrs: Blocks, v: np.ndarray, inputs: Sequence[Enclosure]) -> np.ndarray:
    """(N, b·H, b·W, C) → (N, H, W, b·b·C)."""
    n, height, width, depth = v.shape
    b = attrs.block_size
    blocks = v.reshape(n, height // b, b, width // b, b, depth).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(n, height // b, width // b, b * b * depth)


def _index(part: Item, inputs: Sequence[Enclosure]) -> Any:
    def at(value: int | Operand | None) -> int | None:
        return None if value is None else number_of(value, inputs)

    if part == ELLIPSIS:
        return Ellipsis
    if isinstance(part, Slice):
        return slice(at(part.start), at(part.stop), at(part.step))
    return part if part is None else number_of(part, inputs)  # type: ignore[arg-type]


def pad(attrs: Pad, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """`value` around x; nothing around its radii."""
    mid, *rest = taken(attrs.x, inputs, context.arithmetic).full()
    value = context.arithmetic.format.round(attrs.value) if mid.dtype.kind == "f" else attrs.value
    return Enclosure(np.pad(mid, attrs.paddings, constant_values=value), *(np.pad(v, attrs.paddings) for v in rest))


def split(attrs: Split, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> tuple[Enclosure, ...]:
    """The parts of x along `axis`, each an output."""
    fields = taken(attrs.x, inputs, context.arithmetic).full()
    where = attrs.sections if isinstance(attrs.sections, int) else list(attrs.sections)
    return tuple(Enclosure(*parts) for parts in zip(*(np.split(v, where, attrs.axis) for v in fields), strict=True))


def concatenate(attrs: Join, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    return _joined(np.concatenate, attrs, inputs, context)


def stack(attrs: Join, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    return _joined(np.stack, attrs, inputs, context)


def _joined(how: Any, attrs: Join, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    given = tuple(taken(value, inputs, context.arithmetic) for value in attrs.values)
    try:
        return join(lambda parts: how(parts, axis=attrs.axis), given)
    except ValueError:
        shapes = ", ".join(str(e.mid.shape) for e in given)
        raise UnreadableModel(f"shapes {shapes} cannot be joined along axis {attrs.axis}") from None


def shape(attrs: Unary, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """The lengths of x, integers."""
    return Enclosure(np.array(taken(attrs.x, inputs, context.arithmetic).mid.shape, dtype=np.int32))


def cast(attrs: Cast, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """x in another dtype: to integers without what is behind the point, to floats rounded.

    Not `exact`: in XLA what is cast may never have been rounded to the dtype that it has.
    """
    x = taken(attrs.x, inputs, context.arithmetic)
    if attrs.dtype in INTEGERS:
        return Enclosure(np.trunc(x.mid).astype(attrs.dtype))
    floats = Enclosure(x.mid.astype(np.float64), x.sigma, x.worst, x.floor, x.overflow)
    return replace(context.arithmetic, format=FLOATS[attrs.dtype]).store(floats, FLOAT64)


def swap_axes(attrs: SwapAxes, v: np.ndarray, inputs: Sequence[Enclosure]) -> np.ndarray:
    return v.swapaxes(position(attrs.one, v.ndim), position(attrs.other, v.ndim))


MOVES: dict[str, tuple[type, Callable[..., np.ndarray]]] = {
    "reshape": (Reshape, reshape),
    "transpose": (Transpose, transpose),
    "expand_dims": (ExpandDims, expand_dims),
    "squeeze": (Squeeze, squeeze),
    "flip": (Flip, flip),
    "tile": (Tile, tile),
    "get_item": (GetItem, get_item),
    "swapaxes": (SwapAxes, swap_axes),
    "depth_to_space": (Blocks, depth_to_space),
    "space_to_depth": (Blocks, space_to_depth),
}

ROWS = (
    *(Row(f"ops.{n}", a, moving(f), exact=True, source=f"keras.ops.{n}, tf.{n}") for n, (a, f) in MOVES.items()),
    Row("ops.pad", Pad, pad, exact=True, source="keras.ops.pad, tf.pad"),
    Row("ops.split", Split, split, exact=True, source="keras.ops.split, tf.split"),
    Row("ops.concatenate", Join, concatenate, exact=True, source="keras.ops.concatenate, tf.concat"),
    Row("ops.stack", Join, stack, exact=True, source="keras.ops.stack, tf.stack"),
    Row("ops.shape", Unary, shape, exact=True, source="tf.shape"),
    Row("ops.cast", Cast, cast, source="keras.ops.cast, tf.cast"),
)
