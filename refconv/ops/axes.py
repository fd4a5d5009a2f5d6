"""Small arithmetic of axes, and how layers read integers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure


def position(axis: int, rank: int) -> int:
    """`axis` counted from the front.

    Raises:
        UnreadableModel: there is no such axis.
    """
    if not -rank <= axis < rank:
        raise UnreadableModel(f"axis {axis} does not exist in an input of {rank} dimensions")
    return axis % rank


def along(values: Mapping[str, np.ndarray], axis: int, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Vectors by name, each laid along `axis` of an input of this shape.

    Raises:
        UnreadableModel: one does not have the axis's length.
    """
    at = position(axis, len(shape))
    for name, vector in values.items():
        if vector.shape != (shape[at],):
            raise UnreadableModel(f"{name} of shape {vector.shape} does not fit axis {axis} of an input {shape}")
    return tuple(v.reshape([-1 if a == at else 1 for a in range(len(shape))]) for v in values.values())


def as_floats(e: Enclosure, arithmetic: Arithmetic) -> Enclosure:
    """Integers and booleans as the values that a layer casts them to; floats as they are."""
    if e.mid.dtype.kind == "f":
        return e
    return Enclosure(arithmetic.format.round(e.mid), e.sigma, e.worst, e.floor, e.overflow)
