"""Embedding: rows of a table, looked up by integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refconv.errors import BadInput
from refconv.numerics.enclosure import Enclosure, point
from refconv.ops.attributes import attribute, flag, integer
from refconv.ops.base import Context, Row, Shape, Weights


@dataclass(frozen=True)
class Embedding:
    """`mask_zero` marks padding for later layers; the values looked up are the same."""

    input_dim: int = attribute(integer(1))
    output_dim: int = attribute(integer(1))
    mask_zero: bool = attribute(flag, default=False)


def looks_up(attrs: Any) -> bool:
    """True for a layer that takes integers, each a row of its table: not for one that is called in reverse."""
    return isinstance(attrs, Embedding) and not getattr(attrs, "reverse", False)


def shapes(attrs: Embedding) -> dict[str, Shape]:
    return {"embeddings": (attrs.input_dim, attrs.output_dim)}


def embedding(attrs: Embedding, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """(…) integers → (…, output_dim); floats are cut to integers, as Keras casts them.

    Raises:
        BadInput: an index that the table does not have. (TensorFlow refuses it on CPU and returns zeros on GPU.)
    """
    index = inputs[0].mid.astype(np.int64)
    if wrong := index[(index < 0) | (index >= attrs.input_dim)].tolist():
        raise BadInput(f"index {wrong[0]} is not one of the {attrs.input_dim} rows of an Embedding")
    return point(weights["embeddings"][index])


ROWS = (Row("Embedding", Embedding, embedding, shapes, exact=True, source="keras.layers.Embedding"),)
