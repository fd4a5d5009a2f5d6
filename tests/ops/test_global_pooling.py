"""GlobalMaxPooling2D and GlobalAveragePooling2D by hand."""

from __future__ import annotations

import numpy as np
import pytest
from support.one import holds, run

from refconv.errors import UnreadableModel

X = np.arange(12.0).reshape(1, 2, 3, 2)


@pytest.mark.parametrize(("kind", "expected"), [("Max", [10, 11]), ("Average", [5, 6])])
def test_by_hand(kind: str, expected: list[float]) -> None:
    name = f"Global{kind}Pooling2D"
    assert run(name, {}, X).mid.tolist() == [expected]
    assert run(name, {"keepdims": True}, X).mid.tolist() == [[[expected]]]
    first = X.transpose(0, 3, 1, 2)
    assert run(name, {"data_format": "channels_first"}, first).mid.tolist() == [expected]
    kept = run(name, {"data_format": "channels_first", "keepdims": True}, first)
    assert kept.mid.tolist() == [[[[value]] for value in expected]]


def test_axes_are_not_mixed_up() -> None:
    found = run("GlobalAveragePooling2D", {}, X + 0.1)
    assert holds(found, [[5.1, 6.1]])
    assert not holds(found, [[5.1, 5.1]])
    assert found.sigma.shape == found.worst.shape == (1, 2)


def test_maximum_keeps_nan_and_is_exact() -> None:
    x = X.copy()
    x[0, 0, 0, 0] = np.nan
    found = run("GlobalMaxPooling2D", {}, x)
    assert found.exact
    assert np.array_equal(found.mid, [[np.nan, 11]], equal_nan=True)


@pytest.mark.parametrize("name", ["GlobalMaxPooling2D", "GlobalAveragePooling2D"])
def test_an_input_of_another_rank(name: str) -> None:
    with pytest.raises(UnreadableModel, match="4 dimensions is wanted, this one has 2"):
        run(name, {}, np.ones((3, 3)))
