"""Quantizers whose scale is 1, a given number or array, or computed from the data."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from refconv.numerics.formats import Field
from refconv.quantizers.base import Enclosed, Quantized, Quantizer, Scales
from refconv.quantizers.float32 import f32, flush, integers
from refconv.quantizers.parameters import Alpha
from refconv.quantizers.scales import Pair, Search


class Scaled(Quantizer):
    """A quantizer with `alpha`. For a computed scale a subclass gives `_search`, `_apply` and `_unit`."""

    alpha: Alpha

    def quantize(self, x: ArrayLike, scale: ArrayLike | None = None) -> Quantized:
        if not self.auto:
            return super().quantize(x, scale)
        x = flush(x)
        with np.errstate(all="ignore"):
            codes, found = self._search(x.ndim).nominal(self._scale_input(x))
            if scale is not None:
                found = f32(scale) / f32(self._unit)
            values = self._emit(self._carrier(x), self._apply(codes, found))
            return Quantized(values, integers(codes / self._half), found * f32(self._unit), self.coding)

    def scales(self, x: ArrayLike) -> Scales | None:
        if not self.auto:
            return None
        x = flush(x)
        with np.errstate(all="ignore"):
            low, high = self._bounds(x, x)[1]
        return Scales(low * f32(self._unit), high * f32(self._unit))

    @property
    def auto(self) -> bool:
        """Whether the scale is computed from the data."""
        return isinstance(self.alpha, str)

    @property
    def _factor(self) -> np.ndarray:
        """alpha as QKeras multiplies by it, where it is not computed."""
        return f32(1.0 if self.alpha is None else self.alpha)

    def _search(self, rank: int) -> Search:
        raise NotImplementedError

    def _bounds(self, low: np.ndarray, high: np.ndarray) -> tuple[Pair, Pair]:
        return self._search(low.ndim).bounds(self._scale_input(low), self._scale_input(high))

    def _scale_input(self, x: np.ndarray) -> np.ndarray:
        """What the scale is searched for."""
        return x

    def _apply(self, codes: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """Grid values in float32, in QKeras's order."""
        return scale * codes

    @property
    def _unit(self) -> float:
        """`Quantized.scale` in units of the scale that is searched for."""
        return 1.0

    @property
    def _half(self) -> float:
        """The searched codes in units of `Quantized.codes`: ½ for a sign function that yields ±½."""
        return 1.0

    def _step(self) -> Field:
        return 0.0 if self.auto else self._factor

    def _enclose(self, low: np.ndarray, high: np.ndarray) -> Enclosed:
        if not self.auto:
            return super()._enclose(low, high)
        (least, most), (small, large) = self._bounds(low, high)
        first = self._apply(least, np.where(least < 0, large, small))
        last = self._apply(most, np.where(most < 0, small, large))
        return self._between(low, high, first, last)
