"""ReversibleEmbedding by hand, both ways."""

from __future__ import annotations

from math import tanh
from typing import Any

import keras
import numpy as np
import pytest
from support.laws import CONTEXT
from support.one import holds, run

from refconv.compare.stage2 import enclose
from refconv.ops.attributes import Unknown, build
from refconv.ops.table import TABLE

TABLE_OF_3 = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
CONFIG: dict[str, Any] = {"input_dim": 3, "output_dim": 2}
REVERSED = {**CONFIG, "reverse": True}


def test_looks_up_exactly() -> None:
    found = run("ReversibleEmbedding", CONFIG, np.array([[2, 0]]), embeddings=TABLE_OF_3)
    assert found.exact and found.mid.tolist() == [[[5, 6], [1, 2]]]


def test_multiplies_by_the_transposed_table() -> None:
    found = run("ReversibleEmbedding", REVERSED, [[10.0, 1.0]], embeddings=TABLE_OF_3)
    assert found.mid.tolist() == [[12, 34, 56]]
    own = run("ReversibleEmbedding", {**REVERSED, "tie_weights": False}, [[10.0, 1.0]], embeddings=TABLE_OF_3,
              reverse_embeddings=[[1.0, 0.0, 2.0], [0.5, 0.25, 0.0]])  # fmt: skip
    assert own.mid.tolist() == [[10.5, 0.25, 20]]


def test_a_soft_cap() -> None:
    found = run("ReversibleEmbedding", {**REVERSED, "logit_soft_cap": 30.0}, [[10.0, 1.0]], embeddings=TABLE_OF_3)
    assert found.mid[0].tolist() == pytest.approx([30 * tanh(y / 30) for y in (12, 34, 56)])


@pytest.mark.parametrize("cap", [None, 3.0])
@pytest.mark.parametrize("tied", [True, False])
def test_beside_keras(cap: float | None, tied: bool) -> None:
    """Another cap is outside, and the table the other way about; stage 2 gives the same values."""
    config = {"input_dim": 4, "output_dim": 4, "tie_weights": tied, "logit_soft_cap": cap}
    layer = keras.layers.ReversibleEmbedding(**config)
    layer.build()
    rng = np.random.default_rng(3)
    weights = [rng.normal(size=w.shape).astype(np.float32) for w in layer.weights]
    layer.set_weights(weights)
    x = rng.normal(size=(2, 3, 4)).astype(np.float32)
    got, names = layer(x, reverse=True).numpy(), ("embeddings", "reverse_embeddings")
    held = dict(zip(names, weights, strict=False))
    found = run("ReversibleEmbedding", {**config, "reverse": True}, x, **held)
    assert holds(found, got)
    assert not holds(run("ReversibleEmbedding", {**config, "reverse": True, "logit_soft_cap": 3.01}, x, **held), got)
    turned = {name: w.T for name, w in held.items()}
    assert not holds(run("ReversibleEmbedding", {**config, "reverse": True}, x, **turned), got)
    row = TABLE["ReversibleEmbedding"]
    attrs = build(row.attributes, {**config, "reverse": True}, "x")
    assert row.terms is not None
    again = enclose(row.terms(attrs, held, (x,), (1, 2, 3), CONTEXT), CONTEXT.arithmetic)
    assert float(again.mid) == pytest.approx(float(found.mid[1, 2, 3]))


def test_another_dtype_in_reverse_has_no_reference() -> None:
    with pytest.raises(Unknown, match="reverse_dtype"):
        build(TABLE["ReversibleEmbedding"].attributes, {**CONFIG, "reverse_dtype": "float16"}, "x")
