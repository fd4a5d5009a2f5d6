"""Histogram equalisation in tiles by hand; Keras inside, and what other tiles or limits would give outside."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from support.one import holds, run

from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import Unknown, build
from refconv.ops.table import TABLE

CLAHE = "ContrastLimitedAdaptiveHistogramEqualization"


def equalized(x: Any, **config: Any) -> Enclosure:
    return run(CLAHE, {"tile_grid_size": [1, 1], "clip_limit": 0, **config}, x)


def row(*pixels: Any) -> np.ndarray:
    return np.asarray(pixels, dtype=np.float32).reshape(1, 1, -1, 1)


def test_one_tile_by_hand() -> None:
    """Shares of what lies above the counts of 0: of three pixels 1, 2 and 3; and a fraction is cut off."""
    assert equalized(row(0, 5, 5.9, 200)).mid.ravel().tolist() == [0, 170, 170, 255]
    assert equalized(row(1, 2, 3, 4)).mid.ravel().tolist() == [63.75, 127.5, 191.25, 255]
    assert equalized(row(-7, 300)).mid.ravel().tolist() == [0, 255]
    assert equalized(row(0, 0)).mid.ravel().tolist() == [0, 0]


def test_a_limit_by_hand() -> None:
    """Four pixels of one value k = 3, cut to 1: 3/256 for every bin, so that c(k) = 4·3/256 + 1 and c(0) = 3/256."""
    found = equalized(row(3, 3, 3, 3), clip_limit=64.0)
    assert found.mid.ravel() == pytest.approx([255 * (1 + 9 / 256) / (4 - 3 / 256)] * 4)


def test_between_two_tiles() -> None:
    """Two tiles of two pixels: the second lies on the first tile's centre, the third half way to the second's."""
    found = equalized(row(0, 9, 9, 0), tile_grid_size=[1, 2])
    assert found.mid.ravel().tolist() == [0, 255, 255, 0]
    own = equalized(row(1, 3, 3, 3), tile_grid_size=[1, 2])
    assert own.mid.ravel().tolist() == [127.5, 255, 255, 255]
    mixed = equalized(row(2, 1, 1, 1), tile_grid_size=[1, 2])
    assert mixed.mid.ravel().tolist() == [255, 127.5, 191.25, 255]


def test_other_ranges_have_no_reference() -> None:
    with pytest.raises(Unknown, match="value_range"):
        build(TABLE[CLAHE].attributes, {"value_range": [0, 1]}, "x")


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_beside_keras(data_format: str) -> None:
    x = np.random.default_rng(0).gamma(2.0, 30.0, size=(2, 25, 32, 3)).astype(np.float32)
    x = x.transpose(0, 3, 1, 2) if data_format == "channels_first" else x
    config = {"clip_limit": 3.0, "tile_grid_size": (4, 5), "data_format": data_format}
    got = np.asarray(keras.layers.ContrastLimitedAdaptiveHistogramEqualization(**config)(x))
    assert holds(run(CLAHE, config, x), got)
    for other in ({"clip_limit": 3.1}, {"tile_grid_size": (5, 4)}, {"clip_limit": 0}):
        assert not holds(run(CLAHE, {**config, **other}, x), got)
    changed = x.copy()
    changed[0].flat[500] += 1
    assert not holds(run(CLAHE, config, changed), got)


def test_integers_stay_integers() -> None:
    x = np.random.default_rng(1).integers(0, 256, size=(1, 16, 16, 1)).astype(np.int32)
    found = run(CLAHE, {"tile_grid_size": [2, 2]}, x)
    got = np.asarray(keras.layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 2))(x))
    assert found.mid.dtype == got.dtype == np.int32
    assert np.all(np.abs(got - found.mid) <= found.limit) and np.mean(np.asarray(found.limit) == 0) > 0.5


def test_a_pixel_in_doubt_leaves_its_channel_open() -> None:
    x = Enclosure(np.array([[[[3.0, 8.5], [9.0, 9.5]]]]), 0.0, np.array([[[[0.1, 0.1], [0.0, 0.0]]]]))
    found = equalized(x)
    assert np.isinf(np.asarray(found.limit)[..., 0]).all() and np.isfinite(np.asarray(found.limit)[..., 1]).all()
