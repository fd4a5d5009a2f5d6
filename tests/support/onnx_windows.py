"""ONNX's convolutions, pooling and padding through refconv's rows: the layouts are converted here, and nothing else.

ONNX keeps channels first, kernels as (F, C/groups, *k), of a transposed convolution (C, F, *k), and has any padding:
what is neither SAME nor VALID is a layer of padding or cropping beside that of the window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from support.laws import CONTEXT
from support.one import run

from refconv.numerics.enclosure import Enclosure, point
from refconv.ops.mean import mean
from refconv.primitives.geometry import Window, window
from refconv.primitives.numpy_engine import ENGINE
from refconv.primitives.sums import window_moments

Given = np.ndarray | Enclosure
Attributes = Mapping[str, Any]
Pads = tuple[tuple[int, int], ...]


class Unfit(Exception):
    """Why no row of refconv can express a case."""


def as_enclosure(x: Given) -> Enclosure:
    return x if isinstance(x, Enclosure) else point(x)


def array(x: Given) -> np.ndarray:
    """Where weights are wanted: nothing but a layout may have come before."""
    if not isinstance(x, Enclosure):
        return x
    assert x.exact
    return x.mid.astype(np.float32)


def last(x: Given) -> Enclosure:
    """(N, C, *spatial) → (N, *spatial, C)."""
    return as_enclosure(x).move(lambda v: np.moveaxis(v, 1, -1))


def first(e: Enclosure) -> Enclosure:
    """(N, *spatial, C) → (N, C, *spatial)."""
    return e.move(lambda v: np.moveaxis(v, -1, 1))


def conv(a: Attributes, x: Given, kernel: np.ndarray, bias: np.ndarray | None = None) -> Enclosure:
    rank, size = kernel.ndim - 2, kernel.shape[2:]
    config = {
        "filters": len(kernel),
        "kernel_size": list(size),
        "strides": a.get("strides", 1),
        "dilation_rate": a.get("dilations", 1),
        "groups": a.get("group", 1),
        "use_bias": bias is not None,
    }
    image = padded(last(x), pads_of(a, last(x).mid.shape[1:-1], size))
    return first(run(f"Conv{rank}D", config, image, **weights(np.moveaxis(kernel, (0, 1), (-1, -2)), bias)))


def weights(kernel: np.ndarray, bias: np.ndarray | None) -> dict[str, np.ndarray]:
    return {"kernel": kernel} | ({} if bias is None else {"bias": bias})


def padded(e: Enclosure, pads: Pads) -> Enclosure:
    """By a layer of zeros; by one that cuts where a padding is negative."""
    if min(map(min, pads)) < 0:
        return cropped(e, tuple((-before, -after) for before, after in pads))
    written = list(pads[0]) if len(pads) == 1 else [list(pair) for pair in pads]
    return run(f"ZeroPadding{len(pads)}D", {"padding": written}, e) if any(map(any, pads)) else e


def cropped(e: Enclosure, pads: Pads) -> Enclosure:
    written = list(pads[0]) if len(pads) == 1 else [list(pair) for pair in pads]
    return run(f"Cropping{len(pads)}D", {"cropping": written}, e)


def pads_of(a: Attributes, spatial: Sequence[int], size: Sequence[int]) -> Pads:
    """(before, after) per axis. SAME_UPPER is SAME; SAME_LOWER has the odd zero before."""
    rank, kind = len(size), a.get("auto_pad", "NOTSET")
    if kind in ("SAME_UPPER", "SAME_LOWER"):
        ones = [1] * rank
        where = window(
            tuple(spatial), tuple(size), tuple(a.get("strides", ones)), tuple(a.get("dilations", ones)), "same"
        )
        return where.pads if kind == "SAME_UPPER" else tuple(pair[::-1] for pair in where.pads)
    given = a.get("pads", [0] * 2 * rank)
    return tuple(zip(given[:rank], given[rank:], strict=True))


def conv_transpose(a: Attributes, x: Given, kernel: np.ndarray, bias: np.ndarray | None = None) -> Enclosure:
    """The VALID layer, long enough, and then the padding cut off."""
    if a.get("group", 1) > 1:
        raise Unfit("Keras has no groups in a transposed convolution")
    rank, size, image = kernel.ndim - 2, kernel.shape[2:], last(x)
    strides, dilation = (list(a.get(name, [1] * rank)) for name in ("strides", "dilations"))
    full = [
        (n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(image.mid.shape[1:-1], strides, size, dilation, strict=True)
    ]
    before, wanted = _part(a, image.mid.shape[1:-1], full, strides)
    extra = [max(b + w - f, 0) for b, w, f in zip(before, wanted, full, strict=True)]
    config = {"filters": kernel.shape[1], "kernel_size": list(size), "strides": strides, "dilation_rate": dilation}
    config |= {"use_bias": bias is not None, "output_padding": extra}
    held = weights(np.moveaxis(kernel, (0, 1), (-1, -2)), bias)
    made = run(f"Conv{rank}DTranspose", config, image, **held)
    after = [n - b - w for n, b, w in zip(made.mid.shape[1:-1], before, wanted, strict=True)]
    return first(cropped(made, tuple(zip(before, after, strict=True))))


def _part(a: Attributes, spatial: Sequence[int], full: list[int], strides: list[int]) -> tuple[list[int], list[int]]:
    """Where ONNX's result begins in the full one, and how long it is.

    Source: ONNX, ConvTranspose. Given a length, the padding is what is left over; its larger half comes first, but
    for SAME_UPPER last.
    """
    rank, kind = len(full), a.get("auto_pad", "NOTSET")
    longest = [f + e for f, e in zip(full, a.get("output_padding", [0] * rank), strict=True)]
    if "output_shape" not in a and not kind.startswith("SAME"):
        pads = a.get("pads", [0] * 2 * rank)
        before, after = pads[:rank], pads[rank:]
        return list(before), [n - b - e for n, b, e in zip(longest, before, after, strict=True)]
    wanted = list(a.get("output_shape", [n * s for n, s in zip(spatial, strides, strict=True)]))
    totals = [n - w for n, w in zip(longest, wanted, strict=True)]
    return [t // 2 if kind == "SAME_UPPER" else t - t // 2 for t in totals], wanted


def sliding(a: Attributes, spatial: tuple[int, ...]) -> Window:
    """ONNX's window over an image: with ceil_mode one position more, unless it begins in the padding behind."""
    rank, size = len(spatial), tuple(a["kernel_shape"])
    strides, dilation = (tuple(a.get(name, [1] * rank)) for name in ("strides", "dilations"))
    pads, out = [], []
    for n, k, s, d, (before, after) in zip(spatial, size, strides, dilation, pads_of(a, spatial, size), strict=True):
        extent, length = (k - 1) * d + 1, n + before + after
        count = (length - extent) // s + 1
        if a.get("ceil_mode") and (length - extent) % s and count * s < n + before:
            count += 1
        out.append(count)
        pads.append((before, max(after, (count - 1) * s + extent - n - before)))
    return Window(size, strides, dilation, tuple(pads), tuple(out))


