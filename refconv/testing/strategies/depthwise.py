"""Depthwise convolutions along one or two axes: every input channel is filtered alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from refconv.testing.strategies.case import LayerCase, per_axis
from refconv.testing.strategies.convolution import PADDINGS
from refconv.testing.strategies.geometry import LAST, laid_out, numbered, ones, settings, windows
from refconv.testing.strategies.values import KINDS, fills


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class DepthwiseCase(LayerCase):
    """A depthwise cross-correlation.

    Attributes:
        x: (N, *spatial, C), or (N, C, *spatial) if channels come first.
        kernel: (*size, C, multiplier); output channel c·multiplier + m is input channel c by filter m.
        bias: (C·multiplier,), or None.
        strides, dilation, padding, data_format, activation: as of a ConvolutionCase; strides are equal, and so are the
            rates of dilation.
    """

    kernel: np.ndarray
    bias: np.ndarray | None = None
    strides: tuple[int, ...] = ()
    padding: str = "valid"
    dilation: tuple[int, ...] = ()
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
        return self.kernel.shape[-2]

    @property
    def multiplier(self) -> int:
        """Filters per input channel."""
        return self.kernel.shape[-1]

    @property
    def keras(self) -> str:
        return f"DepthwiseConv{self.rank}D"

    @property
    def config(self) -> dict[str, Any]:
        return {"kernel_size": self.kernel_size, "depth_multiplier": self.multiplier, **settings(self)}

    @property
    def weights(self) -> dict[str, np.ndarray]:
        return per_axis({"kernel": self.kernel, "bias": self.bias})


@st.composite
def depthwise_cases(
    draw: st.DrawFn,
    rank: int = 2,
    *,
    max_side: int = 8,
    max_kernel: int = 4,
    max_stride: int = 3,
    max_dilation: int = 3,
    max_channels: int = 4,
    max_multiplier: int = 3,
    max_batch: int = 2,
    paddings: Sequence[str] = PADDINGS,
    data_formats: Sequence[str] = (LAST,),
    activations: Sequence[str] = ("linear",),
    biases: Sequence[bool] = (False, True),
    kinds: Sequence[str] = KINDS,
    dtypes: Sequence[str] = ("float32",),
    both: bool = False,
) -> DepthwiseCase:
    """Depthwise convolutions over one or two axes; arguments and limits as of `convolution_cases`.

    Args:
        max_multiplier: filters per channel.
        both: strides and dilation above 1 together, which Keras 3 takes and Keras 2 does not.

    Left out, beside what `convolution_cases` leaves out: strides that differ by axis, which TensorFlow does not take.
    """
    batch, channels = draw(st.integers(1, max_batch)), draw(st.integers(1, max_channels))
    multiplier = draw(st.integers(1, max_multiplier))
    where = windows(
        draw,
        rank,
        max_side=max_side,
        max_window=max_kernel,
        max_stride=max_stride,
        max_dilation=max_dilation,
        paddings=paddings,
        square=True,
        both=both,
    )
    layout, activation = draw(st.sampled_from(tuple(data_formats))), draw(st.sampled_from(tuple(activations)))
    biased = draw(st.sampled_from(tuple(biases)))
    fill = fills(draw, int(np.prod(where.size)), kinds, dtypes)
    kernel = fill((*where.size, channels, multiplier), 1, np.arange(fill.n).reshape(*where.size, 1, 1))
    x = fill((batch, *where.spatial, channels), 0, numbered(where.spatial, where.size, channels, 1))
    return DepthwiseCase(
        x=laid_out(x, layout),
        kernel=kernel,
        bias=fill((channels * multiplier,), 2) if biased else None,
        strides=where.strides,
        padding=where.padding,
        dilation=where.dilation,
        data_format=layout,
        activation=activation,
        dtype=fill.dtype,
    )
