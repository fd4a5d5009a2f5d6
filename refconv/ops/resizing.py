"""Images made larger or smaller: nearest neighbour and bilinear, with half-pixel centres; and cut to a size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refconv.numerics.enclosure import Enclosure, widest
from refconv.numerics.formats import FLOAT32
from refconv.ops.attributes import Unknown, attribute, flag, integer, number
from refconv.ops.axes import as_floats
from refconv.ops.base import Context, Row, Weights
from refconv.ops.interpolation import interpolate, nearest_indices
from refconv.ops.spatial import CHANNELS_FIRST, axes, channels_last, data_format, moved, only, restore


def _interpolation(default: str) -> Any:
    return attribute(only("interpolation", "nearest", "bilinear"), default=default)


@dataclass(frozen=True, kw_only=True)
class UpSampling:
    size: tuple[int, ...]
    data_format: str = data_format()


def up_sampling_of_rank(rank: int) -> type[UpSampling]:
    """The attributes of UpSampling1D or 3D, whose elements are repeated."""

    @dataclass(frozen=True, kw_only=True)
    class Ranked(UpSampling):
        size: tuple[int, ...] = axes(rank, 2)

    return Ranked


@dataclass(frozen=True, kw_only=True)
class UpSampling2D(up_sampling_of_rank(2)):  # type: ignore[misc]
    """Only images are interpolated."""

    interpolation: str = _interpolation("nearest")


@dataclass(frozen=True)
class Resizing:
    height: int = attribute(integer(1))
    width: int = attribute(integer(1))
    interpolation: str = _interpolation("bilinear")
    crop_to_aspect_ratio: bool = attribute(flag, default=False)
    pad_to_aspect_ratio: bool = attribute(flag, default=False)
    fill_mode: str = attribute(only("fill_mode", "constant"), default="constant")
    fill_value: float = attribute(number, default=0.0)
    antialias: bool = attribute(only("antialias", False), default=False)
    data_format: str = data_format()


@dataclass(frozen=True)
class Crop:
    height: int = attribute(integer(1))
    width: int = attribute(integer(1))
    data_format: str = data_format()


def up_sampling(attrs: UpSampling, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """Each spatial axis `size` times as long: elements repeated, or interpolated (`interpolation.interpolate`)."""
    if getattr(attrs, "interpolation", "nearest") == "nearest":
        return moved(inputs[0], attrs.data_format, len(attrs.size), lambda v: _repeat(v, attrs.size))
    height, width = channels_last(inputs[0].mid, attrs.data_format, 2).shape[1:-1]
    return _bilinear(inputs[0], (height * attrs.size[0], width * attrs.size[1]), attrs.data_format, context)


def resizing(attrs: Resizing, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """To (height, width), by `interpolation.nearest_indices` or `interpolation.interpolate`, without antialiasing.

    Before that the image may be cut, or filled up on both sides alike, to the target's aspect ratio.

    Raises:
        Unknown: bilinear on integers, which Keras 2 returns as floats and Keras 3 rounds.
    """
    target, x = (attrs.height, attrs.width), inputs[0]
    if attrs.crop_to_aspect_ratio:
        x = _to_aspect_ratio(x, target, attrs.data_format)
    elif attrs.pad_to_aspect_ratio:
        x = _filled(x, target, attrs.data_format, attrs.fill_value)
    if attrs.interpolation == "nearest":
        return moved(x, attrs.data_format, 2, lambda v: _gather(v, target))
    return _bilinear(x, target, attrs.data_format, context)


def center_crop(attrs: Crop, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """The middle of an image that is large enough, an odd pixel more after it than before; else `random_crop`."""
    target = (attrs.height, attrs.width)
    spatial = channels_last(inputs[0].mid, attrs.data_format, 2).shape[1:-1]
    if any(length < wanted for length, wanted in zip(spatial, target, strict=True)):
        return random_crop(attrs, weights, inputs, context)
    return _middle(inputs[0], target, attrs.data_format)


def random_crop(attrs: Crop, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """At inference: the largest part with the target's aspect ratio, from the middle, resized to the target."""
    target = (attrs.height, attrs.width)
    part = _to_aspect_ratio(inputs[0], target, attrs.data_format)
    return _bilinear(as_floats(part, context.arithmetic), target, attrs.data_format, context)


