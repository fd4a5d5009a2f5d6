"""Where windows lie: hand-worked SAME, VALID and causal cases, and the two ways to look through a window."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refconv.primitives.geometry import Window, inside, overlap, reached, transposed_lengths, window

SIZES = st.tuples(st.integers(1, 4), st.integers(1, 4))
STEPS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@pytest.mark.parametrize(
    ("length", "size", "stride", "dilation", "padding", "pads", "out"),
    [
        (5, 3, 1, 1, "same", (1, 1), 5),
        (5, 3, 2, 1, "same", (1, 1), 3),
        (6, 3, 2, 1, "same", (0, 1), 3),  # the odd zero comes after
        (4, 2, 1, 1, "same", (0, 1), 4),
        (5, 2, 2, 1, "same", (0, 1), 3),
        (7, 1, 3, 1, "same", (0, 0), 3),  # a stride larger than the window leaves nothing to pad
        (7, 3, 1, 2, "same", (2, 2), 7),
        (8, 3, 2, 2, "same", (1, 2), 4),
        (5, 3, 1, 1, "valid", (0, 0), 3),
        (6, 3, 2, 1, "valid", (0, 0), 2),
        (7, 3, 1, 3, "valid", (0, 0), 1),
        (2, 3, 1, 1, "valid", (0, 0), 0),  # TRAPS 6: a window larger than the input has no position
        (2, 5, 2, 2, "valid", (0, 0), 0),
        (5, 3, 1, 2, "causal", (4, 0), 5),
        (5, 2, 2, 1, "causal", (1, 0), 3),
    ],
)
def test_window_by_hand(
    length: int, size: int, stride: int, dilation: int, padding: str, pads: tuple[int, int], out: int
) -> None:
    found = window((length,), (size,), (stride,), (dilation,), padding)
    assert (found.pads[0], found.out[0]) == (pads, out)


@pytest.mark.parametrize(
    ("length", "size", "stride", "dilation", "padding", "extra", "out"),
    [
        (3, 3, 2, 1, "same", None, 6),
        (3, 3, 2, 1, "valid", None, 7),
        (3, 2, 3, 1, "valid", None, 9),  # the stride reaches beyond the kernel
        (3, 3, 2, 1, "same", 0, 5),
        (3, 3, 2, 1, "same", 1, 6),
        (3, 4, 2, 1, "same", 1, 5),
        (3, 4, 2, 1, "valid", 1, 9),
        (4, 3, 1, 2, "valid", None, 8),
    ],
)
def test_transposed_lengths_by_hand(
    length: int, size: int, stride: int, dilation: int, padding: str, extra: int | None, out: int
) -> None:
    given_extra = None if extra is None else (extra,)
    assert transposed_lengths((length,), (size,), (stride,), (dilation,), padding, given_extra) == (out,)


def test_inside_leaves_out_padding() -> None:
    corner = inside(window((4, 4), (3, 3), (1, 1), padding="same"), (4, 4), (0, 3))
    assert [s.tolist() for s in corner[0]] == [[0, 1], [2, 3]]
    assert [t.tolist() for t in corner[1]] == [[1, 2], [0, 1]]


@given(spatial=st.tuples(st.integers(1, 6), st.integers(1, 6)), size=SIZES, strides=STEPS, dilation=STEPS,
       padding=st.sampled_from(["same", "valid"]))  # fmt: skip
def test_inside_and_reached_are_one_relation(
    spatial: tuple[int, int],
    size: tuple[int, int],
    strides: tuple[int, int],
    dilation: tuple[int, int],
    padding: str,
) -> None:
    """Position p sees element s by tap k exactly if s is reached from p by k; `overlap` bounds the sharing."""
    w = window(spatial, size, strides, dilation, padding)
    seen = {(p, pair) for p in np.ndindex(*w.out) for pair in _pairs(*inside(w, spatial, p))}
    back = {(p, (s, k)) for s in np.ndindex(*spatial) for p, k in _pairs(*reached(w, s))}
    assert seen == back
    assert max((len(_pairs(*reached(w, s))) for s in np.ndindex(*spatial)), default=0) <= overlap(w)


def _pairs(sources: tuple[np.ndarray, ...], taps: tuple[np.ndarray, ...]) -> list[tuple]:
    return list(zip(_grid(sources), _grid(taps), strict=True))


def _grid(axes: tuple[np.ndarray, ...]) -> list[tuple[int, ...]]:
    return [tuple(int(a[i]) for a, i in zip(axes, at, strict=True)) for at in np.ndindex(*map(len, axes))]


@pytest.mark.parametrize(
    ("size", "stride", "dilation", "most"), [(3, 1, 1, 3), (3, 2, 1, 2), (4, 2, 1, 2), (3, 2, 2, 3), (2, 3, 1, 1)]
)
def test_overlap_by_hand(size: int, stride: int, dilation: int, most: int) -> None:
    assert overlap(Window((size,), (stride,), (dilation,), ((0, 0),), (9,))) == most
