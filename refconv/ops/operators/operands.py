"""What an operator works on: tensors, given by their place among the node's inputs, and constants of the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass
from typing import Any

import numpy as np

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import Reader, Unknown, attribute, integer, number


@dataclass(frozen=True)
class Operand:
    """The node's input number `index`."""

    index: int


Constant = float | int | tuple[Any, ...]


def constant(value: Any) -> Constant:
    """A number, or lists of numbers nested to any depth, as tuples."""
    if isinstance(value, (list, tuple)):
        return tuple(constant(item) for item in value)
    return value if isinstance(value, int) else number(value)


def operand(default: Any = MISSING) -> Any:
    """An attribute that is a tensor or a constant."""

    def read(value: Any) -> Operand | Constant:
        return value if isinstance(value, Operand) else constant(value)

    return attribute(read, default=default)


def operands() -> Any:
    """An attribute of several tensors or constants."""

    def read(value: Any) -> tuple[Operand | Constant, ...]:
        several = value if isinstance(value, (list, tuple)) else [value]
        if not any(isinstance(item, Operand) for item in several):
            raise ValueError("a list of tensors is wanted")
        return tuple(item if isinstance(item, Operand) else constant(item) for item in several)

    return attribute(read)


def whole(value: Any) -> int | Operand:
    """An integer, which may be a tensor's."""
    return value if isinstance(value, Operand) else integer()(value)


def listed(read: Reader) -> Reader:
    """One value or several, as a tuple."""
    return lambda value: tuple(map(read, value if isinstance(value, (list, tuple)) else [value]))


def only(what: str, *known: Any) -> Reader:
    """Reader of a field with a reference for these values alone."""

    def read(value: Any) -> Any:
        if value not in known:
            raise Unknown(f"{what} = {value!r} has no reference")
        return value

    return read


def taken(value: Operand | Constant, inputs: Sequence[Enclosure], arithmetic: Arithmetic) -> Enclosure:
    """The enclosure behind an attribute; constants are rounded to the format that the operator computes in."""
    if isinstance(value, Operand):
        return inputs[value.index]
    array = np.asarray(value)
    return Enclosure(np.asarray(arithmetic.format.round(array)) if array.dtype.kind == "f" else array)


def moved(e: Enclosure, move: Callable[[np.ndarray], np.ndarray]) -> Enclosure:
    """Every field moved; those that only broadcast to mid's shape are filled out first, unless none has a shape."""
    scalar = not any(map(np.ndim, (e.sigma, e.worst, e.floor, e.overflow)))
    return e.move(move) if scalar else Enclosure(*e.full()).move(move)


def number_of(value: int | Operand, inputs: Sequence[Enclosure]) -> int:
    return int(inputs[value.index].mid.reshape(())) if isinstance(value, Operand) else value
