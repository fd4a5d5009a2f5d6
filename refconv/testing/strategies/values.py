"""What tensors are filled with: small integers first, then what rounding meets, then what was made to break sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ml_dtypes
import numpy as np
from hypothesis import strategies as st

from refconv.testing.strategies.tosa import BOUND, SETS, Place

Generator = np.random.Generator
SEEDS = 2**16


def counted(at: Place, rng: Generator) -> np.ndarray:
    """1, 2, 3 … over and over, to 13 in an input, 11 in a kernel, 7 in a bias: no two neighbours are equal."""
    return np.arange(at.k.size).reshape(at.k.shape) % (13, 11, 7)[at.operand] + 1


def integers(at: Place, rng: Generator) -> np.ndarray:
    return rng.integers(-8, 9, at.k.shape)


def ternary(at: Place, rng: Generator) -> np.ndarray:
    return rng.integers(-1, 2, at.k.shape)


def normal(at: Place, rng: Generator) -> np.ndarray:
    return rng.standard_normal(at.k.shape)


def rectified(at: Place, rng: Generator) -> np.ndarray:
    """As behind a ReLU; kernels as initialisers draw them."""
    drawn = normal(at, rng)
    return drawn / np.sqrt(at.n) if at.operand else np.maximum(drawn, 0)


def constant(at: Place, rng: Generator) -> np.ndarray:
    """One value for all: equal terms repeat one rounding error."""
    return np.full(at.k.shape, rng.uniform(0.05, 1))


def alternating(at: Place, rng: Generator) -> np.ndarray:
    """Neighbours that cancel: the sum is small, its terms are not."""
    drawn = rng.uniform(1, 2, at.k.shape)
    return drawn if at.operand else np.where(at.k % 2, -drawn, drawn)


def scaled(at: Place, rng: Generator) -> np.ndarray:
    """Sixteen orders of magnitude; four in float16."""
    reach = 8 if at.bound > 2.0**16 else 2
    return rng.standard_normal(at.k.shape) * 10.0 ** rng.uniform(-reach, reach, at.k.shape)


def subnormal(at: Place, rng: Generator) -> np.ndarray:
    """Products below the least normal number, kernels of ordinary size."""
    least = 1e-38 if at.bound > 2.0**16 else 5e-5
    return rng.standard_normal(at.k.shape) * (1.0 if at.operand == 1 else least)


_MAKERS: dict[str, Callable[[Place, Generator], np.ndarray]] = {
    make.__name__: make
    for make in (counted, ternary, integers, normal, rectified, constant, alternating, scaled, subnormal)
}
KINDS = (*_MAKERS, *SETS)  # from the simplest on, which is what an example shrinks to
DTYPES = {
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}


@dataclass(frozen=True)
class Fill:
    """How the tensors of one case are filled, so that input and kernel fit each other.

    Attributes:
        kind: of KINDS.
        dtype: "float32", "float16" or "bfloat16".
        n: products of one sum.
        seed: of what is drawn at random.
    """

    kind: str
    dtype: str
    n: int
    seed: int

    def __call__(self, shape: tuple[int, ...], operand: int = 0, k: np.ndarray | None = None) -> np.ndarray:
        """A tensor; `k` numbers the product of each element, and broadcasts to the shape; in order without it."""
        rng = np.random.default_rng((self.seed, operand))
        if k is None:
            k = np.arange(int(np.prod(shape))).reshape(shape) % self.n
        at = Place(np.broadcast_to(k, shape), self.n, operand, BOUND[self.dtype])
        with np.errstate(all="ignore"):
            return self._values(at, rng).astype(DTYPES[self.dtype])

    def _values(self, at: Place, rng: Generator) -> np.ndarray:
        if self.kind in _MAKERS:
            return _MAKERS[self.kind](at, rng)
        pattern = np.random.default_rng(at.n).random(at.n) < 0.5  # the same for both operands
        return SETS[self.kind](at, lambda: rng.uniform(-1, 1, at.k.shape), pattern[at.k])


def fills(draw: st.DrawFn, n: int, kinds: Sequence[str], dtypes: Sequence[str]) -> Fill:
    """A kind, a dtype and a seed: as many choices for large tensors as for small ones.

    So sizes shrink freely: whatever they are, the same choices fill the tensors. Were values drawn one by one, they
    would shrink to a few ones among zeros, which hold sizes fast.
    """
    kind, dtype = draw(st.sampled_from(tuple(kinds))), draw(st.sampled_from(tuple(dtypes)))
    return Fill(kind, dtype, max(n, 1), draw(st.integers(0, SEEDS)))


def shapes(min_rank: int = 1, max_rank: int = 4, max_side: int = 5) -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes of at least one element."""
    return st.lists(st.integers(1, max_side), min_size=min_rank, max_size=max_rank).map(tuple)


@st.composite
def tensors(
    draw: st.DrawFn,
    shape: tuple[int, ...] | st.SearchStrategy[tuple[int, ...]] | None = None,
    *,
    kinds: Sequence[str] = KINDS,
    dtypes: Sequence[str] = ("float32",),
    operand: int = 0,
    max_side: int = 5,
) -> np.ndarray:
    """Tensors of finite floats: small integers, ordinary data, and TOSA's six sets for dot products.

    Args:
        shape: one shape, or a strategy of shapes; None draws up to four axes of up to `max_side`.
        kinds: of KINDS, in the order in which they count as simple: "counted" (1, 2, 3 …), "ternary" (−1, 0, 1),
            "integers" (−8 to 8), "normal", "rectified", "constant", "alternating", "scaled" (1e-8 to 1e8),
            "subnormal"; "tosa_zeros", "tosa_large", "tosa_one_large", "tosa_one_large_varied", "tosa_mixed",
            "tosa_signed" (see `tosa`), whose sums run over the last axis.
        dtypes: of "float32", "float16", "bfloat16" (of ml_dtypes).
        operand: 0 for inputs, 1 for kernels, 2 for biases, which some kinds tell apart.

    Left out: NaN, infinities, tensors without elements.
    """
    wanted = shapes(max_side=max_side) if shape is None else shape
    chosen = wanted if isinstance(wanted, tuple) else draw(wanted)
    n = chosen[-1] if chosen else 1
    return fills(draw, n, kinds, dtypes)(chosen, operand, np.arange(n) if chosen else np.zeros((), int))
