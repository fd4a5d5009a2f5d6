"""Dense layers: a matrix product over the last axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from refconv.testing.strategies.case import LayerCase, per_axis
from refconv.testing.strategies.values import KINDS, fills, shapes


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class DenseCase(LayerCase):
    """A matrix product.

    Attributes:
        x: (…, C).
        kernel: (C, units).
        bias: (units,), or None.
        activation: a name of Keras's.
    """

    kernel: np.ndarray
    bias: np.ndarray | None = None
    activation: str = "linear"

    @property
    def units(self) -> int:
        return self.kernel.shape[-1]

    @property
    def keras(self) -> str:
        return "Dense"

    @property
    def config(self) -> dict[str, Any]:
        return {"units": self.units, "activation": self.activation, "use_bias": self.bias is not None}

    @property
    def weights(self) -> dict[str, np.ndarray]:
        return per_axis({"kernel": self.kernel, "bias": self.bias})


@st.composite
def dense_cases(
    draw: st.DrawFn,
    *,
    max_inputs: int = 64,
    max_units: int = 8,
    max_batch: int = 4,
    max_rank: int = 4,
    activations: Sequence[str] = ("linear",),
    biases: Sequence[bool] = (False, True),
    kinds: Sequence[str] = KINDS,
    dtypes: Sequence[str] = ("float32",),
) -> DenseCase:
    """Matrix products of `max_inputs` terms at most, of inputs of two to `max_rank` axes.

    Args:
        max_batch: the longest of the axes before the last.
        activations, biases, kinds, dtypes: as of `convolution_cases`.

    Left out: empty tensors; NaN and infinities.
    """
    inputs, units = draw(st.integers(1, max_inputs)), draw(st.integers(1, max_units))
    before = draw(shapes(1, max_rank - 1, max_batch))
    activation, biased = draw(st.sampled_from(tuple(activations))), draw(st.sampled_from(tuple(biases)))
    fill = fills(draw, inputs, kinds, dtypes)
    return DenseCase(
        kernel=fill((inputs, units), 1, np.arange(inputs)[:, None]),
        x=fill((*before, inputs), 0, np.arange(inputs)),
        bias=fill((units,), 2) if biased else None,
        activation=activation,
        dtype=fill.dtype,
    )
