"""A convolution of somebody's own with the odd zero of SAME on the wrong side, in a model of twenty layers."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np

WRONG, RIGHT = "(total - total // 2, total // 2)", "(total // 2, total - total // 2)"
CODE = f"""
import tensorflow as tf
import {{keras}} as keras

@keras.saving.register_keras_serializable("mine")
class Swapped(keras.layers.Conv2D):
    def call(self, x):
        pads = []
        for n, k, s in zip(x.shape[1:3], self.kernel_size, self.strides):
            total = max((-(-n // s) - 1) * s + k - n, 0)
            pads.append({WRONG})
        y = tf.nn.conv2d(tf.pad(x, [(0, 0), *pads, (0, 0)]), self.kernel, self.strides, "VALID")
        if self.use_bias:
            y = y + self.bias
        return self.activation(y) if self.activation is not None else y
"""
REFERENCE = """
import numpy as np
import refconv

def forward(config, weights, inputs, ops):
    kernel, *bias = weights.values()
    strides = config["strides"]

    def patches(x):
        pads = []
        for n, k, s in zip(x.shape[1:3], kernel.shape, strides):
            total = max((-(-n // s) - 1) * s + k - n, 0)
            pads.append((total // 2, total - total // 2))
        wide = np.pad(x, [(0, 0), *pads, (0, 0)])
        windows = np.lib.stride_tricks.sliding_window_view(wide, kernel.shape[:2], axis=(1, 2))
        windows = np.moveaxis(windows[:, :: strides[0], :: strides[1]], 3, 5)
        return windows.reshape(*windows.shape[:3], -1)

    y = ops.einsum("nhwk,kf->nhwf", ops.move(patches, inputs[0]), kernel.reshape(-1, kernel.shape[-1]))
    y = ops.add(y, bias[0]) if bias else y
    return ops.activation(config["activation"], y)

refconv.register("mine>Swapped", forward)
"""


def files(folder: Path, keras: str) -> tuple[Path, Path]:
    """The layer's code and its reference."""
    code, reference = folder / "swapped_layer.py", folder / "swapped_reference.py"
    code.write_text(CODE.format(keras=keras))
    reference.write_text(REFERENCE)
    return code, reference


def twenty(path: Path, keras: str, code: Path) -> Path:
    """Save a model of twenty layers, of which the twelfth is wrong."""
    module, layers = _imported(code, f"{code.stem}_{keras}"), import_module(keras).layers
    x = image = layers.Input((16, 16, 3))
    for number in range(4):
        x = layers.Conv2D(8, 3, padding="same", name=f"conv_{number}")(x)
        x = layers.BatchNormalization(name=f"norm_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}")(x)
        if number == 2:
            x = layers.MaxPooling2D(2, name="pool")(x)
            x = module.Swapped(8, 4, padding="same", activation="relu", name="swapped")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.AveragePooling2D(2, name="average")(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(16, activation="tanh", name="hidden")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    model = import_module(keras).Model(image, layers.Dense(10, activation="softmax", name="classes")(x))
    assert len(model.layers) == 21  # and the input
    rng = np.random.default_rng(0)
    drawn = (rng.normal(size=w.shape) for w in model.get_weights())
    model.set_weights([np.abs(w) + 0.1 if w.ndim == 1 else w / 4 for w in drawn])
    model.save(path)
    return path


def _imported(code: Path, name: str) -> Any:
    if name not in sys.modules:
        spec = spec_from_file_location(name, code)
        assert spec is not None and spec.loader is not None
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]
