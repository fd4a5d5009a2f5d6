"""A part of the model around a layer that is right by itself: the layers before it, as few as still make it fail."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from refconv.compare.declared import declare
from refconv.compare.plain import FACTOR
from refconv.compare.recorded import judge_call
from refconv.errors import RefconvError, UnreadableModel
from refconv.formats.writer import Written, write
from refconv.graph import Graph, Node, Origin, Ref, TensorSpec
from refconv.numerics.formats import is_float
from refconv.numerics.moments import Need
from refconv.ops.base import Context
from refconv.pipeline.calls import Calls
from refconv.pipeline.options import Options
from refconv.pipeline.reducing.case import Inputs
from refconv.pipeline.reducing.judging import Form, Run, allowance, enclosed, outside
from refconv.reference.chained import Chain, mids
from refconv.reference.forward import forward, weights_of
from refconv.reference.upto import drifting_inputs, leading_to
from refconv.result import Verdict

SEEDS = (0, 1)  # of runs that round, which tell how far the layers before may move the output


@dataclass(frozen=True)
class Piece:
    """Some layers of a model, of which the last one matters.

    Attributes:
        graph: its only output is the target's first.
        arrays: what it is fed, in the order of the graph's inputs.
        target: the node in `graph`.
    """

    graph: Graph
    arrays: Inputs
    target: Node

    @property
    def layers(self) -> int:
        return len(self.graph.nodes) - len(self.graph.inputs)

    def first(self, samples: int) -> Piece:
        """Fed the first samples alone."""
        return replace(self, arrays=tuple(x[:samples] for x in self.arrays))


@dataclass(frozen=True)
class Computed:
    """A piece as the framework computed it: what `predict` gave, what is expected, and how far it may be off.

    `failed`: the target is also wrong on what it was fed there, or that does not matter.
    """

    piece: Piece
    got: np.ndarray
    expected: np.ndarray
    allowed: np.ndarray
    failed: bool
    environment: dict[str, Any]


def values_before(graph: Graph, target: Node, arrays: Sequence[np.ndarray], context: Context) -> dict[Ref, np.ndarray]:
    """What the reference gives for every node that the target depends on, in float32; the model's inputs as given."""
    chain, alone = Chain(graph, arrays), replace(context, need=Need.VALUES)
    found = {Ref(index): x for index, x in zip(graph.inputs, arrays, strict=True)}
    for each in leading_to(graph, target):
        if each.attrs is None:
            break  # what follows it is not known, and is kept with all that is before it
        values = mids(forward(each, weights_of(each).applied, chain.inputs(each) or (), alone))
        chain.put(each, values)
        found.update(
            {Ref(each.index, n): v.astype(np.float32) if is_float(v.dtype) else v for n, v in enumerate(values)}
        )
    return found


def piece(graph: Graph, target: Node, kept: Sequence[Node], values: Mapping[Ref, np.ndarray]) -> Piece:
    """The nodes `kept`, and the target; what they take from others is fed.

    Raises:
        UnreadableModel: that is not known, or it is a mask.
    """
    nodes = [*kept, *([] if target in kept else [target])]
    inside = {node.index for node in nodes}
    refs = dict.fromkeys(
        ref for node in nodes for ref in _refs((node.inputs, node.arguments)) if ref.node not in inside
    )
    missing = [ref for ref in refs if ref not in values or graph.nodes[ref.node].type == "mask"]
    if missing or any(set(node.masks) - inside for node in nodes):
        raise UnreadableModel("what it is fed is not known", where=f"layer {target.name}")
    taken = {node.layer for node in nodes}
    made = [_entry(n, graph.nodes[ref.node], ref, values[ref], taken) for n, ref in enumerate(refs)]
    place = {ref: Ref(n) for n, ref in enumerate(refs)}
    number = {node.index: len(made) + n for n, node in enumerate(nodes)}

    def moved(value: Any) -> Any:
        if isinstance(value, Ref):
            return place[value] if value in place else replace(value, node=number[value.node])
        if isinstance(value, Mapping):
            return {key: moved(item) for key, item in value.items()}
        return type(value)(moved(item) for item in value) if isinstance(value, (list, tuple)) else value

    again = [
        replace(node, index=number[node.index], inputs=moved(node.inputs), arguments=moved(node.arguments), masks=())
        for node in nodes
    ]
    left = replace(
        graph,
        nodes=(*made, *again),
        inputs=tuple(range(len(made))),
        outputs=(Ref(number[target.index]),),
        specs=tuple(node.attrs for node in made),
    )
    return Piece(left, tuple(values[ref] for ref in refs), left.nodes[number[target.index]])


