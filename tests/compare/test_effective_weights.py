"""Effective weights that contradict the layer are its verdict: nothing is computed with them, and no file is blamed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refconv.compare.layer import judge
from refconv.graph import Node, Origin
from refconv.ops.attributes import build
from refconv.ops.base import Context
from refconv.ops.table import TABLE
from refconv.primitives import engines
from refconv.reference.forward import NodeWeights, forward
from refconv.result import Verdict

CONTEXT = Context(engines.get("numpy"))
LAYERS: dict[str, tuple[dict[str, Any], tuple[int, ...], tuple[int, ...]]] = {
    "QDense": ({"units": 3}, (6, 3), (2, 6)),
    "QConv2D": ({"filters": 4, "kernel_size": [3, 3]}, (3, 3, 2, 4), (2, 6, 6, 2)),
}


@pytest.mark.parametrize("keras", LAYERS)
def test_effective_weights_of_another_shape_are_a_mismatch(keras: str) -> None:
    config, shape, fed = LAYERS[keras]
    row, rng = TABLE[keras], np.random.default_rng(4)
    attrs = build(row.attributes, {**config, "use_bias": False, "kernel_quantizer": "quantized_bits(4,0,1)"}, keras)
    node = Node(1, "layer", keras, attrs, (), Origin(keras, "keras2"))
    stored = {"kernel": rng.uniform(-1, 1, shape).astype(np.float32)}
    assert row.slots is not None
    weights = NodeWeights(stored, {name: slot.effective for name, slot in row.slots(attrs, stored).items()})
    x, kernel = rng.normal(size=fed).astype(np.float32), weights.applied["kernel"]
    got = [e.mid.astype(np.float32) for e in forward(node, weights.applied, [x], CONTEXT)]
    assert judge(node, weights, {"kernel": kernel}, [x], got, CONTEXT).verdict in (Verdict.EXACT, Verdict.WITHIN)
    for other in (kernel[..., :-1, :], kernel[..., :-1], kernel[0]):
        found = judge(node, weights, {"kernel": other}, [x], got, CONTEXT)
        assert found.verdict is Verdict.MISMATCH
        assert found.weights["kernel"].verdict is Verdict.MISMATCH
        assert f"effective kernel has shape {other.shape}" in found.reason
