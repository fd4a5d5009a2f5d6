"""Sums that are cut off instead of rounded, as tensor cores may do. Simulated only: no GPU has been measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from refconv.compare.stage1 import deviate
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.moments import Moments

TRUNCATING = replace(Arithmetic(), truncates=True)


def truncated_sums(terms: np.ndarray) -> np.ndarray:
    """Σ over the last axis, one after another, each partial sum cut to float32 towards 0."""
    total = np.zeros(terms.shape[:-1], np.float32)
    for k in range(terms.shape[-1]):
        exact = total.astype(np.float64) + terms[..., k]
        nearest = exact.astype(np.float32)
        away = np.abs(nearest.astype(np.float64)) > np.abs(exact)
        total = np.where(away, np.nextafter(nearest, np.float32(0)), nearest)
    return total


def moments(terms: np.ndarray) -> Moments:
    return Moments(terms.sum(-1), Q=(terms**2).sum(-1), n=float(terms.shape[-1]), A=np.abs(terms).sum(-1))


def drawn(kind: str, n: int) -> np.ndarray:
    rng = np.random.default_rng(n)
    normal = rng.normal(size=(200, n))
    return {"normal": normal, "one sign": np.abs(normal), "sorted": np.sort(normal, axis=-1)}[kind]


def test_cut_off_by_hand() -> None:
    """1 + 1.5 ulp is cut to 1 + 1 ulp, where rounding to nearest even gives 1 + 2 ulp."""
    ulp = 2.0**-23
    assert truncated_sums(np.array([[1.0, 1.5 * ulp]])) == np.float32(1 + ulp)
    assert truncated_sums(np.array([[-1.0, -1.5 * ulp]])) == np.float32(-1 - ulp)


@pytest.mark.parametrize("n", [2, 27, 576, 5000])
@pytest.mark.parametrize("kind", ["normal", "one sign"])
def test_no_truncated_sum_leaves_the_bound(kind: str, n: int) -> None:
    terms = drawn(kind, n)
    found = deviate(TRUNCATING.close(moments(terms)), truncated_sums(terms))
    assert not found.outside.any()


def test_sums_of_one_sign_do_leave_the_bound_of_rounding() -> None:
    terms = drawn("one sign", 5000)
    found = deviate(Arithmetic().close(moments(terms)), truncated_sums(terms))
    assert found.outside.all()


def test_a_sum_one_percent_off_is_still_impossible() -> None:
    terms = drawn("one sign", 576)
    wrong = (truncated_sums(terms) * np.float32(1.01)).astype(np.float32)
    assert deviate(TRUNCATING.close(moments(terms)), wrong).impossible.all()
