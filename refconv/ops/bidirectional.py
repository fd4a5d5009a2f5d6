"""Bidirectional: one recurrent layer forwards, one backwards, and what becomes of their outputs.

The weights of the two are called forward_kernel, backward_kernel and so on, their steps "forward h", "backward h" …
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure, join, point
from refconv.ops import qkeras_recurrent, recurrent
from refconv.ops.attributes import Unknown, attribute, build, choice, optional
from refconv.ops.base import Close, Context, Row, Shape, States, Steps, Weights
from refconv.ops.masking import only_mask
from refconv.ops.pairwise import product, total
from refconv.ops.slots import Slot, in_words

LAYERS = {row.keras: row for family in (recurrent, qkeras_recurrent) for row in family.ROWS}


@dataclass(frozen=True)
class Direction:
    """One of the two layers; `name` is forward or backward, whichever way it runs."""

    row: Row
    attrs: Any


def direction(value: Any) -> Direction:
    """Reader of {"class_name", "config"}, whose config a dialect has already translated.

    Raises:
        Unknown: no recurrent layer that has a row.
    """
    if not isinstance(value, Mapping) or not isinstance(value.get("config"), Mapping):
        raise ValueError("a layer is wanted")
    row = LAYERS.get(str(value.get("class_name")))
    if row is None:
        raise Unknown(f"no reference for {value.get('class_name')} in two directions")
    return Direction(row, build(row.attributes, value["config"], str(value["class_name"])))


@dataclass(frozen=True)
class Bidirectional:
    """Without `backward_layer` that is `layer`, run the other way. `masks` are those of `Recurrent`.

    Layers that return sequences leave zeros at hidden steps here, and others what the last step did that was shown.
    """

    layer: Direction = attribute(direction)
    merge_mode: str | None = attribute(choice("sum", "mul", "concat", "ave", None), default="concat")
    backward_layer: Direction | None = attribute(optional(direction), default=None)
    masks: tuple[str, ...] = attribute(only_mask, default=())

    @property
    def words(self) -> dict[str, str]:
        return {f"{name} {what}": how for name, one in self.both.items() for what, how in in_words(one.attrs).items()}

    @property
    def both(self) -> dict[str, Direction]:
        turned = replace(self.layer.attrs, go_backwards=not self.layer.attrs.go_backwards)
        sides = {"forward": self.layer, "backward": self.backward_layer or replace(self.layer, attrs=turned)}
        return {name: replace(one, attrs=self._under_masks(one.attrs)) for name, one in sides.items()}

    def _under_masks(self, attrs: Any) -> Any:
        return replace(attrs, masks=self.masks, zero_output_for_mask=attrs.return_sequences) if self.masks else attrs


def shapes(attrs: Bidirectional) -> dict[str, Shape]:
    return {
        f"{name}_{weight}": shape
        for name, one in attrs.both.items()
        for weight, shape in one.row.weights(one.attrs).items()
    }


def slots(attrs: Bidirectional, weights: Weights) -> dict[str, Slot]:
    """The slots of both layers; none where neither is quantized."""
    if not any(one.row.slots for one in attrs.both.values()):
        return {}
    found: dict[str, Slot] = {}
    for name, one in attrs.both.items():
        own = _own(weights, f"{name}_")
        made = one.row.slots(one.attrs, own) if one.row.slots else {key: Slot(point(w)) for key, w in own.items()}
        found |= {f"{name}_{key}": slot for key, slot in made.items()}  # type: ignore[misc]
    return found


def bidirectional(
    attrs: Bidirectional, weights: Weights, inputs: Sequence[Enclosure], context: Context
) -> tuple[Enclosure, ...]:
    """Both layers on the same input, the backward one's sequence turned round, and merged."""
    got = [
        one.row.forward(one.attrs, _own(weights, f"{name}_"), _given(attrs, inputs, name), context)
        for name, one in attrs.both.items()
    ]
    return _merged(attrs, [y if isinstance(y, tuple) else (y,) for y in got], context)


