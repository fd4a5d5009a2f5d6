"""Pipeline: layers without weights, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import Unknown, attribute, build
from refconv.ops.base import Context, Row, Weights
from refconv.ops.time_distributed import Inner


def inner(value: Any) -> Inner:
    """Reader of {"class_name", "config"}, whose config a dialect has already translated.

    Raises:
        Unknown: no row, or one of a layer that holds weights, steps or other layers: a file names those otherwise.
    """
    from refconv.ops.table import TABLE  # which holds this module's row

    if not isinstance(value, Mapping) or not isinstance(value.get("config"), Mapping):
        raise ValueError("a layer is wanted")
    name = str(value.get("class_name"))
    row = TABLE.get(name)
    if row is None or row.steps or row.slots or row.inside or row.together:
        raise Unknown(f"no reference for {name} inside Pipeline")
    attrs = build(row.attributes, value["config"], name)
    if row.weights(attrs):
        raise Unknown(f"no reference for {name}, which has weights, inside Pipeline")
    return Inner(row, attrs)


def inners(value: Any) -> tuple[Inner, ...]:
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError("a list of layers is wanted")
    return tuple(inner(item) for item in value)


@dataclass(frozen=True)
class Pipeline:
    layers: tuple[Inner, ...] = attribute(inners)


def pipeline(attrs: Pipeline, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """Each layer on what the one before may have given: its radii are carried through."""
    found = tuple(inputs)
    for layer in attrs.layers:
        result = layer.row.forward(layer.attrs, {}, found, context)
        found = (result,) if isinstance(result, Enclosure) else result
    return found[0]


ROWS = (Row("Pipeline", Pipeline, pipeline, source="keras.layers.Pipeline"),)
