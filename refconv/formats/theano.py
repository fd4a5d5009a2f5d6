"""Theano's convolution turns its kernel by 180°, so files written by Keras on Theano hold kernels turned that way.

Keras 2 turned them back when it loaded such a file on another backend (`convert_kernel` in keras/utils/conv_utils.py
and `preprocess_weights_for_loading`, up to Keras 2.3); tf-keras does not, and computes something else than was trained.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from refconv.formats.leaves import Leaf
from refconv.graph import Weight

CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "ConvLSTM2D")
THEANO_NOTE = "written on Theano: convolution kernels are stored rotated by 180°, and are turned back"
UNKNOWN_NOTE = (
    "kernels lie in Theano's order, and a Keras 1 file does not say what wrote it: they are read as TensorFlow's; if "
    "Theano wrote them, they stand rotated by 180°"
)


def is_rotated(backend: str, kind: str) -> bool:
    """True for a layer whose kernel the file holds rotated."""
    return backend == "theano" and kind in CONVOLUTIONS


def written_on(backend: str, leaves: Iterable[Leaf]) -> list[str]:
    """What has to be said of the backend that wrote the kernels."""
    convolutions = [leaf for leaf in leaves if leaf.resolved.type in CONVOLUTIONS]
    if any(is_rotated(backend, leaf.resolved.type) for leaf in convolutions):
        return [THEANO_NOTE]
    return [UNKNOWN_NOTE] if any(leaf.layer.config.get("dim_ordering") == "th" for leaf in convolutions) else []


def rotated(weight: Weight) -> Weight:
    """`weight` with its spatial axes reversed."""
    spatial = spatial_axes(len(weight.shape))
    return replace(weight, read=lambda: np.flip(weight.read(), spatial), stored=None)


def rotated_weights(kind: str) -> tuple[str, ...]:
    """Which weights of such a layer."""
    return ("kernel", "recurrent_kernel") if kind == "ConvLSTM2D" else ("kernel",)


def spatial_axes(rank: int) -> tuple[int, ...]:
    """Of a convolution's kernel: all but the last two."""
    return tuple(range(rank - 2))
