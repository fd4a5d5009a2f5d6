"""AutoContrast by hand: channels and images apart, ranges, flat ones; and what another range would give."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from support.one import holds, run

from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import Unknown, build
from refconv.ops.table import TABLE


def image(*pixels: Any) -> np.ndarray:
    """One row of pixels, one channel."""
    return np.asarray(pixels, dtype=np.float32).reshape(1, 1, -1, 1)


def contrast(x: Any, **config: Any) -> Enclosure:
    return run("AutoContrast", config, x)


def test_by_hand() -> None:
    assert contrast(image(10, 20, 30)).mid.ravel().tolist() == [0, 127.5, 255]
    assert contrast(image(0.25, 0.5), value_range=[0, 1]).mid.ravel().tolist() == [0, 1]
    assert contrast(image(-0.5, 0.0, 0.5), value_range=[1, -1]).mid.ravel().tolist() == [-1, 0, 1]


def test_a_flat_channel_stays() -> None:
    x = np.float32([[[[1, 7], [3, 7]]]])
    found = contrast(x)
    assert found.mid.tolist() == [[[[0, 7], [255, 7]]]]
    assert np.asarray(found.limit)[..., 1].tolist() == [[[0, 0]]]


def test_images_and_channels_are_stretched_apart() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 2)).astype(np.float32)
    whole, alone = contrast(x), contrast(x[1:, :, :, 1:])
    np.testing.assert_allclose(whole.mid[1:, :, :, 1:], alone.mid)


@pytest.mark.parametrize("limits", [(0, 255), (0, 1), (-3, 0.5)])
def test_beside_keras(limits: tuple[float, float]) -> None:
    """A large offset cancels, which the bound must hold and no other fault hides behind."""
    x = np.random.default_rng(1).normal(3000, 1, size=(2, 6, 7, 3)).astype(np.float32)
    got = keras.layers.AutoContrast(value_range=limits)(x).numpy()
    found = contrast(x, value_range=list(limits))
    assert holds(found, got)
    assert not holds(found, np.roll(got, 1, axis=2))
    assert not holds(found, keras.layers.AutoContrast(value_range=(0, 200))(x).numpy())
    assert not holds(
        found, keras.layers.AutoContrast(value_range=limits)(x.reshape(2, 7, 6, 3)).numpy().reshape(x.shape) * 1.01
    )


def test_a_range_that_rounding_may_close_is_not_judged() -> None:
    found = contrast(image(1, 1 + 2**-23), value_range=[0, 1])
    assert np.all(np.isinf(found.limit))
    infinite = contrast(image(1, np.inf, 3))
    assert np.all(infinite.overflow)


def test_channels_first_has_no_reference() -> None:
    with pytest.raises(Unknown, match="data_format"):
        build(TABLE["AutoContrast"].attributes, {"data_format": "channels_first"}, "x")
