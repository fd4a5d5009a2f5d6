"""One layer call computed by the oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from refconv.errors import RefconvError, UnreadableModel
from refconv.graph import Node
from refconv.numerics.enclosure import Enclosure, point
from refconv.ops.base import Context
from refconv.ops.table import TABLE


def weights_of(node: Node) -> dict[str, np.ndarray]:
    """The node's stored weights, read from the file now."""
    return {name: weight.value for name, weight in node.weights.items()}


def effective(node: Node, stored: Mapping[str, np.ndarray]) -> dict[str, Enclosure]:
    """The weights that the layer multiplies by where a quantizer stands before them; empty where none does."""
    slots = TABLE[node.type].slots
    return {name: slot.effective for name, slot in slots(node.attrs, stored).items()} if slots else {}


def applied(node: Node, stored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What `forward` wants as weights: the effective ones in float32, or the stored ones."""
    found = {name: e.mid.astype(np.float32) for name, e in effective(node, stored).items()}
    return found or dict(stored)


def forward(
    node: Node, weights: Mapping[str, np.ndarray], inputs: Sequence[np.ndarray], context: Context
) -> tuple[Enclosure, ...]:
    """Enclosures of every output of `node`, given its input values (taken as exact) and what it multiplies by.

    Raises:
        UnreadableModel: the attributes or weights do not fit the inputs, naming the layer.
    """
    try:
        with np.errstate(all="ignore"):  # NaN and Inf are values here, to be compared
            result = TABLE[node.type].forward(node.attrs, weights, tuple(point(x) for x in inputs), context)
    except RefconvError as error:
        raise type(error)(error.what, where=f"layer {node.name}", hint=error.hint) from error
    except (ValueError, IndexError) as error:
        shapes = ", ".join(str(np.shape(x)) for x in inputs)
        raise UnreadableModel(
            f"{node.type} cannot be computed on an input of shape {shapes}: {error}", where=f"layer {node.name}"
        ) from error
    return result if isinstance(result, tuple) else (result,)
