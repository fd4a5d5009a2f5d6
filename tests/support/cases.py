"""One strategy per row: the layers that the laws of `ops/test_laws.py` try. Here: convolutions, pooling, images."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from support.laws import Case

ACTIVATIONS = st.sampled_from(["linear", "relu", "sigmoid"])
FORMATS = st.sampled_from(["channels_last", "channels_last", "channels_last", "channels_first"])
PADDINGS = st.sampled_from(["same", "valid"])


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


def image(draw: st.DrawFn, data_format: str, least: tuple[int, int] = (1, 1), channels: int | None = None) -> Any:
    """A shape (N, H, W, C) or (N, C, H, W), at least `least` high and wide."""
    height, width = (low + draw(st.integers(0, 6)) for low in least)
    depth = channels or draw(st.integers(1, 4))
    batch = draw(st.integers(1, 3))
    return (batch, depth, height, width) if data_format == "channels_first" else (batch, height, width, depth)


def extent(size: tuple[int, ...], dilation: tuple[int, ...], padding: str) -> tuple[int, ...]:
    """The smallest image that gives an output."""
    return tuple((k - 1) * d + 1 if padding == "valid" else 1 for k, d in zip(size, dilation, strict=True))


@st.composite
def windows(draw: st.DrawFn, *, square: bool = False, both: bool = False) -> dict[str, Any]:
    """kernel_size, strides, padding and dilation_rate; only `both` lets strides and dilation exceed 1 together."""
    steps = st.integers(1, 3).map(lambda n: (n, n)) if square else pairs(1, 3)
    strides, dilation = draw(steps), draw(steps)
    if not both and max(strides) > 1 and max(dilation) > 1:
        dilation = (1, 1)
    fields = {"kernel_size": draw(pairs(1, 4)), "strides": strides, "dilation_rate": dilation}
    return {**fields, "padding": draw(PADDINGS), "data_format": draw(FORMATS)}


@st.composite
def head(draw: st.DrawFn) -> dict[str, Any]:
    """What follows the sum."""
    return {"use_bias": draw(st.booleans()), "activation": draw(ACTIVATIONS)}


def least(fields: dict[str, Any]) -> Any:
    return extent(fields["kernel_size"], fields["dilation_rate"], fields["padding"])


@st.composite
def convolutions(draw: st.DrawFn) -> Case:
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    fields = draw(windows())
    shape = image(draw, fields["data_format"], least(fields), groups * draw(st.integers(1, 3)))
    filters = groups * draw(st.integers(1, 4))
    return Case({"filters": filters, "groups": groups, **fields, **draw(head())}, (shape,))


@st.composite
def depthwise(draw: st.DrawFn) -> Case:
    fields = draw(windows(square=True, both=True))
    shape = image(draw, fields["data_format"], least(fields))
    config = {"depth_multiplier": draw(st.integers(1, 3)), **fields, **draw(head())}
    return Case(config, (shape,), majors=_majors(fields))


@st.composite
def separable(draw: st.DrawFn) -> Case:
    case = draw(depthwise())
    return Case({"filters": draw(st.integers(1, 4)), **case.config}, case.shapes, case.majors)


def _majors(fields: dict[str, Any]) -> tuple[int, ...]:
    """Only Keras 3 runs strides and dilation together (TRAPS 7)."""
    return (3,) if max(fields["strides"]) > 1 and max(fields["dilation_rate"]) > 1 else (2, 3)


@st.composite
def transposed(draw: st.DrawFn) -> Case:
    fields = draw(windows(square=draw(st.booleans())))
    if len(set(fields["dilation_rate"])) > 1:
        fields["dilation_rate"] = (1, 1)  # Keras 2 has one rate for both axes
    extents = [(k - 1) * d + 1 for k, d in zip(fields["kernel_size"], fields["dilation_rate"], strict=True)]
    extra = None
    if draw(st.booleans()) and all(map(_may_pad(fields["padding"]), fields["strides"], extents)):
        extra = tuple(
            draw(st.integers(_smallest(fields["padding"], e), s - 1))
            for s, e in zip(fields["strides"], extents, strict=True)
        )
    config = {"filters": draw(st.integers(1, 4)), "output_padding": extra, **fields, **draw(head())}
    return Case(config, (image(draw, fields["data_format"]),))


def _smallest(padding: str, extent: int) -> int:
    """SAME with an even kernel and no output padding has one position less than the input: TensorFlow refuses it."""
    return 1 if padding == "same" and extent % 2 == 0 else 0


def _may_pad(padding: str) -> Any:
    return lambda stride, extent: _smallest(padding, extent) < stride


@st.composite
def pooling(draw: st.DrawFn) -> Case:
    padding, data_format, size = draw(PADDINGS), draw(FORMATS), draw(pairs(1, 4))
    config = {"pool_size": size, "padding": padding, "data_format": data_format}
    config["strides"] = draw(st.none() | pairs(1, 4))
    return Case(config, (image(draw, data_format, extent(size, (1, 1), padding)),))


@st.composite
def global_pooling(draw: st.DrawFn) -> Case:
    data_format = draw(FORMATS)
    return Case({"data_format": data_format, "keepdims": draw(st.booleans())}, (image(draw, data_format),))


MARGINS = st.tuples(pairs(0, 3), pairs(0, 3))


@st.composite
def padding(draw: st.DrawFn) -> Case:
    data_format = draw(FORMATS)
    given = draw(st.one_of(st.integers(0, 3), pairs(0, 3), MARGINS))
    return Case({"padding": given, "data_format": data_format}, (image(draw, data_format),))


@st.composite
def cropping(draw: st.DrawFn) -> Case:
    data_format, margins = draw(FORMATS), draw(MARGINS)
    needed = tuple(sum(pair) + 1 for pair in margins)
    return Case({"cropping": margins, "data_format": data_format}, (image(draw, data_format, needed),))


INTERPOLATIONS = st.sampled_from(["nearest", "bilinear"])


@st.composite
def up_sampling(draw: st.DrawFn) -> Case:
    data_format = draw(FORMATS)
    config = {"size": draw(pairs(1, 5)), "data_format": data_format, "interpolation": draw(INTERPOLATIONS)}
    return Case(config, (image(draw, data_format),))


@st.composite
def resizing(draw: st.DrawFn) -> Case:
    """Padding to the aspect ratio is Keras 3's; both do not go together."""
    config = {name: draw(st.integers(1, 40)) for name in ("height", "width")}
    first = draw(st.sampled_from([{}, {}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True}]))
    if "pad_to_aspect_ratio" in first:
        first["fill_value"] = draw(st.sampled_from([0.0, 2.5]))
    majors = (3,) if first else (2, 3)
    shape = image(draw, "channels_last")
    return Case({**config, **first, "interpolation": draw(INTERPOLATIONS)}, (shape,), majors)


