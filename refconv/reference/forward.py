"""One layer call computed by the oracle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from refconv.errors import RefconvError, UnreadableModel
from refconv.graph import Node
from refconv.numerics.enclosure import Enclosure, point
from refconv.ops.base import Context, Weights
from refconv.ops.table import TABLE


@dataclass(frozen=True)
class NodeWeights:
    """The weights of one node, in memory.

    Attributes:
        stored: as in the file.
        effective: what the layer multiplies by where a quantizer stands before it; empty where none does.
    """

    stored: Weights
    effective: Mapping[str, Enclosure]

    @property
    def applied(self) -> dict[str, np.ndarray]:
        """What `forward` wants as weights: the effective ones in float32, or the stored ones."""
        found = {name: e.mid.astype(np.float32) for name, e in self.effective.items()}
        return found or dict(self.stored)


def weights_of(node: Node) -> NodeWeights:
    """The node's weights, read from the file and quantized now."""
    stored = {name: weight.value for name, weight in node.weights.items()}
    slots = TABLE[node.type].slots
    effective = {name: slot.effective for name, slot in slots(node.attrs, stored).items()} if slots else {}
    return NodeWeights(stored, effective)


def forward(
    node: Node, weights: Weights, inputs: Sequence[np.ndarray | Enclosure], context: Context
) -> tuple[Enclosure, ...]:
    """Enclosures of every output of `node`, given its inputs (enclosures, or values: exact) and its effective weights.

    Raises:
        UnreadableModel: the attributes or weights do not fit the inputs, naming the layer.
    """
    given = tuple(x if isinstance(x, Enclosure) else point(x) for x in inputs)
    with _blaming(node, given):
        result = TABLE[node.type].forward(node.attrs, weights, given, context)
    return result if isinstance(result, tuple) else (result,)


@dataclass(frozen=True)
class Stepwise:
    """A layer made of steps: enclosures of what each left, by name, and of the outputs that are made of that."""

    steps: Mapping[str, Enclosure]
    outputs: tuple[Enclosure, ...]


def step_names(node: Node) -> tuple[str, ...]:
    """What the steps of the node leave; empty where it is judged as a whole."""
    steps = TABLE[node.type].steps
    return steps.names(node.attrs) if steps else ()


def step_shapes(node: Node, x: np.ndarray) -> dict[str, tuple[int, ...]]:
    """The shape of what the steps leave, by name, of an input (N, steps, channels)."""
    steps = TABLE[node.type].steps
    return steps.shapes(node.attrs, x.shape) if steps else {}


def stepwise(
    node: Node,
    weights: Weights,
    inputs: Sequence[np.ndarray],
    recorded: Weights,
    context: Context,
) -> Stepwise:
    """Every step on the framework's own result of the step before, and the outputs on its own steps.

    Raises:
        UnreadableModel: as `forward` does.
    """
    steps, given = TABLE[node.type].steps, tuple(point(x) for x in inputs)
    assert steps is not None
    states = {name: point(value) for name, value in recorded.items()}
    with _blaming(node, given):
        enclosed = steps.enclose(node.attrs, weights, given, states, context)
        return Stepwise(enclosed, steps.outputs(node.attrs, given, states, enclosed, context))


@contextmanager
def _blaming(node: Node, given: Sequence[Enclosure]) -> Iterator[None]:
    """Errors that name the layer. NaN and Inf are values here, to be compared."""
    try:
        with np.errstate(all="ignore"):
            yield
    except RefconvError as error:
        raise type(error)(error.what, where=f"layer {node.name}", hint=error.hint) from error
    except (ValueError, IndexError) as error:
        shapes = ", ".join(str(x.mid.shape) for x in given)
        raise UnreadableModel(
            f"{node.type} cannot be computed on an input of shape {shapes}: {error}", where=f"layer {node.name}"
        ) from error
