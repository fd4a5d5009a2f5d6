"""Float formats: unit roundoff, range, what is lost near zero, and rounding to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

Field = np.ndarray | float  # one value for every element of a tensor, or one for all of them


@dataclass(frozen=True)
class Format:
    """A binary float format.

    Attributes:
        u: unit roundoff, half the distance from 1 to the next value.
        tiny: what one operation may lose near zero: the smallest normal value where kernels flush smaller inputs and
            results to 0 (TRAPS 29, 33), half of the smallest subnormal where they keep those (float16).
        max: largest finite value.
        least: exponent of the smallest normal value.
    """

    name: str
    u: float
    tiny: float
    max: float
    least: int

    @property
    def digits(self) -> int:
        """Significant bits, the leading one included."""
        return -int(np.log2(self.u))

    def spacing(self, values: ArrayLike) -> np.ndarray:
        """Distance between neighbours: 2^(e − digits + 1), e the value's exponent, at least the smallest normal's."""
        exponent = np.frexp(np.asarray(values, dtype=np.float64))[1] - 1
        return np.ldexp(1.0, np.maximum(exponent, self.least) - self.digits + 1)

    def round(self, values: ArrayLike) -> np.ndarray:
        """`values` in this format, to nearest even, subnormals kept and overflow to infinity; as float64."""
        return round_to(values, self, NEAREST_EVEN)


def _format(name: str, digits: int, least: int, *, keeps_subnormals: bool = False) -> Format:
    u = 2.0**-digits
    tiny = 2.0 ** (least - digits) if keeps_subnormals else 2.0**least
    return Format(name, u, tiny, (2 - 2 * u) * 2.0 ** (1 - least), least)


FLOAT64 = _format("float64", 53, -1022)
FLOAT32 = _format("float32", 24, -126)
TF32 = _format("tf32", 11, -126)
BFLOAT16 = _format("bfloat16", 8, -126)
FLOAT16 = _format("float16", 11, -14, keeps_subnormals=True)

FORMATS = {f.name: f for f in (FLOAT64, FLOAT32, TF32, BFLOAT16, FLOAT16)}


def is_float(dtype: np.dtype) -> bool:
    """True of bfloat16 too, which is no NumPy float."""
    return dtype.kind == "f" or dtype.name in FORMATS


def is_real(dtype: np.dtype) -> bool:
    """Of numbers that have a place on a line: not of complex ones, and not of text."""
    return dtype.kind not in "cSUO"


def float64(values: np.ndarray) -> np.ndarray:
    """Any float array as float64; a NaN of bfloat16 is one, without NumPy's warning."""
    with np.errstate(invalid="ignore"):
        return values.astype(np.float64)


Rule = Callable[[np.ndarray], np.ndarray]  # to an integer


def nearest_away(v: np.ndarray) -> np.ndarray:
    """To the nearest integer, halves away from zero."""
    return np.trunc(v + np.copysign(0.5, v))


NEAREST_EVEN: Rule = np.rint
NEAREST_AWAY: Rule = nearest_away
TRUNCATED: Rule = np.trunc


def round_to(values: ArrayLike, fmt: Format, rule: Rule) -> np.ndarray:
    """`values` (float64, or narrower) as multiples of the format's spacing, chosen by `rule`; as float64."""
    with np.errstate(all="ignore"):
        x = np.asarray(values, dtype=np.float64)
        if fmt == FLOAT32 and rule is NEAREST_EVEN:  # what every machine's conversion does
            return x.astype(np.float32).astype(np.float64)
        spacing = fmt.spacing(x)
        rounded = np.where(np.isfinite(x), rule(x / spacing) * spacing, x)
        return np.where(np.abs(rounded) > fmt.max, np.copysign(np.inf, x), rounded)


def gamma(n: ArrayLike, u: float) -> np.ndarray:
    """γ(n, u) = nu/(1 − nu), Higham 2002, Lemma 3.1; infinite once nu ≥ 1. `n` is a number or an array."""
    nu = np.asarray(n, dtype=np.float64) * u
    return np.where(nu < 1, nu / np.maximum(1 - nu, 2.0**-60), np.inf)
