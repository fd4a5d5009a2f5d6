"""Images made larger or smaller by every method of `tf.image.resize`, with half-pixel centres; and cut to a size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refconv.numerics.enclosure import Enclosure, Z, widest
from refconv.numerics.formats import FLOAT32
from refconv.ops.attributes import attribute, flag, integer, number
from refconv.ops.axes import as_floats
from refconv.ops.base import Context, Row, Weights
from refconv.ops.filters import FILTERS
from refconv.ops.interpolation import HALF_PIXEL, interpolate, nearest_indices
from refconv.ops.resampling import resample
from refconv.ops.spatial import CHANNELS_FIRST, axes, channels_last, data_format, moved, only, restore
from refconv.ops.taps import taps

METHODS = ("nearest", "area", *FILTERS)


def _interpolation(default: str) -> Any:
    """Keras 2 reads names in any case, and writes what it was given."""
    known = only("interpolation", *METHODS)
    return attribute(lambda value: known(value.lower() if isinstance(value, str) else value), default=default)


def _alignment() -> Any:
    """No layer says it, and none has another; `diagnose` asks what others would give."""
    return attribute(only("alignment", HALF_PIXEL), default=HALF_PIXEL)


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
    alignment: str = _alignment()


@dataclass(frozen=True)
class Resizing:
    """`whole`: integers come out rounded to integers of their own type, as in Keras 3; Keras 2 returns floats."""

    height: int = attribute(integer(1))
    width: int = attribute(integer(1))
    interpolation: str = _interpolation("bilinear")
    crop_to_aspect_ratio: bool = attribute(flag, default=False)
    pad_to_aspect_ratio: bool = attribute(flag, default=False)
    fill_mode: str = attribute(only("fill_mode", "constant"), default="constant")
    fill_value: float = attribute(number, default=0.0)
    antialias: bool = attribute(flag, default=False)
    data_format: str = data_format()
    whole: bool = attribute(flag, default=True)
    alignment: str = _alignment()


@dataclass(frozen=True)
class Crop:
    height: int = attribute(integer(1))
    width: int = attribute(integer(1))
    data_format: str = data_format()


def up_sampling(attrs: UpSampling, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """Each spatial axis `size` times as long: elements repeated, or interpolated as by `resizing`, into floats."""
    method = getattr(attrs, "interpolation", "nearest")
    if method == "nearest":
        return moved(inputs[0], attrs.data_format, len(attrs.size), lambda v: _repeat(v, attrs.size))
    height, width = channels_last(inputs[0].mid, attrs.data_format, 2).shape[1:-1]
    target = (height * attrs.size[0], width * attrs.size[1])
    alignment = getattr(attrs, "alignment", HALF_PIXEL)
    return _interpolated(inputs[0], target, attrs.data_format, context, method=method, alignment=alignment)


def resizing(attrs: Resizing, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """To (height, width): by `interpolation.nearest_indices`, by `interpolation.interpolate`, or by `taps`.

    Before that the image may be cut, or filled up on both sides alike, to the target's aspect ratio. The nearest pixel
    and areas are the same with and without antialiasing.
    """
    target, x = (attrs.height, attrs.width), inputs[0]
    if attrs.crop_to_aspect_ratio:
        x = _to_aspect_ratio(x, target, attrs.data_format)
    elif attrs.pad_to_aspect_ratio:
        x = _filled(x, target, attrs.data_format, attrs.fill_value)
    if attrs.interpolation == "nearest":
        return moved(x, attrs.data_format, 2, lambda v: _gather(v, target, attrs.alignment))
    method, antialias, aligned = attrs.interpolation, attrs.antialias, attrs.alignment
    found = _interpolated(x, target, attrs.data_format, context, method=method, antialias=antialias, alignment=aligned)
    return _as_integers(found, x.mid.dtype) if attrs.whole and x.mid.dtype.kind in "iu" else found


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
    return _interpolated(as_floats(part, context.arithmetic), target, attrs.data_format, context)


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


def _gather(v: np.ndarray, target: tuple[int, int], alignment: str) -> np.ndarray:
    rows, columns = (nearest_indices(v.shape[1 + i], target[i], alignment) for i in range(2))
    return v[:, rows[:, None], columns]


def _interpolated(
    e: Enclosure,
    target: tuple[int, int],
    layout: str,
    context: Context,
    *,
    method: str = "bilinear",
    antialias: bool = False,
    alignment: str = HALF_PIXEL,
) -> Enclosure:
    """Both axes in both orders: the values agree, and the larger radius covers kernels that start with either.

    `tf.image.resize` computes in float32 whatever it is given; a narrower format rounds the result once.
    """
    arithmetic = context.arithmetic.wide
    last = as_floats(e, arithmetic).move(lambda v: channels_last(v, layout, 2))

    def along(e: Enclosure, axis: int) -> Enclosure:
        if method == "bilinear" and not antialias:
            return interpolate(e, axis, target[axis - 1], arithmetic, alignment)
        line = taps(method, e.mid.shape[axis], target[axis - 1], antialias=antialias, u=arithmetic.u)
        return resample(e, axis, line, arithmetic)

    found = widest(along(along(last, 2), 1), along(along(last, 1), 2))
    return restore(context.arithmetic.store(found, FLOAT32), layout)


def _as_integers(e: Enclosure, dtype: np.dtype) -> Enclosure:
    """Rounded half to even and held inside the type: monotone, so that [y ± r] comes out as [R(y − r), R(y + r)]."""
    limits = np.iinfo(dtype)

    def rounded(v: np.ndarray) -> np.ndarray:
        return np.clip(np.rint(v), limits.min, limits.max)

    mid = rounded(e.mid)
    probable, limit = (
        np.max([np.abs(rounded(e.mid + side * r) - mid) for side in (-1, 1)], axis=0) for r in (e.probable, e.limit)
    )
    return Enclosure(mid.astype(dtype), probable / Z, limit)


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
