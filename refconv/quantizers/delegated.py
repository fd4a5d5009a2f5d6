"""Quantizers that hand a prepared tensor to another one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from refconv.numerics.formats import Field
from refconv.quantizers.base import Enclosed, Quantized, Quantizer, Scales
from refconv.quantizers.float32 import flush


class Delegated(Quantizer):
    """A subclass gives `_inner` and, where it computes something first, `_prepare`."""

    @property
    def _inner(self) -> Any:
        """The quantizer that does the work."""
        raise NotImplementedError

    def _prepare(self, x: np.ndarray) -> np.ndarray:
        return x

    def quantize(self, x: ArrayLike, scale: ArrayLike | None = None) -> Quantized:
        return self._inner.quantize(self._prepare(flush(x)), scale)

    def scales(self, x: ArrayLike) -> Scales | None:
        return self._inner.scales(self._prepare(flush(x)))

    @property
    def auto(self) -> bool:
        return self._inner.auto

    @property
    def codes_range(self) -> tuple[int, int] | None:
        return self._inner.codes_range

    def _step(self) -> Field:
        return self._inner._step()

    def _enclose(self, low: np.ndarray, high: np.ndarray) -> Enclosed:
        return self._inner._enclose(low, high)
