"""How errors are spread: every bin's ends, maps small enough to draw, and slices that give what the whole gives."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.results import comparison

from refconv.compare.merge import merge
from refconv.compare.spread import axes_of, joined, spread_of
from refconv.compare.tensor import compare
from refconv.numerics.enclosure import bounded
from refconv.result import EXPONENTS, CheckResult, LayerResult, ModelInfo, Verdict

FLAT = (None, 1)


@pytest.mark.parametrize(
    ("share", "bin_"),
    [
        (0.0, 0),
        (2.0**-40, 1),
        (2.0**-14, 1),
        (np.nextafter(2.0**-14, 1), 2),
        (0.5, 14),
        (0.75, 15),
        (1.0, 15),  # still within the bound
        (np.nextafter(1.0, 2), 16),
        (128.0, 22),
        (128.5, 23),
        (np.inf, 23),
        (np.nan, 23),
    ],
)
def test_bins(share: float, bin_: int) -> None:
    counts = spread_of(np.array([[share]]), FLAT).counts
    assert len(counts) == len(EXPONENTS) + 2 == 24
    assert counts.index(1) == bin_ and sum(counts) == 1


def node(**attrs: Any) -> Any:
    return SimpleNamespace(attrs=SimpleNamespace(**attrs))


@pytest.mark.parametrize(
    ("rank", "axes", "attrs"),
    [
        (0, (None, None), {}),
        (1, (None, 0), {}),
        (2, (None, 1), {}),
        (3, (1, 2), {}),
        (4, (1, 2), {"data_format": "channels_last"}),
        (4, (2, 3), {"data_format": "channels_first"}),
        (5, (2, 3), {}),
    ],
)
def test_axes(rank: int, axes: tuple[int | None, int | None], attrs: dict[str, str]) -> None:
    assert axes_of(node(**attrs), rank) == axes
    spread = spread_of(np.zeros((2,) * rank), axes)
    assert len(spread.grid) == (1 if axes[0] is None else 2)


@given(st.lists(st.integers(1, 70), min_size=2, max_size=4), st.integers(0, 2**32 - 1))
def test_the_map_shows_the_largest_where_it_is(shape: list[int], seed: int) -> None:
    used = np.random.default_rng(seed).random(shape) / 2
    index = tuple(int(np.random.default_rng(seed + 1).integers(n)) for n in shape)
    used[index] = 7.0
    spread = spread_of(used, axes_of(node(), len(shape)))
    grid, (row, column) = np.array(spread.grid), spread.place(index)
    assert max(grid.shape) <= 32
    assert grid[row, column] == 7.0 and np.sum(grid == 7.0) == 1
    assert sum(spread.counts) == used.size


@given(st.integers(2, 9), st.integers(1, 8), st.integers(0, 99))
def test_slices_give_what_the_whole_gives(samples: int, cut: int, seed: int) -> None:
    used = np.random.default_rng(seed).random((samples, 40, 3, 2)) * 3
    parts = [spread_of(part, (1, 2)) for part in (used[:cut], used[cut:]) if len(part)]
    assert joined(parts) == spread_of(used, (1, 2))


def test_a_map_over_samples_is_given_up() -> None:
    both = joined([spread_of(np.ones(3), (None, 0)), spread_of(np.ones(3), (None, 0))])
    assert both is not None and (sum(both.counts), both.grid) == (6, ())
    assert joined([]) is None


def test_nothing_of_an_empty_tensor() -> None:
    assert spread_of(np.zeros((0, 4)), FLAT).grid == ()


def test_only_where_it_is_asked_for() -> None:
    enclosure, got = bounded(np.zeros((1, 3)), 1.0), np.array([[0.25, 0.0, 4.0]])
    assert compare(enclosure, got).spread is None
    found = compare(enclosure, got, spread=FLAT)
    assert found.spread is not None
    assert found.spread.grid == ((0.25, 0.0, 4.0),)
    assert found.verdict is Verdict.MISMATCH and found.worst is not None
    assert found.spread.place(found.worst.index) == (0, 2)


def layer(*counts: int) -> LayerResult:
    spread = spread_of(np.array([[0.0] * counts[0] + [1.0] * counts[1]]), FLAT)
    outputs = (replace(comparison(Verdict.WITHIN), spread=spread),)
    return LayerResult(1, "dense", "dense", "Dense", Verdict.WITHIN, outputs)


def test_of_a_layer_and_of_a_model_it_is_the_sum() -> None:
    merged = merge([layer(1, 2), layer(3, 1)], [0, 1])
    assert merged.outputs[0].spread is not None
    result = CheckResult(ModelInfo("m", "hdf5", "", "", ""), (merged, layer(0, 1)), None, {}, {})
    assert (result.spread[0], result.spread[15], sum(result.spread)) == (4, 4, 8)
    assert CheckResult(result.model, (), None, {}, {}).spread == ()
