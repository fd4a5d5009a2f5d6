"""One layer call computed by the oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from refconv.errors import RefconvError, UnreadableModel
from refconv.graph import Node
from refconv.numerics.enclosure import Enclosure, point
from refconv.ops.base import Context
from refconv.ops.table import TABLE


@dataclass(frozen=True)
class NodeWeights:
    """The weights of one node, in memory.

    Attributes:
        stored: as in the file.
        effective: what the layer multiplies by where a quantizer stands before it; empty where none does.
    """

    stored: Mapping[str, np.ndarray]
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
    node: Node, weights: Mapping[str, np.ndarray], inputs: Sequence[np.ndarray | Enclosure], context: Context
) -> tuple[Enclosure, ...]:
    """Enclosures of every output of `node`, given its inputs (enclosures, or values: exact) and its effective weights.

    Raises:
        UnreadableModel: the attributes or weights do not fit the inputs, naming the layer.
    """
    given = tuple(x if isinstance(x, Enclosure) else point(x) for x in inputs)
    try:
        with np.errstate(all="ignore"):  # NaN and Inf are values here, to be compared
            result = TABLE[node.type].forward(node.attrs, weights, given, context)
    except RefconvError as error:
        raise type(error)(error.what, where=f"layer {node.name}", hint=error.hint) from error
    except (ValueError, IndexError) as error:
        shapes = ", ".join(str(x.mid.shape) for x in given)
        raise UnreadableModel(
            f"{node.type} cannot be computed on an input of shape {shapes}: {error}", where=f"layer {node.name}"
        ) from error
    return result if isinstance(result, tuple) else (result,)
