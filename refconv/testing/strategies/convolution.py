"""Convolutions along one to three axes, with strides, dilation, groups and bias."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from refconv.testing.strategies.case import LayerCase, per_axis
from refconv.testing.strategies.geometry import LAST, laid_out, numbered, ones, settings, windows
from refconv.testing.strategies.values import KINDS, fills

PADDINGS = ("valid", "same")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ConvolutionCase(LayerCase):
    """A cross-correlation.

    Attributes:
        x: (N, *spatial, C), or (N, C, *spatial) if channels come first.
        kernel: (*size, C/groups, filters).
        bias: (filters,), or None.
        strides, dilation: one integer per spatial axis.
        padding: "valid", "same" or, along one axis, "causal".
        data_format: "channels_last" or "channels_first".
        activation: a name of Keras's.
    """

    kernel: np.ndarray
    bias: np.ndarray | None = None
    strides: tuple[int, ...] = ()
    padding: str = "valid"
    dilation: tuple[int, ...] = ()
    groups: int = 1
    data_format: str = LAST
    activation: str = "linear"

    @property
    def defaults(self) -> dict[str, Any]:
        return ones(self.rank)

    @property
    def rank(self) -> int:
        """How many spatial axes there are."""
        return np.ndim(self.kernel) - 2

    @property
    def kernel_size(self) -> tuple[int, ...]:
        return self.kernel.shape[:-2]

    @property
    def channels(self) -> int:
        """Of the input."""
        return self.kernel.shape[-2] * self.groups

    @property
    def filters(self) -> int:
        return self.kernel.shape[-1]

    @property
    def spatial(self) -> tuple[int, ...]:
        """The input's lengths along the spatial axes."""
        return self.x.shape[1:-1] if self.data_format == LAST else self.x.shape[2:]

    @property
    def keras(self) -> str:
        return f"Conv{self.rank}D"

    @property
    def config(self) -> dict[str, Any]:
        made = {"filters": self.filters, "kernel_size": self.kernel_size, "groups": self.groups}
        return {**made, **settings(self)}

    @property
    def weights(self) -> dict[str, np.ndarray]:
        return per_axis({"kernel": self.kernel, "bias": self.bias})


@st.composite
def convolution_cases(
    draw: st.DrawFn,
    rank: int = 2,
    *,
    max_side: int = 8,
    max_kernel: int = 4,
    max_stride: int = 3,
    max_dilation: int = 3,
    max_channels: int = 4,
    max_filters: int = 4,
    max_groups: int = 3,
    max_batch: int = 2,
    paddings: Sequence[str] = PADDINGS,
    data_formats: Sequence[str] = (LAST,),
    activations: Sequence[str] = ("linear",),
    biases: Sequence[bool] = (False, True),
    kinds: Sequence[str] = KINDS,
    dtypes: Sequence[str] = ("float32",),
    both: bool = False,
) -> ConvolutionCase:
    """Convolutions over `rank` axes, each case with an output of at least one element.

    Drawn are every length from 1 up: batch, spatial sides, kernel sizes, strides and dilation per axis, channels and
    filters of each of up to `max_groups` groups (`max_channels` and `max_filters` are of all groups together), the
    padding, the bias. An example shrinks to one element, one channel, one filter, no padding, small integers.

    Args:
        paddings: of "valid", "same" and, along one axis, "causal".
        data_formats: of "channels_last", "channels_first".
        activations: names of Keras's.
        biases: whether there is one.
        kinds, dtypes: as of `tensors`.
        both: strides and dilation above 1 together, which no Keras takes.

    Left out: kernels larger than an input without padding; empty tensors; NaN and infinities.
    """
    batch, groups = draw(st.integers(1, max_batch)), draw(st.integers(1, max_groups))
    depth = draw(st.integers(1, max(max_channels // groups, 1)))
    filters = groups * draw(st.integers(1, max(max_filters // groups, 1)))
    where = windows(
        draw,
        rank,
        max_side=max_side,
        max_window=max_kernel,
        max_stride=max_stride,
        max_dilation=max_dilation,
        paddings=paddings,
        both=both,
    )
    layout, activation = draw(st.sampled_from(tuple(data_formats))), draw(st.sampled_from(tuple(activations)))
    biased = draw(st.sampled_from(tuple(biases)))
    fill = fills(draw, depth * int(np.prod(where.size)), kinds, dtypes)
    k = numbered(where.spatial, where.size, groups * depth, depth)
    kernel = fill((*where.size, depth, filters), 1, np.arange(fill.n).reshape(*where.size, depth, 1))
    x = fill((batch, *where.spatial, groups * depth), 0, k)
    return ConvolutionCase(
        x=laid_out(x, layout),
        kernel=kernel,
        bias=fill((filters,), 2) if biased else None,
        strides=where.strides,
        padding=where.padding,
        dilation=where.dilation,
        groups=groups,
        data_format=layout,
        activation=activation,
        dtype=fill.dtype,
    )


def conv1d_cases(*, paddings: Sequence[str] = (*PADDINGS, "causal"), **limits: Any) -> st.SearchStrategy[Any]:
    """`convolution_cases` along one axis."""
    return convolution_cases(1, paddings=paddings, **limits)


def conv2d_cases(**limits: Any) -> st.SearchStrategy[Any]:
    """`convolution_cases` over images."""
    return convolution_cases(2, **limits)


def conv3d_cases(*, max_side: int = 5, max_kernel: int = 3, **limits: Any) -> st.SearchStrategy[Any]:
    """`convolution_cases` over volumes."""
    return convolution_cases(3, max_side=max_side, max_kernel=max_kernel, **limits)
