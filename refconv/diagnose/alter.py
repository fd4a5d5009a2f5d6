"""Layer calls altered, for rules: by rows of the counterfactuals, before or after the layer's quantizers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.compare.counterfactuals.table import ROWS
from refconv.diagnose.rule import Change, Question
from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure
from refconv.ops.activations import Activation
from refconv.ops.base import Slot
from refconv.ops.spatial import CHANNELS_FIRST, CHANNELS_LAST
from refconv.ops.table import TABLE
from refconv.quantizers.base import Quantizer

Alter = Callable[[Case], Case]


def quantizes(case: Case) -> bool:
    """Whether the layer has weights that are quantized, and they are at hand as stored."""
    return TABLE[case.node.type].slots is not None and bool(case.stored) and bool(slots_of(case))


@dataclass(frozen=True)
class Requantized(Case):
    """A case whose weights were made anew. Their enclosures take long where a scale is searched for."""

    @cached_property
    def made(self) -> Mapping[str, Enclosure]:
        return _enclosed(self)


def effective(case: Case) -> Mapping[str, Enclosure]:
    """The effective weights that the case's attributes make of its stored ones."""
    return case.made if isinstance(case, Requantized) else _enclosed(case)


def _enclosed(case: Case) -> dict[str, Enclosure]:
    with np.errstate(all="ignore"):
        return {name: slot.effective for name, slot in slots_of(case).items()}


def slots_of(case: Case) -> Mapping[str, Slot]:
    """What the case's attributes make of its stored weights, by the weight's name."""
    slots = TABLE[case.node.type].slots
    assert slots is not None
    return slots(case.attrs, case.stored)


def requantized(case: Case) -> Case:
    """The case with the weights that its attributes make of its stored ones."""
    with np.errstate(all="ignore"):
        weights = {name: _values(slot) for name, slot in slots_of(case).items()}
    return Requantized(**{**{f.name: getattr(case, f.name) for f in fields(Case)}, "weights": weights})


def _values(slot: Slot) -> np.ndarray:
    made = slot.quantizer.quantize(slot.raw.mid).values if slot.quantizer else slot.raw.mid
    return np.asarray(made, np.float32)


def with_stored(case: Case, alter: Alter) -> Case:
    """`alter` done to the weights of the file; a quantized layer then quantizes what comes out."""
    if not quantizes(case):
        return alter(case)
    raw = alter(replace(case, weights=case.stored))
    return requantized(replace(raw, stored=raw.weights))


def both(case: Case, alter: Alter) -> Iterator[Case]:
    """`alter` done to what is multiplied by and, in a quantized layer, to what is stored: quantizers may tell."""
    direct = alter(case)
    yield direct
    if quantizes(case) and any(direct.weights.get(n) is not w for n, w in case.weights.items()):
        yield with_stored(case, alter)


def by_rows(*names: str, label: str = "", fix: str = "", line: str = "") -> Callable[[Question], Iterator[Change]]:
    """Proposes what the counterfactuals of these names do."""
    rows = [row for row in ROWS if row.name in names]
    assert {row.name for row in rows} == set(names), names

    def propose(question: Question) -> Iterator[Change]:
        for row in rows:
            if row.concerns(question.case):
                for case in both(question.case, row.alter):
                    yield Change(label, case, fix, line)

    return propose


def spatial_axes(case: Case, rank: int = 2) -> tuple[int, ...]:
    """The axes of height and width (…) in the layer's inputs and outputs."""
    first = 2 if getattr(case.attrs, "data_format", CHANNELS_LAST) == CHANNELS_FIRST else 1
    return tuple(range(first, first + rank))


def quantizers(case: Case) -> dict[str, Quantizer]:
    """Every quantizer of the layer, by the attribute that holds it; "activation" too."""
    held = {f.name: getattr(case.attrs, f.name) for f in fields(case.attrs)}
    found = {name: v.quantizer if isinstance(v, Activation) else v for name, v in held.items()}
    return {name: q for name, q in found.items() if isinstance(q, Quantizer)}


def with_quantizers(case: Case, **changes: Quantizer) -> Case:
    """The case with other quantizers, and the weights that they make."""
    names = {name: Activation(q.name, quantizer=q) if name == "activation" else q for name, q in changes.items()}
    altered = case.with_attrs(**names)
    return requantized(altered) if quantizes(case) and set(changes) != {"activation"} else altered


Turn = Callable[[Quantizer], Iterable[tuple[str, Quantizer]]]


def by_quantizer(turn: Turn) -> Callable[[Question], Iterator[Change]]:
    """Proposes each quantizer of a layer turned into another, and all of them together where there are several.

    `turn` gives the others with labels; those that are no other are left out.
    """

    def propose(question: Question) -> Iterator[Change]:
        case, together = question.case, dict[str, dict[str, Quantizer]]()
        for name, quantizer in quantizers(case).items():
            for label, other in turn(quantizer):
                if other != quantizer and not quantizer.random:
                    together.setdefault(label, {})[name] = other
                    yield from _turned(f"{label}, {name.removesuffix('_quantizer')}", case, {name: other})
        for label, changes in together.items():
            if len(changes) > 1:
                yield from _turned(f"{label}, all quantizers", case, changes)

    return propose


def _turned(label: str, case: Case, changes: Mapping[str, Quantizer]) -> Iterator[Change]:
    """Nothing where another quantizer needs what the weights have not, such as an axis."""
    with suppress(UnreadableModel):
        yield Change(label, with_quantizers(case, **changes))


def has(quantizer: Quantizer, *names: str) -> bool:
    return all(hasattr(quantizer, name) for name in names)
