"""Where a window lies: SAME, VALID and causal padding and output sizes, standing once for every rank and layer."""

from __future__ import annotations

from dataclasses import dataclass

Pads = tuple[tuple[int, int], ...]


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