def _entry(index: int, source: Node, ref: Ref, x: np.ndarray, taken: set[str]) -> Node:
    name = f"{source.name.rpartition('/')[2]}{f'_{ref.output}' if ref.output else ''}".replace("#", "_")
    while name in taken:
        name += "_"
    taken.add(name)
    spec = TensorSpec(name, (None, *x.shape[1:]), x.dtype.name)
    return Node(index, name, "InputLayer", spec, (), Origin("InputLayer", source.origin.dialect), dtype=x.dtype.name)


def _refs(value: Any) -> list[Ref]:
    if isinstance(value, Ref):
        return [value]
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return [ref for item in items for ref in _refs(item)]


@dataclass(frozen=True)
class Pieces:
    """Runs pieces; `verdict` is what the target must have in them, None where only `predict` counts."""

    run: Run
    form: Form
    options: Options
    context: Context
    folder: Path
    verdict: Verdict | None

    def __call__(self, found: Piece) -> Computed | None:
        """None where it cannot be written, computed or run."""
        try:
            return self._computed(found)
        except RefconvError:
            return None

    def _computed(self, found: Piece) -> Computed | None:
        path = Path(tempfile.mkstemp(suffix=self.form.ending, dir=self.folder)[1])
        try:
            written = write(found.graph, path, keras=self.form.keras, backend=self.form.backend)
            return self.judged(found, written)
        finally:
            path.unlink(missing_ok=True)

    def judged(self, found: Piece, written: Written) -> Computed | None:
        """As a file that is there computes it."""
        stream = self.run(written, found.arrays)
        trace = stream.all()
        call = Calls(found.graph, stream).of(found.target)
        if call is None or not trace.plain or stream.failure:
            return None
        failed = True
        if self.verdict is not None:
            declared = declare(found.target, trace.environment, self.options.mode, self.options.arithmetic)
            judged = judge_call(found.target, call, weights_of(found.target), declared, trace, self.context)
            failed = judged.verdict is self.verdict
        expected, allowed = expectation(found, dict(trace.environment), self.options, self.context, trace.plain[0])
        wrong = outside(trace.plain[0], expected, allowed).any()
        return Computed(found, trace.plain[0], expected, allowed, bool(failed and wrong), dict(trace.environment))


def expectation(
    found: Piece, environment: dict[str, Any], options: Options, context: Context, got: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The target's output on the reference's own values, and what rounding may do to it: in the layer itself, and
    FACTOR times what the layers before it do in runs that round.
    """
    exact, drifted = drifting_inputs(found.graph, found.target, found.arrays, context, SEEDS)
    enclosure, arithmetic = enclosed(found.target, tuple(exact), environment, options, context)
    moved = np.zeros(())
    for inputs in drifted:
        other, _ = enclosed(found.target, tuple(inputs), environment, options, context)
        apart = np.abs(other.mid - enclosure.mid)
        moved = np.maximum(moved, np.max(apart, initial=0.0, where=np.isfinite(apart)))
    own = allowance(enclosure, got, arithmetic, hard=True)
    return enclosure.mid, own + FACTOR * moved


def smallest(
    pieces: Pieces, graph: Graph, target: Node, arrays: Sequence[np.ndarray], *, alone: bool
) -> Computed | None:
    """The fewest layers before the target with which it fails, on as few samples; None where it never does.

    All that leads to the target first; then none of it, if the target `alone` was not tried yet; then its last 1, 2,
    4 … layers, and what lies between those that do and do not.
    """
    before = leading_to(graph, target)
    values = values_before(graph, target, arrays, pieces.context)

    def tried(count: int) -> Computed | None:
        try:
            found = pieces(piece(graph, target, before[len(before) - count :], values))
        except RefconvError:
            return None
        return found if found is not None and found.failed else None

    best = tried(len(before))
    if best is None:
        return None
    if alone and before and (found := tried(0)) is not None:
        return _fewer_samples(pieces, found)
    low, high = 0, len(before)  # fails with `high` layers before it, and not with `low`
    while low + 1 < high:
        count = min(max(2 * low, 1), (low + high) // 2)
        found = tried(count)
        best, low, high = (found, low, count) if found else (best, count, high)
    return _fewer_samples(pieces, best)


def _fewer_samples(pieces: Pieces, best: Computed) -> Computed:
    size = min(len(x) for x in best.piece.arrays)
    if size > 1 and (found := pieces(best.piece.first(1))) is not None and found.failed:
        return found
    return best
