"""Data that break careless dot products: the six sets of TOSA's conformance tests.

Source: TOSA specification, appendix "Random data generation" (`tosa_mi_data`), and its reference model's
`generate_dot_product_states.cc`, whose pseudo-random numbers are NumPy's here. Operand 0 is the input, 1 the kernel and
2 the bias; k numbers the products of one sum from 0 to n − 1. A tensor of inputs takes the numbers of the kernel laid
over it again and again, as there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# √ of what a sum may reach: the specification's B for sums in float32, in float16 for float16.
BOUND = {"float32": 2.0**64 - 2.0**40, "bfloat16": 2.0**64 - 2.0**56, "float16": 2.0**8 - 2.0**-3}


@dataclass(frozen=True)
class Place:
    """Where the values go: the product that each belongs to (any shape), their number n, the operand, and B."""

    k: np.ndarray
    n: int
    operand: int
    bound: float

    def scale(self, more: int = 1) -> float:
        return self.bound / float(np.sqrt(self.n + more))


Uniform = Callable[[], np.ndarray]  # values in [−1, 1], one for each place
Make = Callable[[Place, Uniform, np.ndarray], np.ndarray]  # the last: True where the products of that k are zero


def zeros(at: Place, uniform: Uniform, zero: np.ndarray) -> np.ndarray:
    """The sum of products with zero is zero."""
    return uniform() * ((zero == (at.operand == 1)) if at.operand < 2 else 0.0)


def large(at: Place, uniform: Uniform, zero: np.ndarray) -> np.ndarray:
    """Large exponents."""
    sign = np.where(uniform() < 0, -0.75, 0.75)
    size = at.scale() ** 2 if at.operand == 2 else at.scale()
    return size * (sign + 0.25 * uniform())


def one_large(at: Place, uniform: Uniform, zero: np.ndarray) -> np.ndarray:
    """Small values of like size, added to a large one."""
    return _no_bias(at, np.where(at.k == 0, 1.0, uniform() / np.sqrt(at.n)))


def one_large_varied(at: Place, uniform: Uniform, zero: np.ndarray) -> np.ndarray:
    """Small values of many sizes, added to a large one."""
    first = uniform()
    return _no_bias(at, np.where(at.k == 0, np.where(first < 0, -16.0, 16.0), np.exp(2 * first) * uniform()))


def mixed(at: Place, uniform: Uniform, zero: np.ndarray) -> np.ndarray:
    """Products that are zero, of large values, and one that is not."""
    size = np.where(zero == (at.operand == 1), at.scale(0) * uniform(), 0.0)
    half = np.where(zero, -0.5, 0.5) * (1 - 2 * at.operand)
    return _no_bias(at, np.where(at.k == at.n // 2, half, size))


def signed(at: Place, uniform: Uniform, zero: np.ndarray) -> np.ndarray:
    """Values of either sign and of a large range."""
    return _no_bias(at, at.scale() * uniform())


def _no_bias(at: Place, values: np.ndarray) -> np.ndarray:
    return values if at.operand < 2 else np.zeros_like(values)


SETS: dict[str, Make] = {
    f"tosa_{make.__name__}": make for make in (zeros, large, one_large, one_large_varied, mixed, signed)
}
