"""The oracle's loops against their definitions: on integers, exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import slow

from refconv.primitives import numpy_engine
from refconv.primitives.geometry import Window, transposed_lengths, window
from refconv.primitives.numpy_engine import ENGINE, windows
from refconv.primitives.sums import scatter

PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def images(draw: st.DrawFn) -> tuple[np.ndarray, Window, np.random.Generator]:
    """Small integers (N, H, W, C), a window over them, and where more integers come from."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    spatial = draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    shape = (draw(st.integers(1, 2)), *spatial, draw(st.integers(1, 3)))
    w = window(spatial, draw(PAIRS), draw(PAIRS), draw(PAIRS), draw(st.sampled_from(["same", "valid"])))
    return rng.integers(-9, 10, shape).astype(np.float64), w, rng


@given(images(), st.integers(1, 3), st.integers(1, 2))
def test_correlate_is_its_definition(
    image: tuple[np.ndarray, Window, np.random.Generator], groups: int, filters: int
) -> None:
    x, w, rng = image
    x = np.concatenate([x] * groups, axis=-1)
    kernel = rng.integers(-9, 10, (*w.size, x.shape[-1] // groups, groups * filters)).astype(np.float64)
    assert np.array_equal(ENGINE.correlate(x, kernel, w, groups), slow.correlate(x, kernel, w, groups))


@given(images(), st.integers(1, 3))
def test_depthwise_is_a_convolution_in_as_many_groups(
    image: tuple[np.ndarray, Window, np.random.Generator], multiplier: int
) -> None:
    x, w, rng = image
    channels = x.shape[-1]
    kernel = rng.integers(-9, 10, (*w.size, 1, channels * multiplier)).astype(np.float64)
    assert np.array_equal(ENGINE.correlate(x, kernel, w, channels), slow.correlate(x, kernel, w, channels))


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, kernel = rng.integers(-9, 10, (2, 9, 8, 3)), rng.integers(-9, 10, (3, 3, 3, 4))
    w = window((9, 8), (3, 3), (1, 1), padding="same")
    whole = ENGINE.correlate(x.astype(float), kernel.astype(float), w)
    monkeypatch.setattr(numpy_engine, "CHUNK", 2 * 8 * 3 * 3 * 3)  # two rows of windows at a time
    assert np.array_equal(ENGINE.correlate(x.astype(float), kernel.astype(float), w), whole)
    assert np.array_equal(whole, slow.correlate(x, kernel, w))


def test_other_ranks() -> None:
    """1-D by hand, causal; 3-D: the sum of a block of ones."""
    line = np.array([1.0, 2, 3, 4]).reshape(1, 4, 1)
    causal = window((4,), (2,), (1,), (2,), "causal")
    assert ENGINE.correlate(line, np.array([10.0, 1]).reshape(2, 1, 1), causal).ravel().tolist() == [1, 2, 13, 24]
    block = window((3, 3, 3), (2, 2, 2), (1, 1, 1), padding="same")
    found = ENGINE.correlate(np.ones((1, 3, 3, 3, 1)), np.ones((2, 2, 2, 1, 1)), block)
    assert found[0, 0, 0, 0, 0] == 8
    assert found[0, 2, 2, 2, 0] == 1


@given(images())
def test_windows_are_what_the_pooling_sees(image: tuple[np.ndarray, Window, np.random.Generator]) -> None:
    x, w, _ = image
    sums, largest = ENGINE.window_sum(x, w), ENGINE.window_max(x, w)
    ones = np.ones((*w.size, 1, x.shape[-1]))
    assert np.array_equal(sums, slow.correlate(x, ones, w, x.shape[-1]))
    for n, i, j, c in np.ndindex(*largest.shape):
        rows = i * w.strides[0] - w.pads[0][0] + w.dilation[0] * np.arange(w.size[0])
        columns = j * w.strides[1] - w.pads[1][0] + w.dilation[1] * np.arange(w.size[1])
        seen = [x[n, r, k, c] for r in rows for k in columns if 0 <= r < x.shape[1] and 0 <= k < x.shape[2]]
        assert largest[n, i, j, c] == max(seen, default=-np.inf)


@given(images(), st.integers(1, 2))
def test_scatter_is_its_definition(image: tuple[np.ndarray, Window, np.random.Generator], filters: int) -> None:
    x, given_window, rng = image
    size, strides, dilation = given_window.size, given_window.strides, given_window.dilation
    lengths = transposed_lengths(x.shape[1:3], size, strides, dilation, "same", None)
    w = window(lengths, size, strides, dilation, "same")
    kernel = rng.integers(-9, 10, (*size, filters, x.shape[-1])).astype(np.float64)
    assert np.array_equal(scatter(ENGINE, x, kernel, w, lengths), slow.transposed(x, kernel, w, lengths))


@given(images(), st.integers(1, 2))
def test_scatter_is_the_gradient(image: tuple[np.ndarray, Window, np.random.Generator], filters: int) -> None:
    """⟨correlate(x), g⟩ = ⟨x, scatter(g)⟩ for every x and g."""
    x, w, rng = image
    kernel = rng.integers(-9, 10, (*w.size, x.shape[-1], filters)).astype(np.float64)
    g = rng.integers(-9, 10, (x.shape[0], *w.out, filters)).astype(np.float64)
    forward = ENGINE.correlate(x, kernel, w)
    assert np.vdot(forward, g) == np.vdot(x, scatter(ENGINE, g, kernel, w, x.shape[1:3]))


def test_matmul() -> None:
    assert ENGINE.matmul(np.array([[1.0, 2]]), np.array([[3.0], [4]])).tolist() == [[11]]


def test_padding_never_wins_and_nan_does() -> None:
    x = np.full((1, 2, 2, 2), -5.0)
    x[0, 0, 0, 1] = np.nan
    found = ENGINE.window_max(x, window((2, 2), (3, 3), (1, 1), padding="same"))
    assert np.all(found[..., 0] == -5)
    assert np.all(np.isnan(found[..., 1]))


def test_views_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        windows(np.zeros((1, 3, 1)), window((3,), (2,), (1,)))[:] = 1
