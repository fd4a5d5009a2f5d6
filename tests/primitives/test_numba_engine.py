"""The compiled engine computes what the NumPy one does: values within float64's own bound, integers exactly."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refconv.numerics.formats import FLOAT64, gamma
from refconv.primitives import numba_dense, numba_engine, threads
from refconv.primitives.engine import Sums
from refconv.primitives.geometry import Window, window
from refconv.primitives.numba_engine import ENGINE as FAST
from refconv.primitives.numba_registers import LINE, LINES, PAIRED
from refconv.primitives.numpy_engine import ENGINE as ORACLE
from refconv.primitives.threads import Threads

Where = tuple[tuple[int, ...], Window]
Fill = tuple[str, type, int]
ROWS = [(1,), (3,), (16,), (17,), (2, 3), (5, 4, 2), (0,)]
AROUND = [8, 9, LINE, LINE + 1, PAIRED * LINE, LINES * LINE - 1, LINES * LINE + PAIRED * LINE + LINE + 3]
LOOSE = 1e-3  # how far q may be rounded up

run = settings(deadline=None, max_examples=60)
pytestmark = pytest.mark.filterwarnings("ignore:invalid value|overflow:RuntimeWarning")  # NumPy's, of inf − inf


@st.composite
def axes(draw: st.DrawFn) -> tuple[int, int, int, int, tuple[int, int], int]:
    """(length, size, stride, dilation, pads, out) of one axis; pads need not be equal nor smaller than the kernel."""
    length, size = draw(st.integers(1, 17)), draw(st.integers(1, 5))
    stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    pads = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    out = max((length + sum(pads) - (size - 1) * dilation - 1) // stride + 1, 0)
    return length, size, stride, dilation, pads, out


@st.composite
def windows(draw: st.DrawFn, ranks: tuple[int, int] = (1, 3)) -> Where:
    """(spatial shape, window)."""
    drawn = draw(st.lists(axes(), min_size=ranks[0], max_size=ranks[1]))
    if len(drawn) == 3:
        drawn[0] = (min(drawn[0][0], 4), 1, 1, 1, (0, 0), min(drawn[0][0], 4)) if draw(st.booleans()) else drawn[0]
    lengths, *rest = zip(*drawn, strict=True)
    return lengths, Window(*rest)


FILLS = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "integers": lambda rng, shape: rng.integers(-9, 10, shape).astype(float),
    "sparse": lambda rng, shape: rng.standard_normal(shape) * (rng.random(shape) < 0.1),
    "far apart": lambda rng, shape: rng.standard_normal(shape) * 10.0 ** rng.integers(-30, 20, shape),
    "tiny": lambda rng, shape: rng.standard_normal(shape) * 1e-39,
    "special": lambda rng, shape: np.where(rng.random(shape) < 0.05, rng.choice([np.nan, np.inf, -np.inf]), 1.5),
}
fills = st.tuples(st.sampled_from(list(FILLS)), st.sampled_from([np.float32, np.float64]), st.integers(0, 2**31))


def filled(fill: Fill, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    name, dtype, seed = fill
    rng = np.random.default_rng(seed)
    return [FILLS[name](rng, shape).astype(dtype) for shape in shapes]


def same(fast: np.ndarray | None, oracle: np.ndarray | None, radius: np.ndarray | float) -> bool:
    """Equal where the oracle is not finite, elsewhere within the radius."""
    if fast is None or oracle is None:
        return fast is oracle
    assert (fast.shape, fast.dtype) == (oracle.shape, np.float64)
    finite = np.isfinite(oracle)
    with np.errstate(invalid="ignore"):
        near = np.abs(fast - oracle) <= radius
    return bool(np.all(np.where(finite, near, (fast == oracle) | np.isnan(fast) & np.isnan(oracle))))


def agree(fast: Sums, oracle: Sums, n: int, *, integers: bool, rounded: bool = True) -> bool:
    """y and a within γ_n·Σ|t| of both engines (integers exactly), q never below and at most a thousandth above."""
    assert oracle.q is not None and oracle.a is not None and fast.q is not None
    with np.errstate(invalid="ignore", over="ignore"):
        own = 0.0 if integers else 2 * gamma(n + 1, FLOAT64.u) * np.nan_to_num(oracle.a, posinf=np.inf) + 5e-324
        q = np.nan_to_num(oracle.q, posinf=np.inf)
        low = fast.q >= q * (1 - 4 * (n + 2) * FLOAT64.u)
    finite = np.isfinite(oracle.q)
    enough = bool(np.all(low[finite])) and same(fast.q, oracle.q, LOOSE * q)
    return same(fast.y, oracle.y, own) and same(fast.a, oracle.a, own) and enough


def same_without_worst(fast: Sums, whole: Sums) -> bool:
    """y and q are those that come with a, and a is not made."""
    return fast.a is None and same(fast.y, whole.y, 0.0) and same(fast.q, whole.q, 0.0)


def judged(fast: Sums, oracle: Sums, n: int, fill: Fill) -> bool:
    return agree(fast, oracle, n, integers=fill[0] == "integers")


@run
@given(windows(), fills, st.sampled_from([(1, 1), (2, 3), (3, 5), (9, 33), (20, 70)]), st.integers(0, 3))
def test_dense(where: Where, fill: Fill, size: tuple[int, int], n: int) -> None:
    (lengths, w), (c, f) = where, size
    x, kernel = filled(fill, (n, *lengths, c), (*w.size, c, f))
    assert judged(FAST.correlate_sums(x, kernel, w), ORACLE.correlate_sums(x, kernel, w), c * np.prod(w.size), fill)
    assert same(FAST.correlate(x, kernel, w), FAST.correlate_sums(x, kernel, w).y, 0.0)


@run
@given(windows(), fills, st.sampled_from([(2, 1, 3), (3, 2, 2), (2, 9, 17)]))
def test_grouped(where: Where, fill: Fill, size: tuple[int, int, int]) -> None:
    (lengths, w), (groups, c, f) = where, size
    x, kernel = filled(fill, (2, *lengths, groups * c), (*w.size, c, groups * f))
    fast, oracle = (engine.correlate_sums(x, kernel, w, groups) for engine in (FAST, ORACLE))
    assert judged(fast, oracle, c * np.prod(w.size), fill)


@run
@given(windows(), fills, st.sampled_from([2, 7, *AROUND]), st.integers(1, 3), st.integers(0, 2))
def test_depthwise(where: Where, fill: Fill, c: int, multiplier: int, n: int) -> None:
    lengths, w = where
    x, kernel = filled(fill, (n, *lengths, c), (*w.size, 1, c * multiplier))
    fast, oracle = (engine.correlate_sums(x, kernel, w, c) for engine in (FAST, ORACLE))
    assert judged(fast, oracle, int(np.prod(w.size)), fill)
    assert same_without_worst(FAST.correlate_sums(x, kernel, w, c, worst=False), fast)
    assert same(FAST.correlate(x, kernel, w, c), oracle.y, 2 * gamma(100, FLOAT64.u) * np.nan_to_num(oracle.a))


@run
@given(fills, st.sampled_from(ROWS), st.integers(0, 40), st.integers(0, 70))
def test_matmul(fill: Fill, rows: tuple[int, ...], c: int, f: int) -> None:
    x, kernel = filled(fill, (*rows, c), (c, f))
    fast, oracle = (engine.matmul_sums(x, kernel) for engine in (FAST, ORACLE))
    assert judged(fast, oracle, c, fill)
    assert same(FAST.matmul(x, kernel), oracle.y, 2 * gamma(c + 1, FLOAT64.u) * np.nan_to_num(oracle.a))


@run
@given(windows(), fills, st.sampled_from([1, 3, *AROUND]), st.integers(0, 2))
def test_windows(where: Where, fill: Fill, c: int, n: int) -> None:
    lengths, w = where
    (x,) = filled(fill, (n, *lengths, c))
    sums = FAST.window_sums(x, w)
    assert judged(sums, ORACLE.window_sums(x, w), int(np.prod(w.size)), fill)
    assert same_without_worst(FAST.window_sums(x, w, worst=False), sums)
    assert same(FAST.window_sum(x, w), sums.y, 0.0)
    assert same(FAST.window_max(x, w), ORACLE.window_max(x, w), 0.0)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("c", [LINE, 2 * LINES * LINE + PAIRED * LINE + 3])
def test_pairs_of_positions(stride: int, c: int) -> None:
    """Rows long enough for pairs, an even and an odd number of them, whose windows share many elements or few."""
    rng = np.random.default_rng(7)
    for length, size, dilation in [(20, 5, 1), (23, 5, 1), (24, 7, 1), (31, 7, 2), (20, 3, stride), (9, 9, 1)]:
        w = window((6, length), (2, size), (1, stride), (1, dilation), "same")
        x, kernel = rng.integers(-9, 10, (2, 6, length, c)), rng.integers(-9, 10, (2, size, 1, c))
        x, kernel = x.astype(np.float32), kernel.astype(np.float32)
        fast, oracle = (engine.correlate_sums(x, kernel, w, c) for engine in (FAST, ORACLE))
        assert agree(fast, oracle, 2 * size, integers=True)
        assert agree(FAST.window_sums(x, w), ORACLE.window_sums(x, w), 2 * size, integers=True)


@pytest.mark.parametrize("shape", [(1, 0, 5, 20), (1, 5, 0, 20), (0, 5, 5, 20), (1, 5, 5, 0)])
def test_nothing_to_see(shape: tuple[int, ...]) -> None:
    """No sample, no channel, or windows that see padding alone: −inf is the largest of nothing, 0 its sum."""
    w = Window((2, 2), (1, 1), (1, 1), ((1, 1), (2, 2)), (shape[1] + 1, shape[2] + 3))
    x = np.ones(shape, np.float32)
    assert same(FAST.window_max(x, w), ORACLE.window_max(x, w), 0.0)
    assert agree(FAST.window_sums(x, w), ORACLE.window_sums(x, w), 4, integers=True)
    kernel = np.ones((2, 2, 1, shape[-1]), np.float32)
    if shape[-1]:
        sums = (engine.correlate_sums(x, kernel, w, shape[-1]) for engine in (FAST, ORACLE))
        assert agree(*sums, 4, integers=True)


def test_a_kernel_that_is_not_finite_meets_padding() -> None:
    """Zero times infinity is NaN, wherever the zero comes from."""
    kernel = np.ones((3, 1, 20))
    kernel[0, 0, 4] = np.inf
    y = FAST.correlate(np.ones((1, 5, 20)), kernel, window((5,), (3,), (1,), padding="same"), 20)
    assert np.isnan(y[0, 0, 4]) and np.isinf(y[0, 1:, 4]).all() and np.isfinite(np.delete(y, 4, axis=-1)).all()


@run
@given(fills, st.sampled_from([(0,), (1,), (3, 5), (70000,), (300000,)]))
def test_extent(fill: Fill, shape: tuple[int, ...]) -> None:
    (x,) = filled(fill, shape)
    fast, oracle = FAST.extent(x), ORACLE.extent(x)
    assert np.isfinite(fast.most) == np.isfinite(oracle.most)
    assert not np.isfinite(oracle.most) or fast == oracle


def test_sums_longer_than_a_register_holds() -> None:
    """More terms than float32 adds up before it hands over: q is not lower, and the parts are all there."""
    rng = np.random.default_rng(1)
    x, kernel = rng.standard_normal((40, 5000)), rng.standard_normal((5000, 19))
    fast, oracle = FAST.matmul_sums(x, kernel), ORACLE.matmul_sums(x, kernel)
    assert agree(fast, oracle, 5000, integers=False)
    ones = FAST.matmul_sums(np.ones((40, 5000), np.float32), np.ones((5000, 19), np.float32))
    assert ones.q is not None and np.all(ones.y == 5000) and np.all(ones.q >= 5000) and np.all(ones.q < 5000.5)


@pytest.mark.parametrize("rows", [2, 6])
def test_operands_that_do_not_fit_are_refused_before_compiled_loops_read_past_them(rows: int) -> None:
    x, kernel, point = np.ones((2, 4)), np.ones((rows, 3)), Window((1, 1), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1))
    image, taps = x.reshape(2, 1, 1, 4), kernel.reshape(1, 1, rows, 3)
    for fast in (FAST.matmul, FAST.matmul_sums):
        with pytest.raises(ValueError, match=f"kernel of {rows} channels does not fit an input of 4"):
            fast(x, kernel)
    for fast in (FAST.correlate, FAST.correlate_sums):
        with pytest.raises(ValueError, match=f"kernel of {rows} channels does not fit an input of 4"):
            fast(image, taps, point)


def test_views_and_inputs_are_left_alone() -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((8, 9, 2)).T[:, ::2, ::-1]
    kernel = np.ascontiguousarray(rng.standard_normal((4, 8, 6)))[::2, :, ::-2]
    w = Window((2,), (2,), (1,), ((1, 0),), (2,))
    before = x.copy()
    assert agree(FAST.correlate_sums(x, kernel, w), ORACLE.correlate_sums(x, kernel, w), 16, integers=False)
    assert np.array_equal(x, before)


REDUCTIONS = {
    "dense": lambda engine, x, w: engine.correlate_sums(x, KERNEL, w),
    "depthwise": lambda engine, x, w: engine.correlate_sums(x, KERNEL[:, :, :1, :16], w, 16),
    "sum": lambda engine, x, w: engine.window_sums(x, w),
    "max": lambda engine, x, w: Sums(engine.window_max(x, w)),
}
KERNEL = np.random.default_rng(4).standard_normal((3, 3, 16, 40))


@pytest.mark.parametrize("name", REDUCTIONS)
def test_the_number_of_threads_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (threads, numba_dense):
        monkeypatch.setattr(module, "GRAIN", 1000)
    monkeypatch.setattr(threads, "WORTH", 8000)
    x = np.random.default_rng(3).standard_normal((1, 30, 30, 16))
    w = Window((3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)), (30, 30))
    results = []
    for count in (1, 2, 5):
        engine = numba_engine.NumbaEngine()
        monkeypatch.setattr(engine, "_threads", Threads(count))
        results.append(REDUCTIONS[name](engine, x, w))
    assert all(same(r.y, results[0].y, 0.0) and same(r.q, results[0].q, 0.0) for r in results)


def test_a_kernel_packed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    x, kernel = rng.standard_normal((1, 5, 5, 6)), rng.standard_normal((3, 3, 3, 150))
    w = Window((3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)), (5, 5))
    whole = FAST.correlate(x, kernel, w, 2)
    monkeypatch.setattr(numba_dense, "PACKED", 27 * 40)
    assert np.array_equal(FAST.correlate(x, kernel, w, 2), whole)


FAULTS = {
    "dilation": lambda w: replace(w, dilation=(1, 1)),
    "padding": lambda w: replace(w, pads=((1, 2), (1, 2))),
    "strides": lambda w: replace(w, strides=(2, 1)),
}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_noticed(name: str, reduction: str) -> None:
    """The property rejects an engine that takes one number of the window for another."""
    x = np.random.default_rng(4).standard_normal((1, 13, 13, 16))
    w = Window((3, 3), (2, 2), (2, 2), ((2, 1), (2, 1)), (5, 5))
    right, wrong = (REDUCTIONS[reduction](FAST, x, where) for where in (w, FAULTS[name](w)))
    oracle = REDUCTIONS[reduction](ORACLE, x, w)
    if reduction == "max":
        assert same(right.y, oracle.y, 0.0) and not same(wrong.y, oracle.y, 0.0)
    else:
        assert agree(right, oracle, 144, integers=False) and not agree(wrong, oracle, 144, integers=False)


def test_a_variance_rounded_down_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the factor that makes good float32's losses, q is too small somewhere."""
    rng = np.random.default_rng(5)
    x, kernel = rng.standard_normal((60, 300)), rng.standard_normal((300, 40))
    check = partial(agree, oracle=ORACLE.matmul_sums(x, kernel), n=300, integers=False)
    assert check(FAST.matmul_sums(x, kernel))
    monkeypatch.setattr(numba_engine, "UP", 1.0)
    assert not check(FAST.matmul_sums(x, kernel))
