"""A search for what breaks the bounds: Hypothesis maximises |error|/bound over data, order and shape.

Under the profile "ci" (tests/conftest.py) the examples are the same every time; under "dev" every run looks elsewhere.
A failure prints the arguments and a `@reproduce_failure` line that runs them again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings, target
from hypothesis import strategies as st
from support.bounds import of, outcome
from support.data import Kind
from support.float32 import UNITS
from support.kernels import KERNELS, judge
from support.orders import ORDERS

from refconv.compare import stage2
from refconv.result import Verdict

SEARCH = settings(max_examples=250, print_blob=True)
DEEP = settings(max_examples=3000, print_blob=True)

PLAIN = Kind("searched", lambda rng, n, dots: (np.zeros((n, dots)), np.zeros((n, dots))), ordered=True)

sizes = st.floats(2.0**-6, 1.0, width=32)
signed = st.builds(lambda size, sign: size * sign, sizes, st.sampled_from([1, -1]))


@dataclass(frozen=True)
class Recipe:
    """How terms follow one another: a few values over and over, changed along the way.

    Attributes:
        values: repeated until there are enough.
        head: the first term is 2^head times as large.
        jitter: relative size of random changes, so that terms are equal, nearly equal or not at all.
        trend: "none", "rising" (linearly from 0), "wave" (one period), "blocks" (second half negative) or "sorted".
    """

    values: tuple[float, ...]
    head: int
    jitter: float
    trend: str
    seed: int

    def terms(self, n: int) -> np.ndarray:
        at = (np.arange(n) + 1) / n
        t = np.resize(np.array(self.values), n) * (1 + self.jitter * np.random.default_rng(self.seed).normal(size=n))
        shape = {"rising": at, "wave": np.sin(2 * np.pi * at), "blocks": np.where(at > 0.5, -1, 1)}
        t = np.sort(t) if self.trend == "sorted" else t * shape.get(self.trend, 1)
        t[0] *= 2.0**self.head
        return t.astype(np.float32)


recipes = st.builds(
    Recipe,
    values=st.one_of(
        st.lists(signed, min_size=1, max_size=16),
        st.sampled_from([2, 4, 8, 16]).flatmap(lambda p: st.lists(signed, min_size=p, max_size=p)),
    ).map(tuple),
    head=st.sampled_from([0, 0, 0, 5, 12, 20]),
    jitter=st.sampled_from([0.0, 0.0, 1e-7, 1e-5, 1e-2, 1.0]),
    trend=st.sampled_from(["none", "none", "rising", "wave", "blocks", "sorted"]),
    seed=st.integers(0, 2**16),
)
lengths = st.one_of(st.integers(1, 64), st.integers(1, 1200), st.sampled_from([2304, 4608]))


def shares(recipe: Recipe, factor: Recipe | float, n: int, order: str, unit: int) -> tuple[float, float]:
    """|error| as a share of the worst case, and of the wider of the two probable radii."""
    x = recipe.terms(n)[:, None]
    w = factor.terms(n)[:, None] if isinstance(factor, Recipe) else np.full((n, 1), factor, np.float32)
    one = of(x, w, None, (PLAIN,))
    found = outcome(one, order, UNITS[unit])
    assert not found.outside.any()
    error = float(one.exact.distance(found.got)[0])
    allowed = max(float(np.ravel(one.enclosure.probable)[0]), float(one.second[0]))
    return float(found.worst[0]), error / allowed if error else 0.0


simulated = given(
    recipe=recipes,
    factor=st.one_of(sizes, recipes),
    n=lengths,
    order=st.sampled_from(sorted(ORDERS)),
    unit=st.sampled_from([0, 2]),
)


def search_simulated(recipe: Recipe, factor: Recipe | float, n: int, order: str, unit: int) -> None:
    worst, probable = shares(recipe, factor, n, order, unit)
    assert worst <= 1
    target(probable, label="|error| / probable bound")
    assert probable <= 1


test_no_simulated_order_leaves_the_probable_bound = SEARCH(simulated(search_simulated))


@pytest.mark.slow
def test_no_simulated_order_leaves_the_probable_bound_in_a_long_search():
    DEEP(simulated(search_simulated))()


SUMS = (
    "dense, one row",
    "dense",
    "convolution",
    "depthwise convolution",
    "average pooling",
    "global average pooling of one channel",
)
real = given(
    name=st.sampled_from(SUMS), recipe=recipes, factor=recipes, channels=st.sampled_from([1, 3, 8, 16, 64, 256])
)


def search_real(name: str, recipe: Recipe, factor: Recipe, channels: int) -> None:
    kernel = KERNELS[name]
    shape, wanted = kernel.shapes(channels)
    x = np.stack([recipe.terms(int(np.prod(shape[1:]))).reshape(shape[1:])] * shape[0])
    weights = {key: factor.terms(int(np.prod(s))).reshape(s[-1:] + s[:-1]) for key, s in wanted.items()}
    weights = {key: np.moveaxis(w, 0, -1).copy() for key, w in weights.items()}
    found = judge(kernel, channels, x, weights)
    used = found.second if found.comparison.explained else found.comparison.bound_used
    target(min(float(used), 100.0), label=f"|error| / bound of {name}")
    assert found.comparison.verdict in (Verdict.EXACT, Verdict.WITHIN)


test_no_kernel_of_the_framework_leaves_its_bound = SEARCH(real(search_real))


@pytest.mark.slow
def test_no_kernel_of_the_framework_leaves_its_bound_in_a_long_search():
    DEEP(real(search_real))()


def test_a_search_finds_what_the_orders_of_one_accumulator_do_not_explain(monkeypatch):
    """Stage 2 as it was before it walked lanes: alternating terms leave it, and the search comes upon them."""
    monkeypatch.setattr(stage2, "_LANES", ())
    quiet = settings(max_examples=300, derandomize=True, database=None, print_blob=False)

    @quiet
    @given(values=st.lists(signed, min_size=4, max_size=4), order=st.sampled_from(["4 lanes", "8 lanes"]))
    def search(values: list[float], order: str) -> None:
        search_simulated(Recipe(tuple(values), 0, 0.0, "none", 0), 0.7, 4608, order, 0)

    with pytest.raises(AssertionError):
        search()


def test_what_it_found_is_explained_now():
    found = Recipe((0.71, -0.69), 0, 0.0, "none", 0), 0.7, 4608, "4 lanes", 0
    assert 0.01 < shares(*found)[1] < 1
