"""Power of attention, of products by equation and of convolutional recurrence: faults that show, and that cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refconv.compare import power
from refconv.compare.counterfactuals.base import Case
from refconv.graph import Node, Origin
from refconv.ops.attributes import build
from refconv.ops.base import Context
from refconv.ops.table import TABLE
from refconv.primitives import engines
from refconv.result import Power

CONTEXT = Context(engines.get("numpy"))


def case(keras: str, inputs: tuple[np.ndarray, ...], weights: dict[str, Any], **config: Any) -> Case:
    attrs = build(TABLE[keras].attributes, config, keras)
    node = Node(1, "layer", keras, attrs, (), Origin(keras, "keras3"))
    return Case(node, weights, inputs, weights)


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def heads(x: np.ndarray, **config: Any) -> Case:
    names = ("query", "key", "value")
    weights = {f"{n}_kernel": np.random.default_rng(i).normal(size=(3, 2, 4)).astype("f4") for i, n in enumerate(names)}
    biases = {f"{name}_bias": floats(2, 4) for name in names}
    weights |= biases | {"output_kernel": floats(2, 4, 3), "output_bias": floats(3)}
    return case("MultiHeadAttention", (x, x), weights, num_heads=2, key_dim=4, **config)


def measured(one: Case) -> Power:
    found = power.measure(one, CONTEXT, certified=False)
    assert found is not None
    return found


def test_faults_of_attention_show() -> None:
    found = measured(heads(floats(2, 5, 3), use_causal_mask=True))
    assert set(found.caught) == {
        "one weight off by 1%",
        "all weights off by 0.1%",
        "bias missing",
        "bias doubled",
        "causal mask left out",
        "query and key swapped",
    }
    assert found.smallest_weight_error is not None and found.smallest_weight_error < 1e-2


def test_a_single_step_shows_no_causal_mask() -> None:
    found = measured(heads(floats(2, 1, 3), use_causal_mask=True))
    assert {"causal mask left out", "query and key swapped"} <= {missed.name for missed in found.missed}
    assert "bias missing" in found.caught


@pytest.mark.parametrize("causal", [False, True])
def test_attention_without_weights(causal: bool) -> None:
    one = case("Attention", (floats(1, 3, 2), floats(1, 3, 2)), {}, use_causal_mask=causal)
    found = power.measure(one, CONTEXT, certified=False)
    assert (found.caught if found else ()) == (("causal mask left out",) if causal else ())


def test_products_by_equation() -> None:
    weights = {"kernel": floats(3, 2, 4), "bias": floats(2, 4)}
    one = case(
        "EinsumDense", (floats(2, 5, 3),), weights, equation="abc,cde->abde", output_shape=[5, 2, 4], bias_axes="de"
    )
    assert not measured(one).missed
    zeros = case(
        "EinsumDense", (floats(2, 3),), {"kernel": np.zeros((3, 2), np.float32)}, equation="ab,bc->ac", output_shape=2
    )
    assert not measured(zeros).caught
