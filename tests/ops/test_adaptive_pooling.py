"""Adaptive pooling by hand: which elements a part holds, and the bound of means of means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from support.one import holds, run

from refconv import check
from refconv.ops.adaptive_pooling import CRASHES
from refconv.primitives.geometry import longest, parts
from refconv.result import Verdict


@pytest.mark.parametrize(
    ("length", "count", "expected"),
    [
        (6, 3, [(0, 2), (2, 4), (4, 6)]),
        (5, 3, [(0, 2), (1, 4), (3, 5)]),  # neighbours share an element, and the middle is longer
        (7, 3, [(0, 3), (2, 5), (4, 7)]),
        (2, 3, [(0, 1), (0, 2), (1, 2)]),  # more parts than elements
        (4, 1, [(0, 4)]),
    ],
)
def test_parts(length: int, count: int, expected: list[tuple[int, int]]) -> None:
    found = parts(length, count)
    assert [(part.start, part.stop) for part in found] == expected
    assert longest(found) == max(stop - start for start, stop in expected)


def pool(kind: str, x: Any, size: Any, **config: Any) -> Any:
    values = np.asarray(x, dtype=np.float32)
    return run(f"Adaptive{kind}Pooling{values.ndim - 2}D", {"output_size": size, **config}, values)


FIVE = np.array([1.0, 2, 6, 4, 8]).reshape(1, 5, 1)


def test_by_hand() -> None:
    """Parts 1 2, 2 6 4 and 4 8."""
    assert pool("Average", FIVE, 3).mid.ravel().tolist() == [1.5, 4, 6]
    assert pool("Max", FIVE, [3]).mid.ravel().tolist() == [2, 6, 8]
    assert pool("Max", -FIVE, 3).mid.ravel().tolist() == [-1, -2, -4]
    equal = np.array([1.5, 4, 6.5]).reshape(1, 3, 1)
    assert holds(pool("Average", FIVE, 3), [[[1.5], [4], [6]]]) and not holds(pool("Average", FIVE, 3), equal)


def test_a_plane_by_hand() -> None:
    nine = np.arange(9.0).reshape(1, 3, 3, 1)
    assert pool("Average", nine, 2).mid.ravel().tolist() == [2, 3, 5, 6]
    assert pool("Average", nine, [1, 3]).mid.ravel().tolist() == [3, 4, 5]
    assert pool("Max", nine, [3, 1]).mid.ravel().tolist() == [2, 5, 8]
    first = pool("Average", nine.reshape(1, 1, 3, 3), [1, 3], data_format="channels_first")
    assert first.mid.tolist() == [[[[3, 4, 5]]]]


def test_exactness_follows_the_sizes_of_the_parts() -> None:
    """Halves and quarters of integers are exact in every order; a third is not."""
    x = np.round(np.random.default_rng(0).standard_normal((1, 8, 8, 3)) * 8)
    assert pool("Average", x, 4).exact and pool("Max", x / 3, 3).exact
    assert not pool("Average", x, 3).exact and not pool("Average", x / 3, 4).exact


def test_nan_and_overflow_stay_where_they_are() -> None:
    x = np.array([1.0, np.nan, 3, 3e38, 3e38]).reshape(1, 5, 1)
    for kind in ("Average", "Max"):
        assert np.isnan(pool(kind, x, 3).mid).ravel().tolist() == [True, True, False]
    assert np.asarray(pool("Average", x, 3).overflow).ravel().tolist()[2]


def test_means_of_means_have_errors_that_one_mean_has_not() -> None:
    """Means over the height that cancel over the width: their own roundings are left, far above the result's."""
    x = np.random.default_rng(1).standard_normal((1, 7, 2, 400)).astype(np.float32) * 1e3
    x[:, :, 1] = -x[:, ::-1, 0]
    found = pool("Average", x, 1)
    third = np.float32(1) / np.float32(7)
    for rows in (x, x[:, ::-1]):
        heights = np.cumsum(rows, axis=1, dtype=np.float32)[:, -1]
        for middle in (heights / np.float32(7), heights * third):
            got = ((middle[:, 0] + middle[:, 1]) / np.float32(2)).reshape(1, 1, 1, -1)
            assert holds(found, got)
            assert not holds(found, got + np.float32(0.01))


@pytest.mark.slow
def test_the_largest_of_a_whole_axis_ends_the_framework(tmp_path: Path) -> None:
    """TensorFlow 2.21 with oneDNN divides by zero; refconv survives it, passes nothing, and says what is known."""
    layers = [keras.Input((8, 8, 3)), keras.layers.AdaptiveMaxPooling2D(1, name="whole")]
    keras.Sequential(layers).save(tmp_path / "m.keras")
    result = check(tmp_path / "m.keras")
    assert (result.exit_code, [layer.verdict for layer in result.layers]) == (3, [Verdict.UNVERIFIED])
    assert any(CRASHES in note for note in result.notes)
