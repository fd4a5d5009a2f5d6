"""Change stored weights in a copy of a model file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from refconv import formats
from refconv.errors import BadInput
from refconv.formats.container import identify
from refconv.formats.replacing import demand_apart
from refconv.formats.rewriting import rewrite
from refconv.formats.source import needs_architecture
from refconv.graph import Weight
from refconv.inventory.difference import matches
from refconv.inventory.pairing import pair_layers, pair_weights
from refconv.inventory.sides import Side, of_graph, read_side

INDEX = re.compile(r"(?P<target>.+)\[(?P<index>[\d\s:,.+-]*)\]")
Step = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class EditedWeight:
    """One weight of the copy: `changed` of its `elements` differ from the source."""

    label: str
    shape: tuple[int, ...]
    elements: int
    changed: int


@dataclass(frozen=True)
class Edited:
    """The copy, and its weights that were asked for, in the model's order."""

    path: str
    weights: tuple[EditedWeight, ...]


@dataclass(frozen=True)
class Target:
    """One stored weight and its label, layer/name."""

    layer: str
    label: str
    weight: Weight


def edit(
    model: str | Path,
    output: str | Path,
    *,
    set: Sequence[str] = (),  # noqa: A002 - as the option is called
    scale: Sequence[str] = (),
    take: Sequence[str] = (),
    architecture: str | Path | None = None,
) -> Edited:
    """Write a copy of `model` with other stored weights, everything else byte for byte as it was.

    Weights are taken from other files first, then set, then scaled. A pattern (`*`, `?`, `[…]`) stands for whole
    layers, by path or name, or for weights: "conv1/kernel", "*/bias".

    Args:
        set: "PATTERN=NUMBER", or of weights a part: "conv1/kernel[0,:,...]=0.5".
        scale: "PATTERN=FACTOR", parts likewise.
        take: "FILE", or "LAYERS=FILE" for layers of that pattern: their weights from another model file, or a recording
            at one time; layers are matched as `diff` matches them.
        architecture: what `model.to_json()` gave, where `model` holds weights alone.

    Raises:
        BadInput: nothing to do, a pattern or file that matches nothing, a number or index that does not fit, or an
            output that is one of the sources or cannot be written.
        UnreadableModel: see `refconv.load`; or a weight that the file does not store as the layer holds it (Keras 1,
            Theano).
    """
    path, target = Path(model), Path(output)
    needed = architecture if architecture and needs_architecture(path) else None
    side = of_graph(formats.load(path, needed, subclassed=True), str(path))
    steps = _steps(side, set, scale, take)
    if not steps:
        raise BadInput("nothing is to be changed", where="edit", hint="--set, --scale or --from")
    for source in (path, *(Path(_split_take(text)[1].rpartition("@")[0] or _split_take(text)[1]) for text in take)):
        _refuse_same(source, target)
    places = {t.label: t for t in _targets(side)}
    done: dict[str, EditedWeight] = {}

    def make(label: str) -> Callable[[], np.ndarray]:
        return lambda: _made(places[label], steps[label], done)

    rewrite(path, identify(path), {_place(places[label]): make(label) for label in places if label in steps}, target)
    return Edited(str(target), tuple(done[label] for label in places if label in done))


def _refuse_same(source: Path, target: Path) -> None:
    demand_apart(target, source)
    if target.is_dir() or not target.absolute().parent.is_dir():
        raise BadInput("there is no such file to write", where=str(target))


def _targets(side: Side) -> Iterator[Target]:
    for layer in side.layers.values():
        for name, weight in layer.weights.items():
            yield Target(layer.path, f"{layer.path}/{name}", weight)


def _place(target: Target) -> str:
    """The dataset of a weight.

    Raises:
        BadInput: it is put together from several, stored in another order, or of a type that is not written.
    """
    weight = target.weight
    if weight.stored is None:
        what = "is not stored as the layer holds it (Keras 1, or kernels that Theano rotated), and cannot be edited"
        raise BadInput(what, where=target.label)
    if weight.dtype == "bfloat16":
        raise BadInput("is stored in bfloat16, which is not written", where=target.label)
    return str(weight.path)


def _made(target: Target, steps: Sequence[Step], done: dict[str, EditedWeight]) -> np.ndarray:
    old = target.weight.value
    new = old.copy()
    for step in steps:
        new = step(new)
    changed = int(np.count_nonzero((old != new) & ~((old != old) & (new != new))))
    done[target.label] = EditedWeight(target.label, target.weight.shape, old.size, changed)
    return new


