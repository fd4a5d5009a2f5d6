"""SpectralNormalization at inference is the layer inside: read from both kinds of file, and judged as that layer."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from support.live import PACKAGES, capture_live

from refconv import formats
from refconv.pipeline import Options, verify
from refconv.result import Verdict

X = np.random.default_rng(0).normal(size=(2, 6, 5, 2)).astype(np.float32)


@pytest.mark.parametrize("major", PACKAGES)
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_spectral_normalization(major: int, ending: str, tmp_path: Path) -> None:
    keras = import_module(PACKAGES[major])
    layers = keras.layers
    start = layers.Input(X.shape[1:])
    x = layers.SpectralNormalization(layers.Conv2D(3, 3, activation="relu", name="inner"), name="conv")(start)
    model = keras.Model(start, layers.SpectralNormalization(layers.Dense(2), name="dense")(x))
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in model.get_weights()])
    model(X, training=True)  # the kernel that is kept is the divided one
    model.save(tmp_path / f"model{ending}")
    graph = formats.load(tmp_path / f"model{ending}")
    assert [(node.type, list(node.weights)) for node in graph.nodes[1:]] == [
        ("Conv2D", ["kernel", "bias"]),
        ("Dense", ["kernel", "bias"]),
    ]
    result = verify(graph, capture_live(model, [X], keras=major, mode="eager"), [X], Options())
    assert result.verdict == "pass"
    kernel, *rest = model.get_layer("conv").get_weights()
    model.get_layer("conv").set_weights([kernel * np.float32(1.001), *rest])
    result = verify(graph, capture_live(model, [X], keras=major, mode="eager"), [X], Options())
    assert [layer.verdict for layer in result.layers] == [Verdict.MISMATCH, Verdict.WITHIN]
