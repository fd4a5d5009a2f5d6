"""What windows share: sizes, strides, dilation, padding, and inputs that fit them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

LAST = "channels_last"


@dataclass(frozen=True)
class Drawn:
    """A window's geometry, one entry per spatial axis, and the spatial lengths of an input that gives an output."""

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: str
    spatial: tuple[int, ...]


def each(draw: st.DrawFn, rank: int, most: int, *, square: bool = False) -> tuple[int, ...]:
    """One number from 1 to `most` per axis, or one for all."""
    if square:
        return (draw(st.integers(1, most)),) * rank
    return tuple(draw(st.integers(1, most)) for _ in range(rank))


def windows(
    draw: st.DrawFn,
    rank: int,
    *,
    max_side: int,
    max_window: int,
    max_stride: int,
    max_dilation: int = 1,
    paddings: Sequence[str],
    square: bool = False,
    both: bool = False,
) -> Drawn:
    """Lengths first, so that they are the first to shrink. Strides exceed 1, or dilation, or neither; `both` if asked.

    Without padding, a window is never larger than its input: it is made smaller where it would be.
    """
    spatial, size = each(draw, rank, max_side), each(draw, rank, max_window)
    strides = dilation = (1,) * rank
    wide = draw(st.sampled_from(("", "strides", "dilation", "both") if both else ("", "strides", "dilation")))
    if wide in ("strides", "both"):
        strides = each(draw, rank, max_stride, square=square)
    if wide in ("dilation", "both"):
        dilation = each(draw, rank, max_dilation, square=square)
    padding = draw(st.sampled_from(tuple(paddings)))
    if padding == "valid":
        size = tuple(map(min, size, spatial))
        rates = [(n - 1) // (k - 1) if k > 1 else d for n, k, d in zip(spatial, size, dilation, strict=True)]
        dilation = (min(*dilation, *rates),) * rank if square else tuple(map(min, dilation, rates))
    return Drawn(size, strides, dilation, padding, spatial)


def numbered(spatial: tuple[int, ...], size: tuple[int, ...], channels: int, depth: int) -> np.ndarray:
    """Which product of its sum each element of (*spatial, channels) is in, the kernel laid over it again and again.

    Args:
        depth: channels that one sum takes.
    """
    places = np.indices((*spatial, channels))
    wrapped = [at % length for at, length in zip(places, (*size, depth), strict=True)]
    return np.ravel_multi_index(wrapped, (*size, depth))


def ones(rank: int) -> dict[str, tuple[int, ...]]:
    """Strides and dilation where none are given."""
    return dict.fromkeys(("strides", "dilation"), (1,) * rank)


def laid_out(x: np.ndarray, data_format: str) -> np.ndarray:
    """(N, *spatial, C) in the layout that is asked for."""
    return x if data_format == LAST else np.ascontiguousarray(np.moveaxis(x, -1, 1))


def settings(case: Any) -> dict[str, Any]:
    """The geometry of a convolution as Keras names it."""
    return {
        "strides": case.strides,
        "padding": case.padding,
        "data_format": case.data_format,
        "dilation_rate": case.dilation,
        "activation": case.activation,
        "use_bias": case.bias is not None,
    }