def _widths(attrs: Bidirectional) -> dict[str, int]:
    return {
        f"{name} {state}": width
        for name, one in attrs.both.items()
        for state, width in _steps(one).widths(one.attrs).items()
    }


def _enclose(
    attrs: Bidirectional, weights: Weights, inputs: Sequence[Enclosure], recorded: States, context: Context
) -> dict[str, Enclosure]:
    found: dict[str, Enclosure] = {}
    for name, one in attrs.both.items():
        own = _own(weights, f"{name}_"), _given(attrs, inputs, name), _own(recorded, f"{name} ")
        found |= {f"{name} {key}": e for key, e in _steps(one).enclose(one.attrs, *own, context).items()}
    return found


def _outputs(
    attrs: Bidirectional, inputs: Sequence[Enclosure], recorded: States, enclosed: States, context: Context
) -> tuple[Enclosure, ...]:
    got = []
    for name, one in attrs.both.items():
        left, found = (_own(states, f"{name} ") for states in (recorded, enclosed))
        got.append(_steps(one).outputs(one.attrs, _given(attrs, inputs, name), left, found, context))
    return _merged(attrs, got, context)


def _explain(
    attrs: Bidirectional,
    weights: Weights,
    inputs: Sequence[Enclosure],
    recorded: States,
    name: str,
    index: tuple[int, ...],
    context: Context,
    close: Close,
) -> Enclosure | None:
    side, _, state = name.partition(" ")
    one = attrs.both[side]
    own = _own(weights, f"{side}_"), _given(attrs, inputs, side), _own(recorded, f"{side} ")
    return _steps(one).explain(one.attrs, *own, state, index, context, close)


def _steps(one: Direction) -> Steps:
    assert one.row.steps is not None
    return one.row.steps


def _own(named: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in named.items() if name.startswith(prefix)}


def _given(attrs: Bidirectional, inputs: Sequence[Enclosure], side: str) -> Sequence[Enclosure]:
    """The sequence; of the initial states after it, this layer's half: the forward one's come first; and a mask."""
    masks = inputs[len(inputs) - len(attrs.masks) :]
    states = inputs[1 : len(inputs) - len(masks)]
    half = len(states) // 2
    if len(states) % 2:
        raise UnreadableModel(f"{len(states)} initial states are given to two layers")
    return (inputs[0], *(states[:half] if side == "forward" else states[half:]), *masks)


def _merged(attrs: Bidirectional, got: Sequence[tuple[Enclosure, ...]], context: Context) -> tuple[Enclosure, ...]:
    """The merged output, or both; then the states of the forward layer and of the backward one."""
    (y, *states), (back, *last) = got
    if attrs.layer.attrs.return_sequences:
        back = back.move(lambda v: v[:, ::-1])
    return (*_merge(attrs.merge_mode, y, back, context), *states, *last)


def _merge(mode: str | None, y: Enclosure, back: Enclosure, context: Context) -> tuple[Enclosure, ...]:
    if mode is None:
        return y, back
    if mode == "concat":
        return (join(lambda parts: np.concatenate(parts, axis=-1), (y, back)),)
    if mode == "mul":
        return (product(y, back, context.arithmetic),)
    added = total(y, back, context.arithmetic)
    half = Enclosure(np.full_like(added.mid, 0.5))
    return (product(added, half, context.arithmetic) if mode == "ave" else added,)


STEPS = Steps(_widths, _enclose, _outputs, _explain)
ROWS = (
    Row(
        "Bidirectional",
        Bidirectional,
        bidirectional,
        shapes,
        source="keras.layers.Bidirectional",
        slots=slots,
        steps=STEPS,
    ),
    Row(
        "QBidirectional",
        Bidirectional,
        bidirectional,
        shapes,
        source="qkeras 0.9.0, QBidirectional",
        slots=slots,
        steps=STEPS,
    ),
)
