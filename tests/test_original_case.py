"""The question that this project began with: a layer computed by hand from get_weights() gives something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.models import model_path, needs_models

import refconv
from refconv.report import pixel as report

tf_keras = pytest.importorskip("tf_keras")
qkeras = pytest.importorskip("qkeras")


@needs_models
def test_get_weights_of_a_quantized_convolution(tmp_path: Path) -> None:
    """A QConv2D of quantized_bits(4,0,1) on an image of CIFAR-10; one pixel over all channels, with NumPy."""
    four = "quantized_bits(4,0,1)"
    layer = qkeras.QConv2D(8, 3, padding="same", kernel_quantizer=four, bias_quantizer=four, name="conv")
    model = tf_keras.Sequential([tf_keras.Input((32, 32, 3)), layer])
    rng = np.random.default_rng(0)
    layer.set_weights([rng.uniform(-1, 1, w.shape).astype(np.float32) for w in layer.get_weights()])
    path = tmp_path / "model.h5"
    model.save(path)
    with np.load(model_path("known_answers/rn07/vectors.npz")) as vectors:
        x = vectors["images"][:1].astype(np.float32) / np.float32(256)

    kernel, bias = layer.get_weights()
    mine = (x[0, 0:3, 0:3, :, None] * kernel).sum((0, 1, 2)) + bias
    keras = model.predict(x, verbose=0)[0, 1, 1]
    assert np.abs(mine - keras).max() > 0.01  # the surprise

    found = refconv.explain(path, "conv", mine, x, at="1,1")
    assert [finding.code for finding in found.findings] == ["RC101"]
    line = found.findings[0].line
    assert line == f"kernel = refconv.weights({str(path)!r})['conv'].kernel.effective"
    scope: dict[str, np.ndarray] = {"refconv": refconv}  # type: ignore[dict-item]
    exec(line, scope)
    right = (x[0, 0:3, 0:3, :, None] * scope["kernel"]).sum((0, 1, 2)) + refconv.weights(path)["conv"].bias.effective
    np.testing.assert_array_equal(right, keras)
    assert refconv.explain(path, "conv", right, x, at="1,1").agrees

    for channel in range(8):
        shown = refconv.pixel(path, "conv", (1, 1, channel), x, framework=False).by_hand
        assert shown.value == keras[channel]
        assert report.with_stored(shown) == pytest.approx(mine[channel], abs=1e-5)
        np.testing.assert_array_equal(shown.stored, kernel[..., channel])
