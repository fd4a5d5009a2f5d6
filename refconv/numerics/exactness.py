"""When a float32 sum is exact in every order: its terms are small integers on a common grid. NUMERICS, "Exactness"."""

from __future__ import annotations

import numpy as np

from refconv.numerics.formats import FLOAT32, Format

_SAMPLE = 4096  # enough to see that ordinary floats share no coarse grid, without reading all of them
INTEGERS = 2.0**24  # float32 holds every integer up to here


def grid(values: np.ndarray) -> float:
    """The largest power of two of which every value is an integer multiple.

    inf where all values are zero, 0.0 where one is not finite.
    """
    values = values[values != 0]
    if not values.size:
        return np.inf
    if not np.all(np.isfinite(values)):
        return 0.0
    mantissa, exponent = np.frexp(values.astype(np.float64))
    integers = np.abs(mantissa * 2.0**53).astype(np.int64)
    lowest = np.frexp((integers & -integers).astype(np.float64))[1] - 1
    return float(np.ldexp(1.0, int(np.min(lowest + exponent)) - 53))


def product_grid(x: np.ndarray, w: np.ndarray) -> float:
    """Grid of all products x_i·w_j, or 0.0 where some product would need more than float32's 24 bits anyway."""
    if not x.size or not w.size:
        return 0.0
    for some_x, some_w in ((_sample(x), _sample(w)), (x, w)):
        step = grid(some_x) * grid(some_w)  # a few elements have no finer grid and no greater limit than all
        limit = float(np.max(np.abs(some_x))) * float(np.max(np.abs(some_w)))
        if not np.isfinite(limit) or np.isnan(step) or step == 0.0 or limit > INTEGERS * step:
            return 0.0
    return step


def _sample(values: np.ndarray) -> np.ndarray:
    """Some elements from everywhere: what comes first may be a border of zeros."""
    flat = values.ravel()
    return flat[:: -(-flat.size // _SAMPLE)]


def sum_grid(x: np.ndarray) -> float:
    """Grid of all values, or 0.0 where some value would need more than float32's 24 bits anyway."""
    return product_grid(x, np.ones(1))


def accumulator_bits(total: np.ndarray, step: float) -> int:
    """Bits of the signed integer that holds every partial sum, in units of `step`, of terms with Σ|t| = `total`."""
    return int(np.max(total, initial=0.0) / step).bit_length() + 1


def certain(total: np.ndarray, step: float, fmt: Format = FLOAT32) -> np.ndarray:
    """Elements whose terms are multiples of `step` with Σ|t| = `total`: every partial sum is exact in `fmt`."""
    return (total <= 1.0 / fmt.u * step) & (step >= 2.0**fmt.least)
