"""Why a weight may have changed that no optimizer should have touched, and what a re-initialised one gives away."""

from __future__ import annotations

import re
from dataclasses import dataclass

from refconv.graph import Weight
from refconv.inventory.change import Change
from refconv.inventory.initial import Drawn, Fresh, fresh, initialiser
from refconv.inventory.pairing import Pair
from refconv.inventory.sides import Layer, Side

APART = 0.3  # RMS change over the weight's size: below it the two still have most in common

MOVING = "moving statistics"
FRESH = "re-initialised"
UNRELATED = "no relation"
WAS_TRAINED = "trained before it was frozen"
STATE = "state of the layer"
FLAG = "the flag and the training"
LEAKED = "training mode in a frozen layer"
OTHER = "another model"


@dataclass(frozen=True)
class Cause:
    """Why. `certain` where the files show it; else it is what may have been, and no file records it."""

    kind: str
    text: str
    certain: bool


def causes(name: str, pair: Pair, a: Weight, b: Weight, found: Change, sides: tuple[Side, Side]) -> tuple[Cause, ...]:
    """The causes that a changed weight has, or may have; none for one that was free to be trained."""
    from refconv.formats.matching import STATISTICS

    if new := _fresh(name, pair, a, b, found):
        return (new,)
    if b.trainable:
        return ()
    if (trained := _recorded(pair.path, b, sides)) is not None:
        return (trained,)
    if name.rpartition("/")[2] in STATISTICS:
        return _statistics(name, pair, sides[1])
    if a.trainable:
        return (Cause(WAS_TRAINED, f"{sides[0].label} says trainable, {sides[1].label} does not", False), _flag())
    return (_flag(), Cause(OTHER, "the two files may not be of one training at all", False))


def _fresh(name: str, pair: Pair, a: Weight, b: Weight, found: Change) -> Cause | None:
    if found.changed < 0.99 * found.elements:
        return None
    if (seen := _seen(pair.b, name, b, a, found.relative)) is not None:
        return Cause(FRESH, f"it is {_described(seen)}", True)
    seen = _seen(pair.a, name, a, b, found.relative)
    if seen is None or seen.drawn.shape == "constant":  # where every training begins
        return None
    return Cause(UNRELATED, f"the first is {_described(seen)}: the second was not trained from it", True)


def _seen(layer: Layer | None, name: str, weight: Weight, other: Weight, relative: float) -> Fresh | None:
    drawn = _drawn(layer, name, weight)
    if drawn is None or (drawn.shape != "constant" and relative < APART):
        return None
    return fresh(weight, other, drawn)


def _drawn(layer: Layer | None, name: str, weight: Weight) -> Drawn | None:
    if layer is None or layer.node is None:
        return None
    return initialiser(layer.node.origin.config, name, weight.shape)


def _described(seen: Fresh) -> str:
    drawn = seen.drawn
    if drawn.shape == "constant":
        return f"all {drawn.mean:g}, as its initialiser ({drawn.name}) leaves it"
    related = "" if seen.correlation is None else f", correlation with the other {seen.correlation:+.2f}"
    return (
        f"as drawn by its initialiser ({drawn.name}): standard deviation {seen.deviation:.3g}, where that draws "
        f"{drawn.deviation:.3g}{related}"
    )


def _statistics(name: str, pair: Pair, side: Side) -> tuple[Cause, ...]:
    kind = pair.b.type if pair.b else ""
    if "atchnorm" not in kind.lower() and not name.startswith("moving_"):
        return (Cause(STATE, "the layer itself sets it, no optimizer does", True),)
    moves = Cause(MOVING, "they move whenever the layer runs in training mode; no optimizer changes them", True)
    if not _frozen(pair.b):
        return (moves,)
    return (moves, Cause(LEAKED, _leak(side.keras_version), False))


def _frozen(layer: Layer | None) -> bool:
    return layer is not None and not any(weight.trainable for weight in layer.weights.values())


def _leak(version: str) -> str:
    """Since 2.1.3 Keras keeps the statistics of a frozen layer (its release notes), unless it is called otherwise."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    if found and tuple(map(int, found.groups())) < (2, 1, 3):
        return f"Keras {version}, which wrote the file, moves them in a frozen layer too"
    return (
        "in a frozen layer they move where the flag was set after the training, or where only the optimizer was kept "
        "from the layer (a training loop of one's own that runs it in training mode), or by Keras before 2.1.3"
    )


def _flag() -> Cause:
    text = (
        "`trainable` may have been set after compile(), which goes on with the weights that were trainable then, or "
        "after the training; no file records when"
    )
    return Cause(FLAG, text, False)


def _recorded(path: str, weight: Weight, sides: tuple[Side, Side]) -> Cause | None:
    """In a recording: a time between the two at which the weight was trainable."""
    a, b = sides
    if a.log is None or b.log is None or a.time is None or b.time is None or a.log.path != b.log.path:
        return None
    first, last = sorted((a.time.index, b.time.index))
    number = next((w.number for w in b.log.weights if w.layer == path and w.at(b.time).path == weight.path), None)
    if number is None:
        return None
    trained = next((t for t in b.log.times[first : last + 1] if b.log.trainable[t.index, number]), None)
    return Cause(WAS_TRAINED, f"it was trainable at {trained.label}", True) if trained else None
