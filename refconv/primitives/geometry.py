"""Where a window lies: SAME, VALID and causal padding and output sizes, standing once for every rank and layer."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, prod

import numpy as np

Spans = tuple[slice, ...]
Pads = tuple[tuple[int, int], ...]
Indices = tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]


@dataclass(frozen=True)
class Window:
    """A sliding window over the spatial axes; every tuple has one entry per spatial axis.

    `pads` are (before, after) zeros; `out` the number of positions.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: Pads
    out: tuple[int, ...]


def window(
    spatial: tuple[int, ...],
    size: tuple[int, ...],
    strides: tuple[int, ...],
    dilation: tuple[int, ...] | None = None,
    padding: str = "valid",
) -> Window:
    """The window of a convolution or pooling over `spatial`; padding is valid, same or causal.

    Source: TensorFlow, "Neural network ops, notes on padding": SAME has ceil(in/stride) positions and puts the odd
    zero after; VALID has ceil((in − extent + 1)/stride), none if the window is larger than the input.
    """
    dilation = dilation or (1,) * len(size)
    axes = [_axis(*axis, padding) for axis in zip(spatial, size, strides, dilation, strict=True)]
    return Window(size, strides, dilation, tuple(pads for pads, _ in axes), tuple(out for _, out in axes))


def _axis(length: int, size: int, stride: int, dilation: int, padding: str) -> tuple[tuple[int, int], int]:
    extent = (size - 1) * dilation + 1
    if padding == "same":
        out = -(-length // stride)
        total = max((out - 1) * stride + extent - length, 0)
        return (total // 2, total - total // 2), out
    before = extent - 1 if padding == "causal" else 0
    return (before, 0), max((length + before - extent) // stride + 1, 0)


def transposed_lengths(
    spatial: tuple[int, ...],
    size: tuple[int, ...],
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
    padding: str,
    output_padding: tuple[int, ...] | None,
) -> tuple[int, ...]:
    """Spatial lengths of a transposed convolution's output.

    Source: Keras 2 `deconv_output_length`, Keras 3 `compute_conv_transpose_output_shape`: in·stride for SAME,
    in·stride + max(extent − stride, 0) for VALID, and with an output padding (in − 1)·stride + extent − 2p + output
    padding, where p is ⌊extent/2⌋ for SAME and 0 for VALID.
    """
    extras: tuple[int | None, ...] = output_padding or (None,) * len(size)
    axes = zip(spatial, size, strides, dilation, extras, strict=True)
    return tuple(_transposed_length(*axis, padding) for axis in axes)


def _transposed_length(length: int, size: int, stride: int, dilation: int, extra: int | None, padding: str) -> int:
    extent = (size - 1) * dilation + 1
    if extra is None:
        return length * stride + (max(extent - stride, 0) if padding == "valid" else 0)
    crop = 2 * (extent // 2) if padding == "same" else 0
    return (length - 1) * stride + extent - crop + extra


def parts(length: int, count: int) -> Spans:
    """An axis divided into windows that may share elements: part i from ⌊i·length/count⌋ to ⌈(i + 1)·length/count⌉.

    Source: keras.layers.AdaptiveAveragePooling1D, which follows torch.nn.AdaptiveAvgPool1d.
    """
    return tuple(slice(i * length // count, -(-(i + 1) * length // count)) for i in range(count))


def longest(spans: Spans) -> int:
    return max(span.stop - span.start for span in spans)


def inside(window: Window, spatial: tuple[int, ...], position: tuple[int, ...]) -> Indices:
    """What the window at `position` sees: (indices into the input, indices of the taps), one array each per axis.

    Taps that fall on padding are left out.
    """
    sources, taps = [], []
    for length, size, stride, step, (before, _), at in zip(
        spatial, window.size, window.strides, window.dilation, window.pads, position, strict=True
    ):
        source = at * stride - before + step * np.arange(size)
        seen = np.flatnonzero((source >= 0) & (source < length))
        sources.append(source[seen])
        taps.append(seen)
    return tuple(sources), tuple(taps)


def reached(window: Window, element: tuple[int, ...]) -> Indices:
    """Which windows see an input element: (their positions, the taps by which they do), one array each per axis."""
    sources, taps = [], []
    for size, stride, step, (before, _), out, at in zip(
        window.size, window.strides, window.dilation, window.pads, window.out, element, strict=True
    ):
        start = at + before - step * np.arange(size)
        hit = np.flatnonzero((start % stride == 0) & (start >= 0) & (start < out * stride))
        sources.append(start[hit] // stride)
        taps.append(hit)
    return tuple(sources), tuple(taps)


def overlap(window: Window) -> int:
    """The largest number of positions whose windows share one input element.

    Two taps meet on one element where their offsets agree modulo the stride, so every stride/gcd(stride, dilation)-th
    tap does. It is the number of terms, per channel, of a transposed convolution.
    """
    axes = zip(window.size, window.strides, window.dilation, strict=True)
    return prod(-(-size // (stride // gcd(stride, dilation))) for size, stride, dilation in axes)
