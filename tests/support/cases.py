"""One strategy per row: the layers that the laws of `ops/test_laws.py` try. Here: convolutions, pooling, images."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from support.laws import Case

from refconv.testing.defects import defect
from refconv.testing.strategies import convolution_cases, dense_cases, depthwise_cases

HEADS = ("linear", "relu", "sigmoid")
LAYOUTS = ("channels_last", "channels_last", "channels_last", "channels_first")
ACTIVATIONS, FORMATS = st.sampled_from(HEADS), st.sampled_from(LAYOUTS)
PADDINGS = st.sampled_from(["same", "valid"])


def each(rank: int, low: int, high: int) -> st.SearchStrategy[tuple[int, ...]]:
    """One integer per spatial axis."""
    return st.tuples(*[st.integers(low, high)] * rank)


def image(draw: st.DrawFn, data_format: str, least: tuple[int, ...], channels: int | None = None) -> Any:
    """A shape (N, *spatial, C) or (N, C, *spatial), its axes at least `least` long."""
    spatial = tuple(low + draw(st.integers(0, 6 if len(least) < 3 else 3)) for low in least)
    depth = channels or draw(st.integers(1, 4))
    batch = draw(st.integers(1, 3))
    return (batch, depth, *spatial) if data_format == "channels_first" else (batch, *spatial, depth)


def extent(size: tuple[int, ...], dilation: tuple[int, ...], padding: str) -> tuple[int, ...]:
    """The smallest image that gives an output."""
    return tuple((k - 1) * d + 1 if padding == "valid" else 1 for k, d in zip(size, dilation, strict=True))


@st.composite
def windows(draw: st.DrawFn, rank: int, *, square: bool = False) -> dict[str, Any]:
    """kernel_size, strides, padding and dilation_rate; strides and dilation do not exceed 1 together."""
    steps = st.integers(1, 3).map(lambda n: (n,) * rank) if square else each(rank, 1, 3)
    strides, dilation = draw(steps), draw(steps)
    if max(strides) > 1 and max(dilation) > 1:
        dilation = (1,) * rank
    fields = {"kernel_size": draw(each(rank, 1, 4 if rank < 3 else 3)), "strides": strides, "dilation_rate": dilation}
    return {**fields, "padding": draw(PADDINGS), "data_format": draw(FORMATS)}


@st.composite
def head(draw: st.DrawFn) -> dict[str, Any]:
    """What follows the sum."""
    return {"use_bias": draw(st.booleans()), "activation": draw(ACTIVATIONS)}


def least(fields: dict[str, Any]) -> Any:
    return extent(fields["kernel_size"], fields["dilation_rate"], fields["padding"])


def convolutions(rank: int) -> st.SearchStrategy[Case]:
    """As users draw them, but for what oneDNN may get wrong."""
    limits = {"max_side": 5, "max_kernel": 3} if rank == 3 else {}
    paddings = ("same", "valid", *(("causal",) if rank == 1 else ()))
    cases = convolution_cases(
        rank, max_channels=9, max_filters=12, paddings=paddings, data_formats=LAYOUTS, activations=HEADS, **limits
    )
    return cases.filter(lambda c: not defect(c, keras=2)).map(lambda c: Case(c.config, (c.x.shape,)))


def depthwise(rank: int) -> st.SearchStrategy[Case]:
    cases = depthwise_cases(rank, data_formats=LAYOUTS, activations=HEADS, both=True)
    return cases.map(lambda c: Case(c.config, (c.x.shape,), majors=_majors(c.config)))


@st.composite
def separable(draw: st.DrawFn, rank: int) -> Case:
    case = draw(depthwise(rank))
    config = {"filters": draw(st.integers(1, 4)), **case.config}
    if rank == 1 and case.majors == (2, 3) and draw(st.booleans()):
        return Case({**config, "padding": "causal"}, case.shapes, (2,))
    return Case(config, case.shapes, case.majors)


def _majors(fields: dict[str, Any]) -> tuple[int, ...]:
    """Only Keras 3 runs strides and dilation together (TRAPS 7)."""
    return (3,) if max(fields["strides"]) > 1 and max(fields["dilation_rate"]) > 1 else (2, 3)


@st.composite
def transposed(draw: st.DrawFn, rank: int) -> Case:
    fields = draw(windows(rank, square=draw(st.booleans())))
    if len(set(fields["dilation_rate"])) > 1:
        fields["dilation_rate"] = (1,) * rank  # Keras 2 has one rate for all axes
    extents = [(k - 1) * d + 1 for k, d in zip(fields["kernel_size"], fields["dilation_rate"], strict=True)]
    extra = None
    if draw(st.booleans()) and all(map(_may_pad(fields["padding"]), fields["strides"], extents)):
        extra = tuple(
            draw(st.integers(_smallest(fields["padding"], e), s - 1))
            for s, e in zip(fields["strides"], extents, strict=True)
        )
    config = {"filters": draw(st.integers(1, 4)), "output_padding": extra, **fields, **draw(head())}
    dilated = rank == 3 and max(fields["dilation_rate"]) > 1  # Keras 2 takes no rate for three axes
    return Case(config, (image(draw, fields["data_format"], (1,) * rank),), (3,) if dilated else (2, 3))


def _smallest(padding: str, extent: int) -> int:
    """SAME with an even kernel and no output padding has one position less than the input: TensorFlow refuses it."""
    return 1 if padding == "same" and extent % 2 == 0 else 0


def _may_pad(padding: str) -> Any:
    return lambda stride, extent: _smallest(padding, extent) < stride


@st.composite
def locally_connected(draw: st.DrawFn, rank: int) -> Case:
    """Keras 2 only; its first implementation, a loop over positions, has no SAME."""
    fields = draw(windows(rank))
    implementation = draw(st.sampled_from([1, 2, 3]))
    fields = {name: fields[name] for name in ("kernel_size", "strides", "padding", "data_format")}
    fields["padding"] = "valid" if implementation == 1 else fields["padding"]
    shape = image(draw, fields["data_format"], extent(fields["kernel_size"], (1,) * rank, fields["padding"]))
    config = {"filters": draw(st.integers(1, 3)), "implementation": implementation, **fields, **draw(head())}
    return Case(config, (shape,), (2,))


@st.composite
def pooling(draw: st.DrawFn, rank: int) -> Case:
    padding, data_format, size = draw(PADDINGS), draw(FORMATS), draw(each(rank, 1, 4))
    config = {"pool_size": size, "padding": padding, "data_format": data_format}
    config["strides"] = draw(st.none() | each(rank, 1, 4))
    return Case(config, (image(draw, data_format, extent(size, (1,) * rank, padding)),))


@st.composite
def adaptive(draw: st.DrawFn, rank: int, kind: str) -> Case:
    """Parts of equal and unequal lengths, and more parts than elements.

    Not the largest of a whole axis: Keras 3.15 asks for windows one longer too, and oneDNN's maximum divides by zero
    (SIGFPE, TensorFlow 2.21) where one is longer than the axis.
    """
    data_format, least = draw(FORMATS), 2 if kind == "Max" else 1
    config = {"output_size": draw(each(rank, least, 7 if rank < 3 else 4)), "data_format": data_format}
    return Case(config, (image(draw, data_format, (least,) * rank),), (3,))


@st.composite
def global_pooling(draw: st.DrawFn, rank: int) -> Case:
    data_format = draw(FORMATS)
    shape = image(draw, data_format, (1,) * rank)
    return Case({"data_format": data_format, "keepdims": draw(st.booleans())}, (shape,))


def margins(rank: int) -> st.SearchStrategy[tuple[tuple[int, ...], ...]]:
    return st.tuples(*[each(2, 0, 3)] * rank)


@st.composite
def padding(draw: st.DrawFn, rank: int) -> Case:
    """One axis has no pair of pairs, and Keras 2 no layout for it."""
    data_format = draw(FORMATS) if rank > 1 else "channels_last"
    given = draw(st.one_of(st.integers(0, 3), each(2, 0, 3) if rank == 1 else each(rank, 0, 3) | margins(rank)))
    layout = {"data_format": data_format} if rank > 1 else {}
    return Case({"padding": given, **layout}, (image(draw, data_format, (1,) * rank),))


@st.composite
def cropping(draw: st.DrawFn, rank: int) -> Case:
    data_format, cut = draw(FORMATS) if rank > 1 else "channels_last", draw(margins(rank))
    needed = tuple(sum(pair) + 1 for pair in cut)
    layout = {"data_format": data_format} if rank > 1 else {}
    return Case({"cropping": cut if rank > 1 else cut[0], **layout}, (image(draw, data_format, needed),))


# What the layers of both Keras versions take; and, of Keras 2 alone, in any case of letters.
INTERPOLATIONS = ("nearest", "bilinear", "bilinear", "bicubic", "area", "lanczos3", "lanczos5")
OLD_INTERPOLATIONS = ("gaussian", "mitchellcubic", "Bicubic")


@st.composite
def interpolated(draw: st.DrawFn) -> tuple[str, tuple[int, ...]]:
    """A method, and the Keras versions that have it."""
    name = draw(st.sampled_from(INTERPOLATIONS + OLD_INTERPOLATIONS))
    return name, (2,) if name in OLD_INTERPOLATIONS else (2, 3)


@st.composite
def up_sampling(draw: st.DrawFn, rank: int) -> Case:
    data_format, size = draw(FORMATS) if rank > 1 else "channels_last", draw(each(rank, 1, 5 if rank < 3 else 3))
    config = {"size": size, "data_format": data_format} if rank > 1 else {"size": size[0]}
    shape = image(draw, data_format, (1,) * rank)
    if rank != 2:
        return Case(config, (shape,))
    method, majors = draw(interpolated())
    return Case({**config, "interpolation": method}, (shape,), majors)


@st.composite
def resizing(draw: st.DrawFn) -> Case:
    """Padding to the aspect ratio and antialiasing are Keras 3's; both ratios do not go together.

    Keras 3 rounds what it makes of integers.
    """
    config = {name: draw(st.integers(1, 40)) for name in ("height", "width")}
    first = dict(draw(st.sampled_from([{}, {}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True}])))
    if "pad_to_aspect_ratio" in first:
        first["fill_value"] = draw(st.sampled_from([0.0, 2.5]))
    config["interpolation"], majors = draw(interpolated())
    if majors == (2,):
        first = {}
    elif draw(st.booleans()):
        first["antialias"] = True
    shape = image(draw, "channels_last", (1, 1))
    integers = None if "fill_value" in first else draw(st.none() | st.just(256))
    return Case({**config, **first}, (shape,), (3,) if first else majors, integers)


@st.composite
def crop(draw: st.DrawFn) -> Case:
    """Smaller and larger than the image. Keras 2 cannot cut to less than a pixel, and Keras 3 takes one."""
    config = {name: draw(st.integers(1, 9)) for name in ("height", "width")}
    batch, height, width, channels = image(draw, "channels_last", (1, 1))
    high, wide = config["height"], config["width"]
    if min(width * high // wide, height * wide // high) < 1:
        config = dict.fromkeys(config, high)
    return Case(config, ((batch, height, width, channels),))


def dense() -> st.SearchStrategy[Case]:
    cases = dense_cases(max_inputs=5, max_units=5, max_batch=5, activations=HEADS)
    return cases.map(lambda c: Case(c.config, (c.x.shape,)))


CASES: dict[str, st.SearchStrategy[Case]] = {
    "Dense": dense(),
    "Resizing": resizing(),
    "CenterCrop": crop(),
}
for _rank in (1, 2, 3):
    CASES |= {
        f"Conv{_rank}D": convolutions(_rank),
        f"Conv{_rank}DTranspose": transposed(_rank),
        f"MaxPooling{_rank}D": pooling(_rank),
        f"AveragePooling{_rank}D": pooling(_rank),
        f"AdaptiveMaxPooling{_rank}D": adaptive(_rank, "Max"),
        f"AdaptiveAveragePooling{_rank}D": adaptive(_rank, "Average"),
        f"GlobalMaxPooling{_rank}D": global_pooling(_rank),
        f"GlobalAveragePooling{_rank}D": global_pooling(_rank),
        f"ZeroPadding{_rank}D": padding(_rank),
        f"Cropping{_rank}D": cropping(_rank),
        f"UpSampling{_rank}D": up_sampling(_rank),
    }
    if _rank < 3:
        CASES |= {
            f"DepthwiseConv{_rank}D": depthwise(_rank),
            f"SeparableConv{_rank}D": separable(_rank),
            f"LocallyConnected{_rank}D": locally_connected(_rank),
        }
