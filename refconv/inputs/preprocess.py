"""Pixels 0…255 to what a model was trained on, as keras.applications.imagenet_utils.preprocess_input defines it."""

from __future__ import annotations

import numpy as np

from refconv.errors import BadInput

MODES = ("none", "unit", "caffe", "tf", "torch")

CAFFE_MEAN = (103.939, 116.779, 123.68)  # of ImageNet: blue, green, red
TORCH_MEAN = (0.485, 0.456, 0.406)  # red, green, blue, of pixels in 0…1
TORCH_DEVIATION = (0.229, 0.224, 0.225)


def preprocess(pixels: np.ndarray, mode: str, *, channel_axis: int = -1, where: str = "") -> np.ndarray:
    """The pixels in float32, in the order of operations of `preprocess_input`.

    none: as they are. unit: x/255. tf: x/127.5 − 1. torch: x/255, minus ImageNet's mean, over its deviation.
    caffe: RGB to BGR, minus ImageNet's mean by channel, no scaling. `channel_axis` is the axis of the colours.

    Raises:
        BadInput: caffe or torch, and not three channels; or an unknown mode.
    """
    if mode not in MODES:
        raise BadInput(f"there is no preprocessing {mode!r}", where="--preprocess", hint=", ".join(MODES))
    if mode == "none":
        return pixels
    x = pixels.astype(np.float32)
    if mode == "unit":
        return x / np.float32(255)
    if mode == "tf":
        return x / np.float32(127.5) - np.float32(1)
    if x.ndim < 2 or x.shape[channel_axis] != 3:
        wanted = f"{mode} wants three channels, the shape is {x.shape}"
        raise BadInput(wanted, where=where or "--preprocess", hint="use --preprocess unit or tf")
    x = np.moveaxis(x, channel_axis, -1)
    x = _caffe(x) if mode == "caffe" else _torch(x)
    return np.ascontiguousarray(np.moveaxis(x, -1, channel_axis))


def _caffe(rgb: np.ndarray) -> np.ndarray:
    return rgb[..., ::-1] - np.array(CAFFE_MEAN, np.float32)


def _torch(rgb: np.ndarray) -> np.ndarray:
    return (rgb / np.float32(255) - np.array(TORCH_MEAN, np.float32)) / np.array(TORCH_DEVIATION, np.float32)
