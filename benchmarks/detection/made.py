"""Two small models of what the samples and the real models lack, so that every operator has a layer to act on."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np


def made(folder: Path) -> list[Path]:
    """The files, written into `folder` unless they are there; their weights are drawn from a fixed seed."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, paths = np.random.default_rng(3), []
    for name, build in (("float.keras", floating), ("quantized.h5", quantized)):
        paths.append(folder / name)
        if not paths[-1].exists():
            built = build()
            built.set_weights([rng.uniform(-0.5, 0.5, np.shape(w)) for w in built.get_weights()])
            built.save(paths[-1])
    return paths


def floating() -> Any:
    """Dilation, groups, one-sided padding, joined branches, axes permuted."""
    keras = import_module("keras")
    layers = keras.layers
    x = keras.Input((12, 12, 4))
    y = layers.Rescaling(1 / 255, name="scaled")(x)
    y = layers.ZeroPadding2D(((0, 1), (0, 1)), name="padded")(y)
    y = layers.Conv2D(4, 3, padding="same", dilation_rate=2, activation="elu", name="dilated")(y)
    a = layers.Conv2D(8, 3, groups=2, strides=2, padding="same", name="grouped")(y)
    b = layers.DepthwiseConv2D(3, depth_multiplier=2, strides=2, padding="same", name="depthwise")(y)
    y = layers.Concatenate(name="joined")([layers.LeakyReLU(name="leaky")(a), layers.PReLU(name="prelu")(b)])
    y = layers.Conv2DTranspose(4, 3, strides=2, padding="same", name="up")(y)
    y = layers.Add(name="sum")([y, layers.Permute((2, 1, 3), name="permuted")(y)])
    y = layers.Reshape((7, 28, 4), name="shaped")(y)
    return keras.Model(x, layers.Dense(3, activation="softmax", name="dense")(layers.GlobalAveragePooling2D()(y)))


def quantized() -> Any:
    """A coarse grid behind a fine one, so that ties occur, and values beyond its negative end; an enlarged image."""
    layers, qkeras = import_module("tf_keras").layers, import_module("qkeras")
    x = layers.Input((6, 6, 2))
    y = layers.Resizing(9, 9, name="resized")(x)
    y = qkeras.QActivation("quantized_bits(8,1,alpha=1.0)", name="fine")(y)
    y = qkeras.QActivation("quantized_bits(4,1,alpha=1.0)", name="coarse")(y)
    return import_module("tf_keras").Model(x, layers.Dropout(0.5, name="dropped")(y))