def _to_aspect_ratio(e: Enclosure, target: tuple[int, int], layout: str) -> Enclosure:
    """The largest part with the target's aspect ratio, cut down to whole pixels, from the middle."""
    (height, width), (high, wide) = channels_last(e.mid, layout, 2).shape[1:-1], target
    return _middle(e, (max(min(height, width * high // wide), 1), max(min(width, height * wide // high), 1)), layout)


def _middle(e: Enclosure, size: tuple[int, int], layout: str) -> Enclosure:
    def cut(v: np.ndarray) -> np.ndarray:
        first = [(length - wanted) // 2 for length, wanted in zip(v.shape[1:-1], size, strict=True)]
        return v[:, first[0] : first[0] + size[0], first[1] : first[1] + size[1]]

    return moved(e, layout, 2, cut)


def _filled(e: Enclosure, target: tuple[int, int], layout: str, value: float) -> Enclosure:
    """The image in the middle of the smallest frame with the target's aspect ratio; an odd line is left out."""
    (height, width), (high, wide) = channels_last(e.mid, layout, 2).shape[1:-1], target
    frame = (max(height, width * high // wide), max(width, height * wide // high))
    margins = [((one - own) // 2,) * 2 for one, own in zip(frame, (height, width), strict=True)]

    def fill(v: np.ndarray, constant: float) -> np.ndarray:
        padded = np.pad(channels_last(v, layout, 2), ((0, 0), *margins, (0, 0)), constant_values=constant)
        return np.moveaxis(padded, -1, 1) if layout == CHANNELS_FIRST else padded

    mid, *radii = e.full()
    return Enclosure(fill(mid, value), *(fill(r, 0) for r in radii)) if not e.exact else Enclosure(fill(mid, value))


def _repeat(v: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    for axis, times in enumerate(size, start=1):
        v = v.repeat(times, axis)
    return v


def _gather(v: np.ndarray, target: tuple[int, int]) -> np.ndarray:
    rows, columns = (nearest_indices(v.shape[1 + i], target[i]) for i in range(2))
    return v[:, rows[:, None], columns]


def _bilinear(enclosure: Enclosure, target: tuple[int, int], layout: str, context: Context) -> Enclosure:
    """Both axes in both orders: the values agree, and the larger radius covers kernels that start with either.

    `tf.image.resize` computes in float32 whatever it is given; a narrower format rounds the result once.
    """
    if enclosure.mid.dtype.kind != "f":
        raise Unknown(f"bilinear resizing of {enclosure.mid.dtype} has no reference")
    last = enclosure.move(lambda v: channels_last(v, layout, 2))

    def along(e: Enclosure, axis: int) -> Enclosure:
        return interpolate(e, axis, target[axis - 1], context.arithmetic.wide)

    found = widest(along(along(last, 2), 1), along(along(last, 1), 2))
    return restore(context.arithmetic.store(found, FLOAT32), layout)


ROWS = (
    Row("UpSampling1D", up_sampling_of_rank(1), up_sampling, exact=True, source="keras.layers.UpSampling1D"),
    Row("UpSampling2D", UpSampling2D, up_sampling, wide=True, source="keras.layers.UpSampling2D"),
    Row("UpSampling3D", up_sampling_of_rank(3), up_sampling, exact=True, source="keras.layers.UpSampling3D"),
    Row("Resizing", Resizing, resizing, wide=True, source="keras.layers.Resizing, tf.image.resize"),
    Row("CenterCrop", Crop, center_crop, wide=True, source="keras.layers.CenterCrop"),
    Row(
        "RandomCrop",
        Crop,
        random_crop,
        wide=True,
        source="keras.layers.RandomCrop",
        note="documented to crop and resize at inference, as Keras 2 does; Keras 3.15 gives back its input",
    ),
)
