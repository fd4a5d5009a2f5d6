"""Float32 arithmetic, element by element: products and sums rounded to nearest, fused or not, flushing or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TINY = np.float32(2.0**-126)


def fma(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """a·b + c with one rounding to float32.

    a·b is exact in float64 (48 bits). Its sum with c may not be, and rounding that to float64 and then to float32
    would round twice. So the float64 sum is rounded to odd instead: of the two float64 neighbours of an inexact sum
    the one with an odd last bit. With 53 ≥ 24 + 2 bits, rounding that to float32 is rounding the exact sum (Boldo and
    Melquiond 2008, theorem 3), subnormal results included. What the float64 addition left out is told by the
    error-free transformation 2Sum (Knuth 1997, 4.2.2, theorem B), which nothing here overflows.
    """
    product, addend = np.multiply(a, b, dtype=np.float64), np.asarray(c, dtype=np.float64)
    with np.errstate(all="ignore"):
        total = product + addend
        back = total - product
        left = (product - (total - back)) + (addend - back)
        even = (total.view(np.int64) & 1) == 0
        odd = np.where((left != 0) & even & np.isfinite(total), np.nextafter(total, left * np.inf), total)
        return odd.astype(np.float32)


@dataclass(frozen=True)
class Unit:
    """One kind of arithmetic unit.

    Attributes:
        fused: a product and the sum that it goes into are rounded once.
        flush: subnormal operands and results are zero.
    """

    fused: bool = False
    flush: bool = False

    @property
    def name(self) -> str:
        return ("fused" if self.fused else "product, sum") + (", flushing" if self.flush else "")

    def operand(self, x: np.ndarray) -> np.ndarray:
        return np.where(np.abs(x) < TINY, np.float32(0), x) if self.flush else x

    def add(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return self.operand(a + b)

    def multiply(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return self.operand(a * b)

    def accumulate(self, total: np.ndarray, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """total + x·w."""
        if self.fused:
            return self.operand(fma(x, w, total))
        return self.add(total, self.multiply(x, w))


UNITS = tuple(Unit(fused, flush) for fused in (False, True) for flush in (False, True))
