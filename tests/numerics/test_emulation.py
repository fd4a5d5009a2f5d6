"""The emulated arithmetic and the exact dot products, each proved against fractions.Fraction."""

from __future__ import annotations

from fractions import Fraction
from math import floor, log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.data import FINITE
from support.exact import dots
from support.float32 import UNITS, Unit, fma
from support.orders import ORDERS


def nearest(value: Fraction) -> float:
    """`value` rounded to float32, ties to even, subnormals kept, by integers alone."""
    if value == 0:
        return 0.0
    exponent = value.numerator.bit_length() - value.denominator.bit_length() - (value < 0)
    exponent = max(next(e for e in (exponent + 1, exponent, exponent - 1) if abs(value) >= Fraction(2) ** e), -126)
    grid = Fraction(2) ** (exponent - 23)
    rounded = round(value / grid) * grid  # Fraction rounds ties to even
    if abs(rounded) >= Fraction(2) ** 128:
        return float("inf") if value > 0 else float("-inf")
    return float(rounded)


def exactly(a: float, b: float, c: float) -> Fraction:
    return Fraction(a) * Fraction(b) + Fraction(c)


def f32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_the_rounding_of_fractions_by_hand():
    assert nearest(Fraction(1) + Fraction(1, 2**24)) == 1.0  # a tie, to even
    assert nearest(Fraction(1) + Fraction(3, 2**24)) == 1 + 2.0**-22  # a tie, to even, upwards
    assert nearest(Fraction(1, 2**150)) == 0.0
    assert nearest(Fraction(3, 2**151)) == 2.0**-149
    assert nearest(Fraction(2) ** 128 - Fraction(2) ** 103) == np.inf
    assert nearest(Fraction(-1, 10)) == float(np.float32(-0.1))


def near_ties() -> list[tuple[float, float, float]]:
    """Pairs with a·b = 1 + t, 0 < |t| < 2⁻³⁰, beside c = 2²⁴·odd: the sum is within 2⁻³⁰ of a tie, never on it."""
    a = np.random.default_rng(3).uniform(0.5, 1, 4000).astype(np.float32)
    b = (1 / a.astype(np.float64)).astype(np.float32)
    t = a.astype(np.float64) * b - 1
    found = [(float(p), float(q)) for p, q, e in zip(a, b, t, strict=True) if 0 < abs(e) < 2.0**-29]
    return [(p, q, c) for p, q in found for c in (2.0**24, -(2.0**24), 2.0**24 + 2, 2.0**24 - 2 + 2.0**24)]


def test_fma_rounds_once_where_two_roundings_would_not_do():
    cases = near_ties()
    assert len(cases) >= 40
    a, b, c = (f32(*column) for column in zip(*cases, strict=True))
    expected = [nearest(exactly(*case)) for case in cases]
    assert fma(a, b, c).tolist() == expected
    twice = (a.astype(np.float64) * b + c).astype(np.float32)
    assert sum(t != e for t, e in zip(twice.tolist(), expected, strict=True)) >= 10  # the cases do tell


def test_fma_by_hand():
    # 2²⁴ + (1 − 2⁻²⁴)·1 rounds to 2²⁴; with (1 + 2⁻²³) it is beyond the tie
    below, above = np.nextafter(f32(1), f32(0)), np.nextafter(f32(1), f32(2))
    assert fma(below, f32(1), f32(2.0**24)).tolist() == [2.0**24]
    assert fma(above, f32(1), f32(2.0**24)).tolist() == [2.0**24 + 2]
    # (1 + 2⁻²²)² − 1 keeps the last bit, which a rounded product loses
    more = f32(1 + 2.0**-22)
    assert fma(more, more, f32(-1)).tolist() == [2.0**-21 + 2.0**-44]
    assert Unit().accumulate(f32(-1), more, more).tolist() == [2.0**-21]
    assert fma(f32(2.0**-100), f32(2.0**-49), f32(0)).tolist() == [2.0**-149]
    assert fma(f32(3e38), f32(2), f32(-3e38)).tolist() == [float(np.float32(3e38))]  # the product overflows alone
    assert np.isnan(fma(f32(np.nan), f32(1), f32(1)))[0]
    assert fma(f32(3e38), f32(3e38), f32(1)).tolist() == [np.inf]
    assert fma(f32(np.inf), f32(-1), f32(1)).tolist() == [-np.inf]


floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(floats, floats, floats), min_size=1, max_size=50))
def test_fma_is_the_rounded_exact_result(cases):
    a, b, c = (f32(*column) for column in zip(*cases, strict=True))
    assert fma(a, b, c).tolist() == [nearest(exactly(*case)) for case in cases]


@given(st.integers(0, 2**32 - 1), st.integers(-40, 40))
def test_fma_of_close_exponents_is_the_rounded_exact_result(seed, gap):
    """Products and addends whose last places overlap, where double rounding happens."""
    rng = np.random.default_rng(seed)
    a, b = (rng.uniform(1, 2, 50).astype(np.float32) for _ in range(2))
    c = (rng.choice([-1, 1], 50) * rng.uniform(1, 2, 50) * 2.0**gap).astype(np.float32)
    cases = zip(a.tolist(), b.tolist(), c.tolist(), strict=True)
    assert fma(a, b, c).tolist() == [nearest(exactly(*case)) for case in cases]


