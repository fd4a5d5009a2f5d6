"""Calls that say training=True: Keras 2 then draws at inference, Keras 3 goes by how the model is called."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from support.live import PACKAGES

from refconv import formats

X = np.random.default_rng(0).uniform(0, 1, (2, 5, 6, 3)).astype(np.float32)


@pytest.mark.parametrize("major", PACKAGES)
@pytest.mark.parametrize("training", [None, True])
def test_augmentation_called_in_training_mode(major: int, training: bool | None, tmp_path: Path) -> None:
    keras = import_module(PACKAGES[major])
    x = keras.layers.Input(X.shape[1:])
    model = keras.Model(x, keras.layers.RandomBrightness(0.9, value_range=(0, 1), name="light")(x, training=training))
    model.save(tmp_path / "model.keras")
    (node,) = formats.load(tmp_path / "model.keras").nodes[1:]
    untouched = np.array_equal(model.predict(X, verbose=0), X)
    assert untouched is (node.attrs is not None) is not (major == 2 and training is True)
    assert untouched or node.reason == "no reference for RandomBrightness called with training = True"
