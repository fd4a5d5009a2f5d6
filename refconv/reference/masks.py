"""Masks whose values follow from the model's inputs alone: layers under them compute as without, or with them.

Whoever makes such a mask only moves, selects and compares: what it gives is exact, and the same in every framework.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from refconv.errors import RefconvError
from refconv.graph import Graph, Node, Origin, Ref, TensorSpec
from refconv.numerics.formats import FLOAT32
from refconv.ops.base import Context
from refconv.ops.embedding import looks_up
from refconv.ops.masking import Masking, kept
from refconv.ops.table import TABLE
from refconv.primitives.numpy_engine import ENGINE
from refconv.reference.forward import forward

MASK = "mask"  # the type of a node that stands for one
AXES = {"attention": 3}  # of a mask (N, queries, keys); the others' are (N, steps)


def with_known_masks(graph: Graph, arrays: Sequence[np.ndarray]) -> tuple[Graph, list[np.ndarray]]:
    """The graph with a reference for each layer whose masks are known from these model inputs, and its inputs.

    A mask that hides something becomes an input of the graph, behind the model's own, and the last input of its reader.
    A layer under one that comes from a layer inside the model keeps its reason.
    """
    if not any(node.masks for node in graph.nodes):
        return graph, list(arrays)
    known = _Known(graph, dict(zip(graph.inputs, arrays, strict=True)))
    made = {index: known.mask(graph.nodes[index]) for node in graph.nodes for index in node.masks if index >= 0}
    decided = [_decided(node, graph, made) for node in graph.nodes]
    read = sorted({ref.node for _, refs in decided for ref in refs})
    place = {index: len(graph.nodes) + number for number, index in enumerate(read)}
    nodes = [replace(node, inputs=(*node.inputs, *(Ref(place[ref.node]) for ref in refs))) for node, refs in decided]
    masks = {place[index]: _input(place[index], graph.nodes[index], made[index]) for index in read}
    specs = tuple(node.attrs for node in masks.values())
    found = replace(
        graph,
        nodes=(*nodes, *masks.values()),
        inputs=(*graph.inputs, *masks),
        specs=(*graph.specs, *specs),
    )
    return found, [*arrays, *(mask for index in read if (mask := made[index]) is not None)]


def _decided(node: Node, graph: Graph, made: Mapping[int, np.ndarray | None]) -> tuple[Node, list[Ref]]:
    """The node, with a reference where its masks are known; and the makers of those that hide something."""
    if not node.masks:
        return node, []
    if all(_hides_nothing(made.get(index)) for index in node.masks):
        return replace(node, attrs=node.unmasked, reason="", masks=()), []
    if node.hides is None or not all(_fits(role, [made.get(index) for index in same]) for role, same in node.hides):
        return replace(node, reason=f"{node.reason}: {_said(node, graph, made)}"), []
    hiding = [(role, same[0]) for role, same in node.hides if not _hides_nothing(made[same[0]])]
    attrs = replace(node.unmasked, masks=tuple(role for role, _ in hiding)) if hiding else node.unmasked
    return replace(node, attrs=attrs, reason="", masks=()), [Ref(index) for _, index in hiding]


def _hides_nothing(mask: np.ndarray | None) -> bool:
    return mask is not None and bool(mask.all())


def _fits(role: str, masks: Sequence[np.ndarray | None]) -> bool:
    """Whether all are known, the same, and of the shape that such a mask has."""
    first = masks[0]
    alike = first is not None and all(mask is not None and np.array_equal(first, mask) for mask in masks)
    return alike and first is not None and first.ndim == AXES.get(role, 2)


def _said(node: Node, graph: Graph, made: Mapping[int, np.ndarray | None]) -> str:
    index = next(index for index in node.masks if not _hides_nothing(made.get(index)))
    if index < 0:
        return "a layer that was left out may hide steps"
    mask = made[index]
    count = None if mask is None else int(np.sum(~mask))
    which = "may hide steps" if count is None else f"hides {count} {'step' if count == 1 else 'steps'}"
    return f"{graph.nodes[index].name} {which}"


def _input(index: int, maker: Node, mask: np.ndarray | None) -> Node:
    assert mask is not None
    spec = TensorSpec(f"mask of {maker.name}", (None, *mask.shape[1:]), "bool")
    return Node(index, spec.name, MASK, spec, (), Origin(MASK, maker.origin.dialect), dtype="bool")


def _truths(values: np.ndarray | None) -> np.ndarray | None:
    """Zeros and ones are truths too; of other numbers layers make different things."""
    return None if values is None or not np.isin(values, (0, 1)).all() else values.astype(bool)


@dataclass
class _Known:
    """Values that follow exactly from the model's inputs: what layers give that compute nothing."""

    graph: Graph
    fed: Mapping[int, np.ndarray]
    _found: dict[int, np.ndarray | None] = field(default_factory=dict)

    def mask(self, node: Node) -> np.ndarray | None:
        """True where the mask that starts at `node` shows; None where that is not known, or not for every sample."""
        if looks_up(node.attrs) or isinstance(node.attrs, Masking):
            found = self._made(node)
        else:
            found = _truths(self._value(Ref(node.index)))
        whole = found is not None and found.dtype == bool and found.shape[:1] == next(iter(self.fed.values())).shape[:1]
        return found if whole else None

    def _made(self, node: Node) -> np.ndarray | None:
        """A Masking in 16 bits compares what it rounded; tokens are integers."""
        x = self._value(node.inputs[0]) if node.inputs else None
        if x is None:
            return None
        if isinstance(node.attrs, Masking):
            return kept(node.attrs, x.astype(np.float64)) if node.dtype == FLOAT32.name else None
        return x.astype(np.int64) != 0

    def _value(self, ref: Ref) -> np.ndarray | None:
        if ref.node in self.fed:
            return self.fed[ref.node]
        if ref.node not in self._found:
            self._found[ref.node] = self._computed(self.graph.nodes[ref.node])
        return self._found[ref.node] if ref.output == 0 else None

    def _computed(self, node: Node) -> np.ndarray | None:
        row = TABLE.get(node.type)
        if node.attrs is None or row is None or not row.exact or node.weights or node.dtype != FLOAT32.name:
            return None
        inputs = [self._value(ref) for ref in node.inputs]
        if any(x is None for x in inputs):
            return None
        try:
            return forward(node, {}, [x for x in inputs if x is not None], Context(ENGINE))[0].mid
        except RefconvError:  # it is judged, and said, where the node itself is
            return None