def _steps(side: Side, settings: Sequence[str], scales: Sequence[str], take: Sequence[str]) -> Mapping[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for text in take:
        for target, other in _taken(side, text):
            found.setdefault(target.label, []).append(_replaced(target, other))
    for option, texts in (("--set", settings), ("--scale", scales)):
        for text in texts:
            for target, index, number in _chosen(side, text, option):
                found.setdefault(target.label, []).append(_step(option, target, index, number))
    return found


def _replaced(target: Target, other: Weight) -> Step:
    return lambda values: other.value.astype(values.dtype).reshape(values.shape)


def _step(option: str, target: Target, index: tuple[Any, ...] | None, number: float) -> Step:
    """Also tried at once on a stand-in of the weight's shape, which takes no memory, so that a bad index is found."""
    where, dtype = index if index is not None else (), np.dtype(target.weight.dtype)
    try:
        np.broadcast_to(np.zeros((), dtype), target.weight.shape)[where]
    except IndexError as error:
        raise BadInput(
            f"{error}", where=f"{option} {target.label}", hint=f"its shape is {target.weight.shape}"
        ) from None
    if dtype.kind not in "f" and (option == "--scale" or number != int(number)):
        raise BadInput(f"holds {dtype}, no floating-point numbers", where=f"{option} {target.label}")

    def step(values: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", under="ignore"):
            values[where] = dtype.type(number) if option == "--set" else values[where] * dtype.type(number)
        return values

    return step


def _chosen(side: Side, text: str, option: str) -> Iterator[tuple[Target, tuple[Any, ...] | None, float]]:
    pattern, equals, value = text.rpartition("=")
    try:
        number = float(value)
    except ValueError:
        equals = ""
    if not equals or not pattern:
        raise BadInput(f"{text!r} is no PATTERN=NUMBER", where=option)
    targets = list(_targets(side))
    part = INDEX.fullmatch(pattern)
    if part is not None:  # [12] may be an index, or two letters of which the pattern takes one
        named = [t for t in targets if _is_weight(t, part["target"])]
        if named:
            yield from ((target, _index(part["index"], option), number) for target in named)
            return
    named = [t for t in targets if matches(t.layer, [pattern]) or _is_weight(t, pattern)]
    if not named:
        some = ", ".join([target.label for target in targets][:6])
        raise BadInput(f"no layer or weight matches {pattern!r}", where=option, hint=f"there are {some}")
    yield from ((target, None, number) for target in named)


def _is_weight(target: Target, pattern: str) -> bool:
    """By the whole label, or by the layer's last name and the weight's."""
    if fnmatchcase(target.label, pattern):
        return True
    short = target.label.removeprefix(target.layer.rpartition("/")[0]).lstrip("/")
    return fnmatchcase(short, pattern)


def _index(text: str, option: str) -> tuple[Any, ...]:
    """What stands in brackets: integers, slices, one "..."."""
    found = tuple(_item(item.strip(), option) for item in text.split(","))
    if found.count(Ellipsis) > 1:
        raise BadInput(f"[{text}] has several '...'", where=option)
    return found


def _item(text: str, option: str) -> Any:
    if text == "...":
        return Ellipsis
    numbers = text.split(":")
    if len(numbers) > 3 or not all(re.fullmatch(r"[+-]?\d+", n) or (not n and len(numbers) > 1) for n in numbers):
        raise BadInput(f"{text!r} is no index", where=option, hint="0, -1, 1:3, : or ...")
    ends = [int(n) if n else None for n in numbers]
    if len(ends) == 3 and ends[2] == 0:
        raise BadInput(f"{text!r} has no step", where=option)
    return slice(*ends) if len(ends) > 1 else ends[0]


def _split_take(text: str) -> tuple[str, str]:
    """Pattern and file; a file whose own name holds "=" is found as it stands."""
    pattern, equals, path = text.partition("=")
    return ("*", text) if not equals or os.path.exists(text) else (pattern, path)


def _taken(side: Side, text: str) -> Iterator[tuple[Target, Weight]]:
    """Every weight of the layers that both have, with what it becomes; layers of other shapes are left alone."""
    pattern, path = _split_take(text)
    found, other = False, read_side(path)
    for pair in pair_layers(other.layers, side.layers):
        if pair.a is None or pair.b is None or not matches(pair.b.path, [pattern]):
            continue
        weights = pair_weights(pair.a.weights, pair.b.weights)
        if any(a is None or b is None or a.shape != b.shape for _, a, b in weights):
            if pattern != "*":
                raise BadInput(f"{pair.b.path} has weights of other shapes there", where=f"--from {path}")
            continue
        found = True
        for name, a, b in weights:
            assert a is not None and b is not None
            yield Target(pair.b.path, f"{pair.b.path}/{name}", b), a
    if not found:
        raise BadInput(f"no layer matches {pattern!r} in both files", where=f"--from {path}")
