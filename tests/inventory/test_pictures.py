"""What is drawn, before it is drawn: which tile is which channel, common scales, and what is left out is said."""

from __future__ import annotations

import numpy as np
import pytest

from refconv.inventory.pictures import MOST, histogram, kernels, maps, square, tiled


def numbered(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def test_a_tile_is_a_channel() -> None:
    values = numbered(4, 5, 6)
    panel = maps("", values)
    assert panel.tiles.shape == (6, 4, 5)
    assert np.array_equal(panel.tiles[2], values[..., 2])
    first = maps("", np.moveaxis(values, -1, 0), channels_first=True)
    assert np.array_equal(first.tiles, panel.tiles)


def test_steps_are_one_tile_and_volumes_stand_below_each_other() -> None:
    assert maps("", numbered(7, 3)).tiles.shape == (1, 7, 3)
    volume = numbered(2, 4, 5, 3)
    panel = maps("", volume)
    assert panel.tiles.shape == (3, 8, 5)
    assert np.array_equal(panel.tiles[1][4:], volume[1, ..., 1])


def test_kernels_have_inputs_down_and_outputs_across() -> None:
    kernel = numbered(3, 2, 4, 5)
    panel = kernels("", kernel)
    assert (panel.tiles.shape, panel.across) == ((20, 3, 2), 5)
    assert np.array_equal(panel.tiles[1 * 5 + 3], kernel[:, :, 1, 3])
    assert panel.note == "inputs down, 4 of 4; outputs across, 5 of 5"


def test_a_kernel_of_one_input_fills_a_square() -> None:
    assert kernels("", numbered(3, 3, 1, 16)).across == 4
    assert kernels("", numbered(3, 3, 16, 1)).tiles.shape == (16, 3, 3)  # depthwise


def test_kernels_of_other_ranks() -> None:
    assert kernels("", numbered(3, 4, 5)).tiles.shape == (20, 3, 1)
    assert kernels("", numbered(2, 3, 3, 4, 5)).tiles.shape == (20, 6, 3)
    assert kernels("", numbered(4, 5)).tiles.shape == (1, 4, 5)


def test_what_is_left_out_is_said() -> None:
    panel = kernels("", np.zeros((1, 1, 40, 50), np.float32))
    assert (len(panel.tiles), panel.note) == (32 * 32, "inputs down, 32 of 40; outputs across, 32 of 50")
    panel = maps("", np.zeros((1000, 1000, 9), np.float32))
    assert (len(panel.tiles), panel.note) == (4, "4 of 9 channels")


def test_of_a_large_matrix_the_largest_of_neighbours_is_kept_with_its_sign() -> None:
    values = np.zeros((2 * MOST, 3), np.float32)
    values[7, 1] = -5
    panel = kernels("", values)
    assert panel.tiles.shape == (1, MOST, 3)
    assert panel.tiles[0, 3, 1] == -5 and np.sum(panel.tiles != 0) == 1
    assert "the largest of 2 × 1 shown" in panel.note


@pytest.mark.parametrize(
    ("values", "limits"),
    [([1.0, 4.0], (0.0, 4.0)), ([-1.0, 4.0], (-4.0, 4.0)), ([-6.0, 4.0], (-6.0, 6.0)), ([0.0, 0.0], (0.0, 1.0))],
)
def test_scales(values: list[float], limits: tuple[float, float]) -> None:
    panel = maps("", np.array([values], np.float32))
    assert tiled("", "maps", "", [panel]).limits == limits


def test_one_scale_for_all_panels_whatever_is_not_finite() -> None:
    panels = [maps("a", np.array([[1.0, np.nan]])), maps("b", np.array([[-3.0, np.inf]]))]
    assert tiled("", "maps", "", panels).limits == (-3.0, 3.0)


@pytest.mark.parametrize("count", [1, 2, 7, 64, 512])
def test_a_square_is_one(count: int) -> None:
    across = square(count, 8, 8)
    down = -(-count // across)
    assert across * down >= count and abs(across - down) <= 1


def test_histograms_share_their_bins_and_count_zeros() -> None:
    levels = np.linspace(-2, 2, 5)
    chart = histogram("k", [("stored", np.array([0.3, np.nan])), ("effective", np.array([0.0, 1.0]))], levels)
    one, other = chart.series
    assert one.edges is not None and np.array_equal(one.edges, other.edges)
    assert (one.edges[0], one.edges[-1]) == (-2, 2)  # the levels are in view
    assert (one.y.sum(), other.y.sum()) == (1, 2)
    assert chart.note == "stored: 2 elements, 0 % exactly 0, 1 not finite; effective: 2 elements, 50 % exactly 0"
    assert histogram("", [("", np.zeros(4))]).series[0].y.sum() == 4