def written(where: Window, spatial: tuple[int, ...]) -> dict[str, Any] | None:
    """The configuration of a pooling layer with that window; None where it is neither SAME's nor VALID's."""
    config = {"pool_size": list(where.size), "strides": list(where.strides)}
    for padding in ("valid", "same"):
        if window(spatial, where.size, where.strides, where.dilation, padding) == where and set(where.dilation) == {1}:
            return {**config, "padding": padding}
    return None


def max_pool(a: Attributes, x: Given) -> Enclosure:
    """The layer; the primitive below it where the window is none of a layer's."""
    image = last(x)
    spatial = image.mid.shape[1:-1]
    where = sliding(a, spatial)
    if config := written(where, spatial):
        return first(run(f"MaxPooling{len(spatial)}D", config, image))
    return first(Enclosure(ENGINE.window_max(image.mid.astype(np.float64), where)))


def average_pool(a: Attributes, x: Given) -> Enclosure:
    """The layer; the primitive and the mean below it where the window is none of a layer's.

    With count_include_pad the padding, and no more than that, is part of the image.
    """
    image = last(x)
    spatial = image.mid.shape[1:-1]
    where = sliding(a, spatial)
    if a.get("count_include_pad"):
        own = pads_of(a, spatial, where.size)
        image, beyond = padded(image, own), [w[1] - o[1] for w, o in zip(where.pads, own, strict=True)]
        spatial, where = image.mid.shape[1:-1], replace(where, pads=tuple((0, n) for n in beyond))
    if config := written(where, spatial):
        return first(run(f"AveragePooling{len(spatial)}D", config, image))
    return first(mean(window_moments(ENGINE, image.mid, where), CONTEXT.arithmetic))


def global_pool(kind: str) -> Any:
    def pool(a: Attributes, x: Given) -> Enclosure:
        image = last(x)
        return first(run(f"Global{kind}Pooling{image.mid.ndim - 2}D", {"keepdims": True}, image))

    return pool


def pad(a: Attributes, x: Given, pads: Any = None, value: Any = None, axes: Any = None) -> Enclosure:
    """Zeros around an image of four axes."""
    e, value = as_enclosure(x), a.get("value", 0.0) if value is None else float(np.asarray(value))
    if a.get("mode", "constant") != "constant" or value:
        raise Unfit("Keras pads by zeros only")
    rank, given = e.mid.ndim, list(a["pads"] if pads is None else pads)
    held = [int(i) % rank for i in (range(rank) if axes is None else axes)]
    both = dict(zip(held, zip(given[: len(held)], given[len(held) :], strict=True), strict=True))
    if any(any(both.get(axis, (0, 0))) for axis in range(rank - 2)) or rank < 3:
        raise Unfit("Keras pads spatial axes only")
    spatial = tuple(tuple(int(n) for n in both.get(axis, (0, 0))) for axis in (rank - 2, rank - 1))
    image = e.move(lambda v: v.reshape(prod(v.shape[:-2]), *v.shape[-2:], 1))
    return padded(image, spatial).move(lambda v: v.reshape(*e.mid.shape[:-2], *v.shape[1:-1]))


ADAPTERS = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalMaxPool": global_pool("Max"),
    "GlobalAveragePool": global_pool("Average"),
    "Pad": pad,
}
