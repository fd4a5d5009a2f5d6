"""Which elements of an output were observed."""

from __future__ import annotations

import numpy as np
import pytest

from refconv.errors import BadInput
from refconv.inputs.observed import Observed
from refconv.inputs.place import Place, element, indices, put

LAST, FIRST = (2, 5, 6, 3), (2, 3, 5, 6)


def seen(*shape: int) -> Observed:
    return Observed(np.arange(np.prod(shape), dtype=np.float64).reshape(shape), 0.0, "y.npy")


@pytest.mark.parametrize(
    ("place", "lengths"),
    [
        (Place(), (2, 5, 6, 3)),
        (Place("1,2"), (2, 1, 1, 3)),
        (Place("1,2,0"), (2, 1, 1, 1)),
        (Place("0:3,2:"), (2, 3, 4, 3)),
        (Place("-1,:2,-3:-1"), (2, 1, 2, 2)),
        (Place(channel=2), (2, 5, 6, 1)),
        (Place("0:2,0", channel=1, sample=1), (1, 2, 1, 1)),
    ],
)
def test_indices(place: Place, lengths: tuple[int, ...]) -> None:
    assert tuple(len(i) for i in indices(place, LAST, -1)) == lengths


def test_position_comes_first_in_both_layouts() -> None:
    at = indices(Place("4,5,2", sample=1), FIRST, 1)
    assert [i.tolist() for i in at] == [[1], [2], [4], [5]]
    assert element(Place("4,5,2", sample=1), LAST, -1) == (1, 4, 5, 2)
    assert element(Place("7"), (2, 10), -1) == (0, 7)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (Place("1"), "1 axes"),
        (Place("1,2,3,4"), "4 axes"),
        (Place("5,0"), "outside"),
        (Place("0,-7"), "outside"),
        (Place("0,0:9"), "outside"),
        (Place("a,0"), "no number and no slice"),
        (Place("2:2,0"), "empty"),
        (Place("0,0,0", channel=1), "names a channel too"),
        (Place(channel=3), "outside"),
        (Place(sample=2), "outside"),
    ],
)
def test_no_place(place: Place, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        indices(place, LAST, -1)


@pytest.mark.parametrize("at", ["1,2", "0:2,0,0", ""])
def test_several_elements_are_not_one(at: str) -> None:
    with pytest.raises(BadInput, match="not one element"):
        element(Place(at), LAST, -1)


@pytest.mark.parametrize("shape", [(2, 5, 6, 3), (180,), (2, 90)])
def test_a_whole_output_may_come_without_axes(shape: tuple[int, ...]) -> None:
    found, at = put(seen(*shape), Place(), LAST, -1)
    assert at is None and found.shape == LAST


def test_rows_that_are_no_samples_are_refused() -> None:
    with pytest.raises(BadInput):
        put(seen(10, 18), Place(), LAST, -1)


def test_a_single_sample_may_come_without_the_batch() -> None:
    assert put(seen(5, 6, 3), Place(), (1, 5, 6, 3), -1)[0].shape == (1, 5, 6, 3)
    with pytest.raises(BadInput, match="--sample"):
        put(seen(5, 6, 3), Place(), LAST, -1)
    found, at = put(seen(5, 6, 3), Place(sample=1), LAST, -1)
    assert found.shape == (1, 5, 6, 3) and at is not None and at[0].tolist() == [1]


def test_another_shape_may_be_what_is_wrong() -> None:
    assert put(seen(2, 4, 5, 3), Place(), LAST, -1)[0].shape == (2, 4, 5, 3)


@pytest.mark.parametrize(
    ("given", "place"),
    [((3,), Place("1,2", sample=0)), ((1, 3), Place("1,2", sample=0)), ((1,), Place("0,0,0", None, 0))],
)
def test_a_part(given: tuple[int, ...], place: Place) -> None:
    found, at = put(seen(*given), place, LAST, -1)
    assert at is not None and found.shape == tuple(len(i) for i in at)


@pytest.mark.parametrize(
    ("given", "place", "said"),
    [
        ((4,), Place("1,2", sample=0), "the place that was named"),
        ((1,), Place(), "--at"),
        ((3,), Place(), "--at, --channel"),
    ],
)
def test_does_not_fit(given: tuple[int, ...], place: Place, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        put(seen(*given), place, LAST, -1)
