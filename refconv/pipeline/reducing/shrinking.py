"""The search: one label after another, ever fewer places of it, as long as the case fails in the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Any

import numpy as np

from refconv.errors import RefconvError
from refconv.pipeline.options import Progress
from refconv.pipeline.reducing.case import Case
from refconv.pipeline.reducing.judging import Judge, Outcome, same_fault
from refconv.pipeline.reducing.layout import NEIGHBOURS, Layout, layouts

FEW = 4  # so many first and last places are tried one by one


@dataclass(frozen=True)
class Spent:
    """What a search took: cases that were run, and whether time ended it."""

    cases: int
    complete: bool


class Shrinking:
    """The smallest case so far.

    Args:
        judge: runs a case.
        start: a case that fails.
        deadline: of `time.monotonic`, after which nothing more is run.
    """

    def __init__(self, judge: Judge, start: Outcome, deadline: float, progress: Progress) -> None:
        self.best, self._judge, self._deadline, self._progress = start, judge, deadline, progress
        self._known: set[bytes] = {_print(start.case)}
        self._begun, self.cases = time.monotonic(), 0

    @property
    def late(self) -> bool:
        return time.monotonic() > self._deadline

    @property
    def spent(self) -> Spent:
        return Spent(self.cases, not self.late)

    def attempt(self, make: Callable[[], Case]) -> bool:
        """Take the case for the best one if it fails in the same way; False where it does not, or time is up."""
        try:
            case = make()
        except RefconvError:
            return False
        if self.late or (mark := _print(case)) in self._known:
            return False
        self._known.add(mark)
        self.cases += 1
        self._progress(f"reducing {self.best.case.node.name}: {described(self.best.case)}", self._share())
        found = self._judge(case)
        if found is None or not same_fault(self.best.fault, found.fault):
            return False
        self.best = found
        return True

    def _share(self) -> float:
        now = time.monotonic()
        return min(1.0, (now - self._begun) / max(self._deadline - self._begun, 1e-9))

    def sizes(self) -> None:
        """Leave out samples, places, channels, taps …, and simplify fields, until nothing more can go."""
        while not self.late:
            before = self.best
            self._fields()
            for number in range(len(list(layouts(self.best.case)))):
                self._along(number)
            if self.best is before:
                return

    def _along(self, number: int) -> None:
        """By one way of laying the case out."""
        done: set[str] = set()
        while not self.late:
            layout = next((each for n, each in enumerate(layouts(self.best.case)) if n == number), None)
            label = next((name for name in layout.labels if name not in done), None) if layout else None
            if layout is None or label is None:
                return
            done.add(label)
            self._label(layout, label)

    def _label(self, layout: Layout, label: str) -> None:
        size = layout.sizes[label]
        place = layout.place(self.best.index, self.best.expected.shape).get(label)
        case = self.best.case
        proposed = (
            runs(size, place) if label in NEIGHBOURS else subsets(size, [*_first(place), loudest(layout, case, label)])
        )
        kept = np.arange(size)
        for keep in proposed:
            if self.attempt(partial(layout.take, case, label, keep)):
                kept = keep
                break
        if label not in NEIGHBOURS and len(kept) > 1:
            self._halve(label)

    def _halve(self, label: str) -> None:
        """Delta debugging (Zeller and Hildebrandt, 2002): leave out a half, a quarter … as long as something goes."""
        parts = 2
        while not self.late:
            layout, case = _layout_with(self.best.case, label), self.best.case
            size = layout.sizes.get(label, 1) if layout else 1
            if layout is None or size < 2:
                return
            parts = min(parts, size)
            pieces = np.array_split(np.arange(size), parts)
            rests = [np.concatenate([p for other, p in enumerate(pieces) if other != n]) for n in range(parts)]
            tries = [*pieces, *rests] if parts == 2 else rests
            if any(self.attempt(partial(layout.take, case, label, keep)) for keep in tries):
                parts = max(parts - 1, 2)
            elif parts == size:
                return
            else:
                parts = min(2 * parts, size)

    def _fields(self) -> None:
        """Plain attributes in place of others: no activation, no bias, no strides, no dilation."""
        for changes, names in simpler(self.best.case):
            self.attempt(partial(_without, self.best.case, changes, names))


def _without(case: Case, changes: Mapping[str, Any], names: Sequence[str]) -> Case:
    """With other fields, and without the weights of these names."""
    kept = {name: w for name, w in case.weights.items() if name not in names}
    found = case.altered(changes, weights=kept)
    held = {name: old for name, old in found.node.weights.items() if name in kept}
    return replace(found, node=replace(found.node, weights=held))


def simpler(case: Case) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    """Changes of the configuration, and the weights that go with each."""
    config = case.config
    if config.get("activation") not in (None, "linear") and not case.node.type.startswith("QActivation"):
        yield {"activation": "linear"}, ()
    if config.get("use_bias") is True and "bias" in case.weights:
        yield {"use_bias": False}, ("bias",)
    for name in ("strides", "dilation_rate"):
        value = config.get(name)
        if isinstance(value, (list, tuple)) and any(v != 1 for v in value):
            yield {name: [1] * len(value)}, ()
        elif isinstance(value, int) and value != 1:
            yield {name: 1}, ()


def runs(size: int, place: int | None) -> Iterator[np.ndarray]:
    """Neighbours: short runs before long ones, at the place of the worst element, at the start and at the end."""
    length = 1
    while length < size:
        middle = min(max((place or 0) - length // 2, 0), size - length)
        for start in dict.fromkeys((0, middle, size - length)):
            yield np.arange(start, start + length)
        length = length + 1 if length < 4 else length + length // 2


def subsets(size: int, likely: list[int]) -> Iterator[np.ndarray]:
    """Single places: the likely ones, then the first and the last few."""
    for place in dict.fromkeys([*likely, *range(min(FEW, size)), *range(max(size - FEW, 0), size)]):
        yield np.array([place])


def loudest(layout: Layout, case: Case, label: str) -> int:
    """The place of a label whose numbers are largest, over all arrays."""
    size = layout.sizes[label]
    total = np.ones(size)
    for x, axes in [
        *zip(case.inputs, layout.inputs, strict=True),
        *((case.weights[n], a) for n, a in layout.weights.items()),
    ]:
        for number, axis in enumerate(axes):
            if axis == (label,) and x.dtype.kind == "f":
                total *= np.abs(np.moveaxis(x, number, 0).reshape(size, -1).astype(np.float64)).sum(1)
    return int(np.argmax(total))


def _first(place: int | None) -> list[int]:
    return [] if place is None else [place]


def _layout_with(case: Case, label: str) -> Layout | None:
    return next((each for each in layouts(case) if label in each.labels), None)


def described(case: Case) -> str:
    """ "1×2×2×1, kernel 2×2×1×1, bias 1"."""
    shapes = [*("×".join(map(str, x.shape)) for x in case.inputs)]
    weights = [f"{name} {'×'.join(map(str, w.shape)) or 'scalar'}" for name, w in case.weights.items()]
    return ", ".join([*shapes, *weights])


def _print(case: Case) -> bytes:
    """What tells two cases apart."""
    found = sha256(repr(sorted(case.config.items(), key=lambda item: item[0])).encode())
    for x in (*case.inputs, *case.weights.values()):
        found.update(repr((x.shape, x.dtype.str)).encode() + np.ascontiguousarray(x).tobytes())
    return found.digest()
