"""What a layer multiplies under an arithmetic: inputs and weights, rounded as it rounds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from refconv.graph import Node
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.formats import FLOAT32
from refconv.ops.table import TABLE

Arrays = Sequence[np.ndarray]
Weights = Mapping[str, np.ndarray]


def prepare(node: Node, weights: Weights, inputs: Arrays, arithmetic: Arithmetic) -> tuple[Weights, Arrays]:
    """Weights and inputs as the products get them.

    A 16-bit policy casts every input and every weight, biases too, but for layers that compute in float32 inside.
    Hardware that rounds operands rounds what it multiplies, and no bias.
    """
    row, rounding = TABLE[node.type], arithmetic.operand
    policy = arithmetic.u > FLOAT32.u
    if rounding is None or not (policy or row.operands):
        return weights, inputs
    names = () if policy and row.wide else weights if policy else row.operands
    rounded = {name: rounding(w) if name in names else w for name, w in weights.items()}
    return rounded, [rounding(x) for x in inputs]
