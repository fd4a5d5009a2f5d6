"""Maximum and average pooling along one to three axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from refconv.testing.strategies.case import LayerCase
from refconv.testing.strategies.convolution import PADDINGS
from refconv.testing.strategies.geometry import LAST, laid_out, numbered, windows
from refconv.testing.strategies.values import KINDS, fills

REDUCTIONS = {"max": "MaxPooling", "average": "AveragePooling"}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class PoolCase(LayerCase):
    """A pooling.

    Attributes:
        x: (N, *spatial, C), or (N, C, *spatial) if channels come first.
        reduction: "max" or "average"; the padding wins no maximum, and an average does not count it.
        pool_size, strides: one integer per spatial axis.
        padding, data_format: as of a ConvolutionCase.
    """

    pool_size: tuple[int, ...]
    reduction: str = "max"
    strides: tuple[int, ...] = ()
    padding: str = "valid"
    data_format: str = LAST

    @property
    def defaults(self) -> dict[str, Any]:
        return {"strides": self.pool_size}

    @property
    def rank(self) -> int:
        """How many spatial axes there are."""
        return len(self.pool_size)

    @property
    def keras(self) -> str:
        return f"{REDUCTIONS[self.reduction]}{self.rank}D"

    @property
    def config(self) -> dict[str, Any]:
        names = ("pool_size", "strides", "padding", "data_format")
        return {name: getattr(self, name) for name in names}


@st.composite
def pool_cases(
    draw: st.DrawFn,
    rank: int = 2,
    *,
    max_side: int = 8,
    max_pool: int = 4,
    max_stride: int = 4,
    max_channels: int = 4,
    max_batch: int = 2,
    reductions: Sequence[str] = tuple(REDUCTIONS),
    paddings: Sequence[str] = PADDINGS,
    data_formats: Sequence[str] = (LAST,),
    kinds: Sequence[str] = KINDS,
    dtypes: Sequence[str] = ("float32",),
) -> PoolCase:
    """Poolings over `rank` axes; limits as of `convolution_cases`. Strides may be smaller and larger than the window.

    Args:
        reductions: of "max", "average".

    Left out: windows larger than an input without padding; NaN, which TensorFlow's maximum drops on a CPU.
    """
    batch, channels = draw(st.integers(1, max_batch)), draw(st.integers(1, max_channels))
    where = windows(draw, rank, max_side=max_side, max_window=max_pool, max_stride=max_stride, paddings=paddings)
    reduction, layout = draw(st.sampled_from(tuple(reductions))), draw(st.sampled_from(tuple(data_formats)))
    fill = fills(draw, int(np.prod(where.size)), kinds, dtypes)
    x = fill((batch, *where.spatial, channels), 0, numbered(where.spatial, where.size, channels, 1))
    return PoolCase(
        x=laid_out(x, layout),
        pool_size=where.size,
        reduction=reduction,
        strides=where.strides,
        padding=where.padding,
        data_format=layout,
        dtype=fill.dtype,
    )
