"""What changed between two models' weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from refconv.errors import BadInput
from refconv.graph import Weight
from refconv.inventory.causes import Cause, causes
from refconv.inventory.change import Change, DeadInputs, change, dead_inputs
from refconv.inventory.pairing import Pair, pair_layers, pair_weights
from refconv.inventory.sides import Side, read_side

if TYPE_CHECKING:
    from refconv.inventory.effective import EffectiveChange

SAME, CHANGED, ADDED, REMOVED, RESHAPED = "same", "changed", "added", "removed", "reshaped"


@dataclass(frozen=True)
class WeightDifference:
    """One weight, named by its layer and its own name.

    Attributes:
        layer, type: path and class of the layer, in the second model if it is there.
        name: of the weight: kernel, bias, moving_mean …
        status: "same", "changed", "added", "removed" or "reshaped".
        was, shape: in the first and in the second model, None where it is not there.
        dtypes: of both, equal as a rule; values are compared whatever they are.
        trainable: in both, as the files say, or as the callback saw it; None where the weight is not there.
        change: how far, where the status is "changed".
        causes: why a weight changed that nothing should have trained, or why it looks new.
        dead: inputs of a kernel that changed elsewhere, but not there.
        effective: what became of it behind the layer's quantizer; None for a layer without.
    """

    layer: str
    type: str
    name: str
    status: str
    was: tuple[int, ...] | None
    shape: tuple[int, ...] | None
    dtypes: tuple[str, str] = ("", "")
    trainable: tuple[bool | None, bool | None] = (None, None)
    change: Change | None = None
    causes: tuple[Cause, ...] = ()
    dead: DeadInputs | None = None
    effective: EffectiveChange | None = None

    @property
    def label(self) -> str:
        return f"{self.layer}/{self.name}" if self.layer else self.name

    @property
    def is_same(self) -> bool:
        """Neither what is stored differs nor what the layer multiplies by."""
        return self.status == SAME and (self.effective is None or self.effective.same)

    @property
    def frozen(self) -> bool:
        """Not trainable in the second model (in the first, where it is gone)."""
        return (self.trainable[0] if self.trainable[1] is None else self.trainable[1]) is False


@dataclass(frozen=True)
class Difference:
    """All weights of both models.

    Attributes:
        a, b: the two, as they were named.
        weights: in the order of the second model.
        matched: how many layers were matched by name, by their name within another model, by structure ("": not).
        renamed: (path in the first, path in the second, how) of those whose path differs.
        expected_frozen: patterns of layers that were not to change.
        notes: what else has to be said of the files.
    """

    a: str
    b: str
    weights: tuple[WeightDifference, ...]
    matched: dict[str, int]
    renamed: tuple[tuple[str, str, str], ...]
    expected_frozen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        return all(weight.is_same for weight in self.weights)

    @property
    def violations(self) -> tuple[WeightDifference, ...]:
        """Weights that changed in layers that were not to."""
        return tuple(w for w in self.weights if not w.is_same and matches(w.layer, self.expected_frozen))

    @property
    def failed(self) -> bool:
        """Where some layers are expected to be frozen, only those count; else any difference does."""
        return bool(self.violations) if self.expected_frozen else not self.is_same

    def __getitem__(self, label: str) -> WeightDifference:
        """The weight of that label, layer/name."""
        return next(weight for weight in self.weights if weight.label == label)


def diff(
    a: str | Path,
    b: str | Path,
    *,
    expect_frozen: Sequence[str] = (),
    architecture: str | Path | None = None,
) -> Difference:
    """What changed from `a` to `b`, weight by weight; no framework is needed, and no weight is held whole.

    Args:
        a, b: model files, or times of a recording: "run.h5@start", "run.h5@9", "run.h5@3:200", "run.h5@last".
        expect_frozen: patterns (`*`, `?`) of layers that should not have changed: paths, or names in their model.
        architecture: what `model.to_json()` gave, where a file holds weights alone.

    Raises:
        UnreadableModel: a file is missing, damaged, foreign or inconsistent.
        BadInput: no such time, or a pattern that no layer matches.
    """
    with ThreadPoolExecutor(2) as pool:  # the archives' checksums are computed side by side
        first, second = pool.submit(read_side, a, architecture), pool.submit(read_side, b, architecture)
        sides = first.result(), second.result()
    pairs = pair_layers(sides[0].layers, sides[1].layers)
    _refuse_unmatched(expect_frozen, pairs)
    weights = tuple(weight for pair in pairs for weight in _of_layer(pair, sides))
    renamed = tuple((p.a.path, p.b.path, p.by) for p in pairs if p.a and p.b and p.a.path != p.b.path)
    notes = tuple(dict.fromkeys(f"{side.label}: {note}" for side in sides for note in side.notes))
    matched = dict(Counter(pair.by for pair in pairs))
    return Difference(sides[0].label, sides[1].label, weights, matched, renamed, tuple(expect_frozen), notes)


def matches(layer: str, patterns: Sequence[str]) -> bool:
    """Whether a layer's path, or its last name, is one of the patterns."""
    return any(fnmatchcase(layer, p) or fnmatchcase(layer.rpartition("/")[2], p) for p in patterns)


def _refuse_unmatched(patterns: Sequence[str], pairs: Sequence[Pair]) -> None:
    for pattern in patterns:
        if not any(matches(pair.path, [pattern]) for pair in pairs):
            some = ", ".join([pair.path for pair in pairs][:6])
            raise BadInput(
                f"no layer with weights matches {pattern!r}", where="--expect-frozen", hint=f"there are {some}"
            )


def _of_layer(pair: Pair, sides: tuple[Side, Side]) -> Iterator[WeightDifference]:
    from refconv.inventory.effective import effective_changes  # by now the archives' checksums are being computed

    behind = effective_changes(pair)
    stored = pair_weights(pair.a.weights if pair.a else {}, pair.b.weights if pair.b else {})
    for name, a, b in stored:
        yield _of_weight(name, pair, a, b, sides, behind.get(name))
    known = {name for name, _, _ in stored}
    for name, found in behind.items():
        if name not in known and pair.b is not None:
            yield WeightDifference(pair.path, pair.b.type, name, SAME, None, None, effective=found)


def _of_weight(
    name: str, pair: Pair, a: Weight | None, b: Weight | None, sides: tuple[Side, Side], behind: EffectiveChange | None
) -> WeightDifference:
    layer = pair.b or pair.a
    assert layer is not None
    was, shape = (None if w is None else w.shape for w in (a, b))
    dtypes = "" if a is None else a.dtype, "" if b is None else b.dtype
    trainable = None if a is None else a.trainable, None if b is None else b.trainable

    def row(status: str, found: Change | None = None, why: tuple[Cause, ...] = (), dead: DeadInputs | None = None,
            ) -> WeightDifference:  # fmt: skip
        return WeightDifference(
            layer.path, layer.type, name, status, was, shape, dtypes, trainable, found, why, dead, behind
        )

    if a is None or b is None:
        return row(ADDED if a is None else REMOVED)
    if a.shape != b.shape:
        return row(RESHAPED)
    found = change(a, b)
    if found is None:
        return row(SAME)
    return row(CHANGED, found, causes(name, pair, a, b, found, sides), dead_inputs(a, b, found))