def test_flushing():
    flush, keep = Unit(flush=True), Unit()
    small, normal = f32(1e-39), f32(2.0**-126)
    assert flush.operand(small).tolist() == [0.0]
    assert flush.operand(normal).tolist() == normal.tolist()
    assert flush.multiply(normal, f32(0.5)).tolist() == [0.0]
    assert keep.multiply(normal, f32(0.5)).tolist() == [2.0**-127]
    assert flush.add(f32(3 * 2.0**-126), f32(-2.5 * 2.0**-126)).tolist() == [0.0]


def by_fractions(unit: Unit, pairs: list[tuple[float, float]]) -> float:
    """One accumulator, the definition."""
    total = nearest(exactly(*pairs[0], 0.0))
    for a, b in pairs[1:]:
        term = Fraction(a) * Fraction(b) if unit.fused else Fraction(nearest(exactly(a, b, 0)))
        total = nearest(Fraction(total) + term)
    return total


@pytest.mark.parametrize("unit", [u for u in UNITS if not u.flush], ids=lambda u: u.name)
@pytest.mark.parametrize("n", [1, 2, 7, 33])
def test_orders_against_fractions(unit, n):
    rng = np.random.default_rng(n)
    x, w = (rng.normal(size=(n, 5)).astype(np.float32) for _ in range(2))
    pairs = [list(zip(a.tolist(), b.tolist(), strict=True)) for a, b in zip(x.T, w.T, strict=True)]
    assert ORDERS["sequential"](unit, x, w).tolist() == [by_fractions(unit, p) for p in pairs]
    assert ORDERS["backwards"](unit, x, w).tolist() == [by_fractions(unit, p[::-1]) for p in pairs]

    def total(parts: list[float]) -> float:
        found = parts[0]
        for part in parts[1:]:
            found = nearest(Fraction(found) + Fraction(part))
        return found

    def tree(parts: list[float]) -> float:
        while len(parts) > 1:
            parts = parts + [0.0] * (len(parts) % 2)
            parts = [total([a, b]) for a, b in zip(parts[::2], parts[1::2], strict=True)]
        return parts[0]

    blocks = [total([by_fractions(unit, p[i : i + 4]) for i in range(0, n, 4)]) for p in pairs]
    assert ORDERS["blocks of 4"](unit, x, w).tolist() == blocks
    eight = [tree([by_fractions(unit, p[i::8] or [(0.0, 0.0)]) for i in range(8)]) for p in pairs]
    assert ORDERS["8 lanes"](unit, x, w).tolist() == eight
    halves = [tree([by_fractions(unit, p[i : i + 2]) for i in range(0, n, 2)]) for p in pairs]
    assert ORDERS["pairwise"](unit, x, w).tolist() == halves


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("unit", UNITS, ids=lambda u: u.name)
def test_every_order_takes_every_term_once(order, unit):
    """Small integers are exact in every order, so a term left out or taken twice shows."""
    rng = np.random.default_rng(0)
    for n in (1, 3, 17, 300):
        x, w = (rng.integers(-9, 10, (n, 6)).astype(np.float32) for _ in range(2))
        assert ORDERS[order](unit, x, w).tolist() == (x.astype(int) * w.astype(int)).sum(axis=0).tolist()


@pytest.mark.parametrize("kind", FINITE, ids=lambda k: k.name)
def test_exact_dots_are_those_of_fractions(kind):
    rng = np.random.default_rng(1)
    for n in (1, 2, 30):
        x, w = kind(rng, n, 3)
        bias = rng.normal(size=3).astype(np.float32)
        for b in (None, bias):
            exact = dots(x, w, b)
            for i in range(3):
                terms = [Fraction(float(p)) * Fraction(float(q)) for p, q in zip(x[:, i], w[:, i], strict=True)]
                terms += [] if b is None else [Fraction(float(b[i]))]
                assert exact.values[i] == sum(terms)
                assert exact.size[i] == float(sum(map(abs, terms)))


def test_the_distance_from_the_exact_value_is_that_of_fractions():
    rng = np.random.default_rng(2)
    x, w = (rng.normal(size=(50, 200)).astype(np.float32) for _ in range(2))
    exact = dots(x, w)
    for got in (exact.high.astype(np.float32), exact.high, (x * w).sum(axis=0), -exact.high):
        true = [abs(Fraction(float(g)) - v) for g, v in zip(got, exact.values, strict=True)]
        for distance, expected in zip(exact.distance(got).tolist(), true, strict=True):
            assert abs(Fraction(distance) - expected) <= expected / 2**50


def test_one_wrong_bit_is_seen():
    x, w = f32(1.1, 2.2)[:, None], f32(3.3, 4.4)[:, None]
    other = x.copy()
    other[1] = np.nextafter(other[1], f32(9))
    assert dots(x, w).values != dots(other, w).values
    assert floor(log2(abs(dots(x, w).values[0] - dots(other, w).values[0]))) < -18
