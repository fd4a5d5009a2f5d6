"""RMSNormalization by hand, and where Keras multiplies by the scale."""

from __future__ import annotations

import keras
import numpy as np
from support.one import holds, run


def test_by_hand() -> None:
    """3 and 4: the mean of squares is 12.5, with ε = 3.5 the root is 4; no mean is taken off."""
    found = run("RMSNormalization", {"epsilon": 3.5}, [[3.0, 4.0]], scale=[2.0, -1.0])
    assert found.mid.tolist() == [[1.5, -1.0]]
    assert holds(found, [[1.5, -1.0]]) and not holds(found, [[1.5 * (1 + 2e-6), -1.0]])


def test_axes_before_the_last() -> None:
    x = np.arange(8.0).reshape(1, 2, 4)
    found = run("RMSNormalization", {"axis": [1]}, x, scale=[1.0, 2.0])
    root = np.sqrt((x**2).mean(axis=1, keepdims=True) + np.float32(1e-6))
    np.testing.assert_allclose(found.mid, x / root * [[1.0], [2.0]], rtol=1e-12)


def test_keras_lays_the_scale_along_the_last_axes() -> None:
    """A mismatch where both axes are of one length; where they are not, Keras fails."""
    x = np.random.default_rng(0).normal(size=(2, 3, 3)).astype(np.float32)
    layer = keras.layers.RMSNormalization(axis=1)
    layer.build(x.shape)
    layer.scale.assign([1.0, 2.0, 3.0])
    found = run("RMSNormalization", {"axis": [1]}, x, scale=[1.0, 2.0, 3.0])
    got = layer(x).numpy()
    assert not holds(found, got)
    assert holds(found, got / np.float32([1, 2, 3]) * np.float32([[1], [2], [3]]))


def test_other_norms_are_outside() -> None:
    x = np.random.default_rng(1).normal(2, 1, size=(4, 9)).astype(np.float32)
    found = run("RMSNormalization", {}, x, scale=np.ones(9))
    centred = x - x.mean(axis=1, keepdims=True)
    assert holds(found, keras.ops.rms_normalization(x, epsilon=1e-6).numpy())
    assert not holds(found, centred / centred.std(axis=1, keepdims=True))
    assert not holds(found, keras.ops.rms_normalization(x, epsilon=1e-4).numpy())
