"""TimeDistributed: one layer applied to every step of a sequence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import Unknown, attribute, build
from refconv.ops.base import Context, Row, Shape, Terms, Weights

# Embedding: what integers a model's input may hold is only found for those that stand alone.
LEFT_OUT = ("Embedding", "TimeDistributed")


@dataclass(frozen=True)
class Inner:
    row: Row
    attrs: Any


def inner(around: str, refused: Callable[[Row], bool]) -> Callable[[Any], Inner]:
    """Reader of {"class_name", "config"}, whose config a dialect has already translated.

    Raises, when it reads:
        Unknown: no row, or one of a layer that has steps, quantized weights or another layer inside, or is `refused`
            inside the layer `around` it.
    """

    def read(value: Any) -> Inner:
        from refconv.ops.table import TABLE  # which holds this module's row

        if not isinstance(value, Mapping) or not isinstance(value.get("config"), Mapping):
            raise ValueError("a layer is wanted")
        name = str(value.get("class_name"))
        row = TABLE.get(name)
        if row is None or row.steps or row.slots or row.inside or refused(row):
            raise Unknown(f"no reference for {name} inside {around}")
        return Inner(row, build(row.attributes, value["config"], name))

    return read


@dataclass(frozen=True)
class TimeDistributed:
    layer: Inner = attribute(inner("TimeDistributed", lambda row: row.keras in LEFT_OUT))


def shapes(attrs: TimeDistributed) -> dict[str, Shape]:
    return attrs.layer.row.weights(attrs.layer.attrs)


def time_distributed(
    attrs: TimeDistributed, weights: Weights, inputs: Sequence[Enclosure], context: Context
) -> Enclosure:
    """(N, T, …) → (N, T, …): the steps of all samples are one batch for the layer inside.

    Raises:
        UnreadableModel: the input has no axis of steps.
    """
    x = _one(inputs)
    lead = x.mid.shape[:2]
    merged = x.move(lambda v: v.reshape(-1, *v.shape[2:]))
    y = attrs.layer.row.forward(attrs.layer.attrs, weights, (merged,), context)
    assert isinstance(y, Enclosure)
    return y.move(lambda v: v.reshape(*lead, *v.shape[1:]))


def terms(
    attrs: TimeDistributed, weights: Weights, inputs: Sequence[np.ndarray], index: tuple[int, ...], context: Context
) -> Terms:
    """Those of the layer inside, for the step's place in the merged batch."""
    x, find = inputs[0], attrs.layer.row.terms
    assert find is not None  # Row.explained
    merged = x.reshape(-1, *x.shape[2:])
    return find(attrs.layer.attrs, weights, (merged,), (index[0] * x.shape[1] + index[1], *index[2:]), context)


def _one(inputs: Sequence[Enclosure]) -> Enclosure:
    if len(inputs) != 1 or inputs[0].mid.ndim < 3:
        shapes = ", ".join(str(e.mid.shape) for e in inputs)
        raise UnreadableModel(f"a sequence is wanted, of one tensor for every step, and not {shapes}")
    e = inputs[0]
    return e if e.exact else Enclosure(*e.full())


ROWS = (
    Row(
        "TimeDistributed",
        TimeDistributed,
        time_distributed,
        shapes,
        terms,
        source="keras.layers.TimeDistributed",
        inside=lambda attrs: (attrs.layer.row, attrs.layer.attrs),
    ),
)
