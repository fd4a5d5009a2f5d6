"""Faults in where a window lies and what it takes in: padding, stride, dilation, divisor, border, order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detection.operators.base import (
    CONVOLUTIONS,
    POOLING,
    SEPARABLE,
    TRANSPOSED,
    Mutant,
    spatial_axes,
    structural,
)
from detection.subject import Arrays, Subject

Rng = np.random.Generator
WINDOWED = (*CONVOLUTIONS, *SEPARABLE, *POOLING)


def window_of(s: Subject) -> list[tuple[int, int, int]]:
    """(size, stride, dilation) per spatial axis of the live layer."""
    size = getattr(s.layer, "kernel_size", None) or s.layer.pool_size
    dilation = getattr(s.layer, "dilation_rate", (1,) * len(size))
    dilation = dilation if isinstance(dilation, Sequence) else (dilation,) * len(size)
    return list(zip(size, s.layer.strides or size, dilation, strict=True))


def same_pads(s: Subject) -> list[tuple[int, int]] | None:
    """Padding (before, after) per spatial axis that SAME stands for, as TensorFlow documents it; None for VALID."""
    if str(s.layer.padding).lower() != "same":
        return None
    pads = []
    for axis, (size, stride, dilation) in zip(spatial_axes(s), window_of(s), strict=True):
        length = s.x.shape[axis]
        total = max((-(-length // stride) - 1) * stride + (size - 1) * dilation + 1 - length, 0)
        pads.append((total // 2, total - total // 2))
    return pads


def padded(s: Subject, x: np.ndarray, pads: Sequence[tuple[int, int]], **how: object) -> np.ndarray:
    """x with its spatial axes padded by the framework."""
    everywhere = [(0, 0)] * x.ndim
    for axis, pair in zip(spatial_axes(s), pads, strict=True):
        everywhere[axis] = pair
    return s.compute(lambda t: s.tf.pad(t, everywhere, **how), x)[0]


def unpadded_run(s: Subject, x: np.ndarray) -> Arrays:
    """The layer with padding="valid"."""
    with s.changed(padding="valid"):
        return s.rerun((x,))


def average(s: Subject, pads: Sequence[tuple[int, int]]) -> Arrays:
    """Average pooling over explicit padding that does not count."""
    sums, counts = (unpadded_run(s, padded(s, x, pads))[0] for x in (s.x, np.ones_like(s.x)))
    return s.compute(lambda a, b: a / b, sums, counts)


def same_side(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """SAME puts its odd zero before instead of after (of a transposed convolution, crops it there)."""
    if s.node.type in TRANSPOSED:
        return _cropped_before(s)
    pads = same_pads(s)
    if pads is None or all(before == after for before, after in pads):
        return None
    swapped = [(after, before) for before, after in pads]
    if s.node.type == "AveragePooling2D":
        return Mutant(average(s, swapped))
    fill = -np.inf if s.node.type == "MaxPooling2D" else 0.0
    return Mutant(unpadded_run(s, padded(s, s.x, swapped, constant_values=fill)))


def _cropped_before(s: Subject) -> Mutant | None:
    axes, (out,) = spatial_axes(s), s.run()
    whole = unpadded_run(s, s.x)[0]
    extra = [whole.shape[axis] - out.shape[axis] for axis in axes]
    if str(s.layer.padding).lower() != "same" or all(e % 2 == 0 or e < 0 for e in extra):
        return None
    starts = {axis: e - e // 2 for axis, e in zip(axes, extra, strict=True)}
    at = tuple(slice(starts.get(i, 0), starts.get(i, 0) + n) for i, n in enumerate(out.shape))
    return Mutant((whole[at],))


def stride_offset(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """Strided windows start one element late."""
    if all(stride == 1 for _, stride, _ in window_of(s)):
        return None
    x = s.x
    for axis in spatial_axes(s):
        x = np.concatenate([np.delete(x, 0, axis), np.zeros_like(np.take(x, [0], axis))], axis)
    return Mutant(s.run((x,)))


def dilation_ignored(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """Neighbouring elements are taken in spite of a dilation."""
    if all(dilation == 1 for _, _, dilation in window_of(s)):
        return None
    with s.changed(dilation_rate=(1,) * len(window_of(s))):
        return Mutant(s.rerun())


def dilation_doubled(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """SAME convolutions reach twice as far."""
    fits = same_pads(s) is not None and all(stride == 1 for _, stride, _ in window_of(s))
    if not fits or all(extent == 1 for extent, _, _ in window_of(s)):
        return None
    with s.changed(dilation_rate=tuple(2 * dilation for _, _, dilation in window_of(s))):
        return Mutant(s.rerun())


def wrong_border(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """The border is mirrored instead of filled with zeros."""
    pads = same_pads(s) if s.node.type != "ZeroPadding2D" else [tuple(pair) for pair in s.layer.padding]
    lengths = [s.x.shape[axis] for axis in spatial_axes(s)]
    if pads is None or not any(map(any, pads)) or any(max(p) > n for p, n in zip(pads, lengths, strict=True)):
        return None
    x = padded(s, s.x, pads, mode="SYMMETRIC")
    return Mutant((x,)) if s.node.type == "ZeroPadding2D" else Mutant(unpadded_run(s, x))


def padding_side(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """Explicit padding before and after swapped."""
    pads = [tuple(pair) for pair in s.layer.padding]
    if all(before == after for before, after in pads):
        return None
    return Mutant((padded(s, s.x, [(after, before) for before, after in pads]),))


def padding_counted(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """SAME average pooling divides by the whole window, its padding counted."""
    pads = same_pads(s)
    if pads is None or not any(map(any, pads)):
        return None
    return Mutant(unpadded_run(s, padded(s, s.x, pads)))


def mean_divisor(s: Subject, size: float, rng: Rng) -> Mutant:
    """A mean over N elements divides by N − 1."""
    n = float(np.prod([s.x.shape[axis] for axis in spatial_axes(s)]))
    return Mutant(s.compute(lambda y: y * (n / (n - 1)), s.run()[0]))


def other_pooling(s: Subject, size: float, rng: Rng) -> Mutant:
    """Average for maximum, and the other way round."""
    kind = "AVG" if s.node.type == "MaxPooling2D" else "MAX"
    sizes, strides, _ = zip(*window_of(s), strict=True)
    layout = [0, 3, 1, 2] if spatial_axes(s) == (2, 3) else [0, 1, 2, 3]
    pool = lambda x: s.tf.nn.pool(x, sizes, kind, strides, str(s.layer.padding).upper())  # noqa: E731
    return Mutant(s.compute(lambda x: s.tf.transpose(pool(s.tf.transpose(x, np.argsort(layout))), layout), s.x))


def nan_dropped(s: Subject, size: float, rng: Rng) -> Mutant:
    """A NaN in the input is dropped by the maximum (which TensorFlow's own CPU kernel does: TRAPS 15)."""
    x = s.x.copy()
    x[0, x.shape[1] // 2, x.shape[2] // 2] = np.nan
    marks = s.run((np.where(np.isnan(x), 1, 0).astype(x.dtype),))[0]
    clean = s.run((np.where(np.isnan(x), -np.inf, x).astype(x.dtype),))[0]
    return Mutant((clean,), inputs=(x,), original=(np.where(marks == 1, np.nan, clean).astype(x.dtype),))


def transposed_images(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """Height and width of the square output swapped."""
    (y,), (h, w) = s.run(), spatial_axes(s)
    return Mutant((y.swapaxes(h, w),)) if y.shape[h] == y.shape[w] > 1 else None


OPERATORS = (
    structural("SAME side", same_side, *WINDOWED, *TRANSPOSED),
    structural("stride offset", stride_offset, *WINDOWED, *TRANSPOSED),
    structural("dilation ignored", dilation_ignored, *CONVOLUTIONS, *SEPARABLE),
    structural("dilation doubled", dilation_doubled, *CONVOLUTIONS, *SEPARABLE),
    structural("wrong border", wrong_border, *CONVOLUTIONS, *SEPARABLE, "ZeroPadding2D"),
    structural("padding sides swapped", padding_side, "ZeroPadding2D"),
    structural("average divisor counts padding", padding_counted, "AveragePooling2D"),
    structural("mean divisor N − 1", mean_divisor, "GlobalAveragePooling2D"),
    structural("average for maximum", other_pooling, *POOLING),
    structural("NaN dropped in maximum", nan_dropped, "MaxPooling2D"),
    structural("H and W swapped", transposed_images, *WINDOWED, *TRANSPOSED, "Resizing"),
)
