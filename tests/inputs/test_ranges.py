"""What a model input may hold, from the layers that it goes into: indices of an Embedding, pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from refconv import formats
from refconv.pipeline import Options, draw_inputs
from refconv.reference.ranges import index_ranges

L = keras.layers
IMAGENET = {"mean": [123.7, 116.3, 103.5], "variance": [3409.0, 3262.0, 3291.0]}


@pytest.mark.parametrize(
    ("layer", "pixels"),
    [
        (lambda: L.Rescaling(1 / 255), True),
        (lambda: L.Rescaling([1 / 127.5] * 3, offset=-1.0), True),
        (lambda: L.Normalization(**IMAGENET), True),
        (lambda: L.Rescaling(0.5), False),
        (lambda: L.Normalization(mean=0.0, variance=4.0), False),
        (lambda: L.Normalization(**IMAGENET, invert=True), False),
        (lambda: L.Normalization(), False),
        (lambda: L.Conv2D(2, 1), False),
    ],
)
def test_an_input_that_is_scaled_down_far_is_drawn_as_pixels(layer: Any, pixels: bool, tmp_path: Path) -> None:
    x = keras.Input((8, 8, 3), name="image")
    keras.Model(x, layer()(x)).save(tmp_path / "model.keras")
    graph = formats.load(tmp_path / "model.keras")
    assert index_ranges(graph) == ({"image": 256} if pixels else {})
    (drawn,) = draw_inputs(graph, None, Options())
    assert (drawn.min() >= 0 and drawn.max() > 200 and np.array_equal(drawn, np.round(drawn))) == pixels
    assert drawn.dtype == np.float32


def test_only_the_layer_that_takes_the_input_itself_says_so(tmp_path: Path) -> None:
    x = keras.Input((8, 8, 3), name="image")
    keras.Model(x, L.Rescaling(1 / 255)(L.Conv2D(2, 1)(x))).save(tmp_path / "model.keras")
    assert index_ranges(formats.load(tmp_path / "model.keras")) == {}
