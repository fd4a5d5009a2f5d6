"""Moments by hand: y, Q, A, n, and what subnormal operands may take away."""

import numpy as np

from refconv.numerics.moments import Need
from refconv.primitives.geometry import window
from refconv.primitives.numpy_engine import ENGINE
from refconv.primitives.sums import (
    LONG,
    correlate_moments,
    matmul_moments,
    product_moments,
    spatial_moments,
    transposed_moments,
    window_moments,
)

TINY = 1e-39  # subnormal in float32


def test_matmul_by_hand() -> None:
    m = matmul_moments(ENGINE, np.array([[1.0, -2]]), np.array([[3.0], [4]]))
    assert (m.y.item(), m.Q.item(), m.A.item(), m.n) == (-5, 73, 11, 2)


def test_correlation_counts_padding_as_terms() -> None:
    w = window((2, 2), (3, 3), (1, 1), padding="same")
    m = correlate_moments(ENGINE, np.ones((1, 2, 2, 2)), np.full((3, 3, 2, 1), -2.0), w)
    assert m.n == 18
    assert m.y.ravel().tolist() == [-16] * 4
    assert m.Q.ravel().tolist() == [32] * 4
    assert m.A.ravel().tolist() == [16] * 4


def test_grouped_correlation_has_fewer_terms() -> None:
    w = window((2, 2), (1, 1), (1, 1))
    assert correlate_moments(ENGINE, np.ones((1, 2, 2, 4)), np.ones((1, 1, 2, 2)), w, 2).n == 2


def test_transposed_counts_the_windows_that_meet() -> None:
    w = window((4,), (3,), (2,), padding="same")
    m = transposed_moments(ENGINE, np.array([[[1.0], [10]]]), np.array([1.0, 2, 3]).reshape(3, 1, 1), w, (4,))
    assert m.n == 2
    assert m.y.ravel().tolist() == [1, 2, 13, 20]
    assert m.Q.ravel().tolist() == [1, 4, 109, 400]


def test_window_counts_only_elements_inside() -> None:
    m = window_moments(ENGINE, np.array([1.0, -2, 3]).reshape(1, 3, 1), window((3,), (2,), (2,), padding="same"))
    assert m.n.ravel().tolist() == [2, 1]
    assert m.y.ravel().tolist() == [-1, 3]
    assert m.A.ravel().tolist() == [3, 3]
    assert m.Q.ravel().tolist() == [5, 9]


def test_spatial_and_products() -> None:
    m = spatial_moments(np.arange(4.0).reshape(1, 2, 2, 1), (1, 2))
    assert (m.y.item(), m.Q.item(), m.n, m.y.shape) == (6, 14, 4, (1, 1, 1, 1))
    assert product_moments(np.array([[1.0], [2]]), np.array([[3.0], [-4]])).y.tolist() == [-5]


def test_subnormal_operands_are_counted_once() -> None:
    x, w = np.array([[TINY, 2, TINY]]), np.array([[5.0], [TINY], [TINY]])
    assert np.isclose(matmul_moments(ENGINE, x, w).S.item(), 7 * TINY, rtol=1e-12)
    assert np.all(matmul_moments(ENGINE, x[:, :0], w[:0]).S == 0)
    assert window_moments(ENGINE, x.reshape(1, 3, 1), window((3,), (3,), (1,))).S.item() == 2 * TINY


def test_only_what_is_needed() -> None:
    """Short sums always have A: their worst case may be the smaller bound."""
    rng = np.random.default_rng(0)
    for n, without in ((LONG - 1, False), (LONG, True)):
        x, w = rng.standard_normal((1, n)), rng.standard_normal((n, 1))
        assert (matmul_moments(ENGINE, x, w, Need.PROBABLE).A is None) is without
        assert matmul_moments(ENGINE, x, w, Need.WORST).A is not None
        values = matmul_moments(ENGINE, x, w, Need.VALUES)
        assert (values.Q, values.A) == (None, None)


def test_a_grid_is_found_where_there_is_one() -> None:
    whole = matmul_moments(ENGINE, np.array([[1.0, 2]]), np.array([[0.5], [4]]))
    assert whole.grid == 0.5
    assert matmul_moments(ENGINE, np.array([[0.1, 0.7]]), np.array([[0.3], [0.9]])).grid == 0
