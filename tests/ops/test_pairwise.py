"""Products and sums of enclosures: whatever the factors are inside theirs, the float32 result is inside."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refconv.compare.declared import mixed
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, bounded, point
from refconv.numerics.formats import FLOAT16
from refconv.ops.pairwise import complement, product, total
from refconv.ops.quantizing import quantize
from refconv.quantizers.read import read

A = Arithmetic()
VALUES = st.floats(-1e3, 1e3, width=32, allow_subnormal=True) | st.floats(-(2.0**-120), 2.0**-120, width=32)
RADII = st.sampled_from([0.0, 1e-7, 1e-3, 0.5])
SHARES = st.floats(-1, 1)
TINY = np.float32(2.0**-126)
OPERATIONS: list[tuple[Callable[..., Enclosure], Callable[..., np.float32]]] = [
    (product, lambda a, b: a * b),
    (total, lambda a, b: a + b),
]
BOTH = pytest.mark.parametrize(("enclose", "compute"), OPERATIONS, ids=["product", "total"])


def one(mid: float, radius: float = 0.0) -> Enclosure:
    return bounded(np.array([mid], dtype=np.float64), np.array([radius]))


def flushed(x: np.float32) -> np.float32:
    return np.float32(0) if abs(x) < TINY else x


@BOTH
@given(a=VALUES, b=VALUES, ra=RADII, rb=RADII, share=st.tuples(SHARES, SHARES), flush=st.booleans())
def test_holds_every_float32_result(
    enclose: Callable[..., Enclosure],
    compute: Callable[..., np.float32],
    a: float,
    b: float,
    ra: float,
    rb: float,
    share: tuple[float, float],
    flush: bool,
) -> None:
    """Subnormals kept or flushed, operands anywhere inside: float32 numbers inside, so pulled in by one rounding."""
    found = enclose(one(a, ra), one(b, rb), A)
    x, y = (
        np.float32(np.clip(np.float32(v + s * r), v - r, v + r)) if r else np.float32(v)
        for v, r, s in ((a, ra, share[0]), (b, rb, share[1]))
    )
    if abs(float(x) - a) > ra or abs(float(y) - b) > rb:
        return
    with np.errstate(all="ignore"):
        got = flushed(compute(flushed(x), flushed(y))) if flush else compute(x, y)
    error = abs(float(got) - float(found.mid[0]))
    assert error <= float(np.asarray(found.limit).ravel()[0])
    assert error <= float(np.asarray(found.probable).ravel()[0])  # a hard radius is the probable one too


@pytest.mark.parametrize(
    ("found", "mid", "exact"),
    [
        (product(one(0.75), one(-2.25), A), -1.6875, True),
        (product(one(1 + 2.0**-23), one(1 + 2.0**-23), A), 1 + 2.0**-22 + 2.0**-46, False),  # 47 bits
        (total(one(1.0), one(2.0**-24), A), 1 + 2.0**-24, False),  # half an ulp
        (total(one(1.5), one(-1.25), A), 0.25, True),
        (complement(one(0.375), A), 0.625, True),
        (product(one(2.0**-127), one(8.0), A), 2.0**-124, False),  # a subnormal factor may be read as 0
    ],
)
def test_what_float32_holds_is_exact_and_nothing_else(found: Enclosure, mid: float, exact: bool) -> None:
    assert found.mid[0] == mid
    assert found.exact is exact


def test_radii_multiply_out() -> None:
    """2 ± 0.5 times 3 ± 0.25 lies within 6 ± (3·0.5 + 2·0.25 + 0.125) = 6 ± 2.125, and a rounding."""
    found = product(one(2, 0.5), one(3, 0.25), A)
    assert float(found.limit[0]) == pytest.approx(2.125 + 2.0**-24 * 8.125, rel=1e-9)


def test_neighbours_of_a_quantizer_are_inside() -> None:
    """0.125 lies on the boundary between codes 0 and 0.25: the product with 4 may be 0 or 1."""
    quantizer = read("quantized_bits(3,0,1,alpha=1)")
    assert quantizer is not None
    q = quantize(quantizer, bounded(np.array([0.125]), np.array([1e-6])))
    found = product(q, point(np.array([4.0])), A)
    for value in (0.0, 1.0):
        assert abs(value - float(found.mid[0])) <= float(found.limit[0])


def test_a_bound_that_was_not_asked_for_stays_out_of_reach() -> None:
    """`Need.PROBABLE` leaves worst infinite: times zero that is no bound of zero."""
    wide = Enclosure(np.array([1.0]), np.array([1e-7]), np.inf)
    found = product(wide, point(np.array([0.0])), A)
    assert np.isinf(found.limit).all()
    assert float(found.probable[0]) < 1e-5


def test_not_finite_values_pass_through() -> None:
    with np.errstate(all="ignore"):
        found = total(point(np.array([np.inf, np.nan])), point(np.array([-np.inf, 1.0])), A)
    assert np.isnan(found.mid).all()


def test_what_float32_holds_and_float16_does_not_is_rounded() -> None:
    """(1 + 2⁻¹⁰)² = 1 + 2⁻⁹ + 2⁻²⁰ needs 21 bits; 1 + 2⁻¹¹ needs 12, and float16 has 11."""
    half = mixed(FLOAT16)[0]
    near = one(1 + 2.0**-10)
    assert product(near, near, A).exact and not product(near, near, half).exact
    assert product(one(1.5), one(1.5), half).exact
    assert total(one(1.0), one(2.0**-11), A).exact and not total(one(1.0), one(2.0**-11), half).exact
