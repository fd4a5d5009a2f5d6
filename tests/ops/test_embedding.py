"""Embedding."""

from __future__ import annotations

import numpy as np
import pytest
from support.one import run

from refconv.errors import BadInput
from refconv.ops.attributes import build
from refconv.ops.table import TABLE

TABLE_OF_3 = [[0.1, 0.2], [1.1, 1.2], [2.1, 2.2]]
CONFIG = {"input_dim": 3, "output_dim": 2}


def test_looks_up_rows_exactly() -> None:
    result = run("Embedding", CONFIG, np.array([[2, 0]], np.int32), embeddings=TABLE_OF_3)
    assert result.exact
    assert np.array_equal(result.mid.astype(np.float32), np.float32([[[2.1, 2.2], [0.1, 0.2]]]))


def test_mask_zero_changes_no_value() -> None:
    masked = run("Embedding", {**CONFIG, "mask_zero": True}, np.array([[0, 1]]), embeddings=TABLE_OF_3)
    assert np.array_equal(masked.mid.astype(np.float32), np.float32([TABLE_OF_3[:2]]))


def test_floats_are_cut() -> None:
    cut = run("Embedding", CONFIG, [[1.9]], embeddings=TABLE_OF_3)
    assert np.array_equal(cut.mid.astype(np.float32), np.float32([TABLE_OF_3[1:2]]))


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_outside_the_table_is_refused(index: int) -> None:
    """NumPy would take −1 for the last row."""
    with pytest.raises(BadInput, match=f"index {index} "):
        run("Embedding", CONFIG, np.array([[0, index]]), embeddings=TABLE_OF_3)


def test_weight_shape() -> None:
    row = TABLE["Embedding"]
    assert row.weights(build(row.attributes, CONFIG, "e")) == {"embeddings": (3, 2)}
