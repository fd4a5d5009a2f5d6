"""Image files as a model's input: resized, and with the channels that it wants."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refconv.errors import BadInput
from refconv.graph import TensorSpec
from refconv.inputs.shapes import CHANNEL_COUNTS, text

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def channel_axis(shape: tuple[int | None, ...]) -> int | None:
    """The axis of a batch of images that holds 1, 3 or 4 channels: last, else first; None for images without one."""
    if len(shape) != 4:
        return None
    return 1 if shape[-1] not in CHANNEL_COUNTS and shape[1] in CHANNEL_COUNTS else -1


def read_images(path: Path, spec: TensorSpec, first: int | None) -> np.ndarray:
    """The image, or every image of a folder in the order of names, as float32 in 0…255 and the layout of `spec`.

    Each is converted to grayscale, RGB or RGBA, and resized (bilinear) where its size is not the input's. Where the
    input's height and width are unknown, the first image's are used.

    Raises:
        BadInput: no or broken images, or an input that is not an image.
    """
    axis, sizes, mode = _layout(spec, str(path))
    opened = []
    for file in _files(path)[:first]:
        image = _open(file, mode)
        sizes = (sizes[0] or image.height, sizes[1] or image.width)
        opened.append(_resized(image, sizes))
    batch = np.stack(opened)
    if axis is None:
        return batch
    batch = batch.reshape(*batch.shape[:3], -1)
    return np.ascontiguousarray(np.moveaxis(batch, -1, axis))


def _layout(spec: TensorSpec, where: str) -> tuple[int | None, tuple[int | None, int | None], str]:
    """Channel axis, (height, width) and Pillow mode of an input that takes images."""
    shape = spec.shape
    if len(shape) not in (3, 4):
        raise BadInput(f"input {spec.name!r} takes {text(shape)}, which is not an image", where=where, hint="give .npy")
    axis = channel_axis(shape)
    if axis is None:
        return None, (shape[1], shape[2]), "L"
    channels = 3 if shape[axis] is None else shape[axis]
    if channels not in MODES:
        what = f"input {spec.name!r} takes {channels} channels; an image has 1, 3 or 4"
        raise BadInput(what, where=where, hint="give .npy")
    return axis, (shape[2], shape[3]) if axis == 1 else (shape[1], shape[2]), MODES[channels]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(f for f in path.iterdir() if f.suffix.lower() in SUFFIXES and not f.name.startswith("."))
    if not files:
        raise BadInput("holds no images", where=str(path), hint="refconv reads " + ", ".join(SUFFIXES))
    return files


def _open(file: Path, mode: str) -> Image:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(file)
        with image:
            image.load()
            if image.mode.startswith(("I", "F")):
                raise BadInput(f"has pixels of mode {image.mode}, not 8 bits", where=str(file), hint="give .npy")
            return image.convert(mode)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadInput(f"is not a readable image: {error}", where=str(file)) from None


def _resized(image: Image, sizes: tuple[int, int]) -> np.ndarray:
    from PIL import Image

    if (image.height, image.width) != sizes:
        image = image.resize((sizes[1], sizes[0]), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.float32)