@st.composite
def crop(draw: st.DrawFn) -> Case:
    """Smaller and larger than the image. Keras 2 cannot cut to less than a pixel, and Keras 3 takes one."""
    config = {name: draw(st.integers(1, 9)) for name in ("height", "width")}
    batch, height, width, channels = image(draw, "channels_last")
    high, wide = config["height"], config["width"]
    if min(width * high // wide, height * wide // high) < 1:
        config = dict.fromkeys(config, high)
    return Case(config, ((batch, height, width, channels),))


@st.composite
def dense(draw: st.DrawFn) -> Case:
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=2, max_size=4)))
    return Case({"units": draw(st.integers(1, 5)), **draw(head())}, (shape,))


CASES: dict[str, st.SearchStrategy[Case]] = {
    "Dense": dense(),
    "Conv2D": convolutions(),
    "DepthwiseConv2D": depthwise(),
    "SeparableConv2D": separable(),
    "Conv2DTranspose": transposed(),
    "MaxPooling2D": pooling(),
    "AveragePooling2D": pooling(),
    "GlobalMaxPooling2D": global_pooling(),
    "GlobalAveragePooling2D": global_pooling(),
    "ZeroPadding2D": padding(),
    "Cropping2D": cropping(),
    "UpSampling2D": up_sampling(),
    "Resizing": resizing(),
    "CenterCrop": crop(),
}
