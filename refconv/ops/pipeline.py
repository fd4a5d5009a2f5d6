"""Pipeline: layers without weights, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import Unknown, attribute
from refconv.ops.base import Context, Row, Weights
from refconv.ops.time_distributed import Inner, inner

_layer = inner("Pipeline", lambda row: row.together)


def layers(value: Any) -> tuple[Inner, ...]:
    """Reader of a list of layers.

    Raises:
        Unknown: one of them has no reference here, or holds weights: a file names those otherwise.
    """
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError("a list of layers is wanted")
    found = tuple(_layer(item) for item in value)
    for one in found:
        if one.row.weights(one.attrs):
            raise Unknown(f"no reference for {one.row.keras}, which has weights, inside Pipeline")
    return found


@dataclass(frozen=True)
class Pipeline:
    layers: tuple[Inner, ...] = attribute(layers)


def pipeline(attrs: Pipeline, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """Each layer on what the one before may have given: its radii are carried through."""
    found = tuple(inputs)
    for layer in attrs.layers:
        result = layer.row.forward(layer.attrs, {}, found, context)
        found = (result,) if isinstance(result, Enclosure) else result
    return found[0]


ROWS = (Row("Pipeline", Pipeline, pipeline, source="keras.layers.Pipeline"),)
