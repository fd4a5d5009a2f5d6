"""Layers of keras.applications that are in no public module: an .h5 file names them without their module."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.live import framework

from refconv import formats
from refconv.frameworks.worker.loading import load_model

BOTH = pytest.mark.parametrize("keras", [2, 3])
X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(2, 6)


def built(keras: int) -> Any:
    package = framework(keras).keras
    inside = import_module(package.__name__ + ".src.applications.convnext")
    residual = import_module(package.__name__ + ".src.applications.inception_resnet_v2")
    x = package.Input((6,))
    y = inside.StochasticDepth(0.5, name="depth")(inside.LayerScale(0.5, 6, name="scaled")(x))
    return package.Model(x, residual.CustomScaleLayer(0.17, name="custom")([x, y]))


@BOTH
@pytest.mark.parametrize("ending", [".h5", ".keras"])
def test_the_framework_loads_what_it_saved(keras: int, ending: str, tmp_path: Path) -> None:
    model, path = built(keras), tmp_path / f"model{ending}"
    model.save(path)
    loaded = load_model(framework(keras), str(path))
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    types = {node.layer: (node.type, node.reason) for node in formats.load(path).nodes[1:]}
    names = {"scaled": "LayerScale", "depth": "StochasticDepth", "custom": "CustomScaleLayer"}
    assert types == {layer: (name, "") for layer, name in names.items()}


@BOTH
def test_a_class_of_another_is_still_unknown(keras: int, tmp_path: Path) -> None:
    package = framework(keras).keras

    class Mine(package.layers.Layer):  # type: ignore[misc,name-defined]
        def call(self, x: Any) -> Any:
            return x

    package.Sequential([package.layers.Input((6,)), Mine(name="mine")]).save(tmp_path / "model.h5")
    with pytest.raises(Exception, match="Unknown layer|unknown"):
        load_model(framework(keras), str(tmp_path / "model.h5"))
