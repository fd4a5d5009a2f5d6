"""ZeroPadding2D and Cropping2D by hand, and every way to write their margins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.one import run

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import build
from refconv.ops.table import TABLE

X = np.arange(1.0, 7).reshape(1, 2, 3, 1)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (2, ((2, 2), (2, 2))),
        ([1, 3], ((1, 1), (3, 3))),
        ([[1, 2], [3, 4]], ((1, 2), (3, 4))),
        ([0, [5, 0]], ((0, 0), (5, 0))),
    ],
)
def test_margins(written: Any, meant: Any) -> None:
    assert build(TABLE["ZeroPadding2D"].attributes, {"padding": written}, "x").padding == meant
    assert build(TABLE["Cropping2D"].attributes, {"cropping": written}, "x").cropping == meant


@pytest.mark.parametrize("written", [-1, [1, 2, 3], [[1, 2, 3], [4, 5, 6]], "1", [1.5, 2], [[1, -2], [0, 0]]])
def test_margins_that_are_none(written: Any) -> None:
    with pytest.raises(UnreadableModel, match="padding = "):
        build(TABLE["ZeroPadding2D"].attributes, {"padding": written}, "x")


def test_padding_by_hand() -> None:
    found = run("ZeroPadding2D", {"padding": [[1, 0], [0, 2]]}, X)
    assert found.mid[0, ..., 0].tolist() == [[0, 0, 0, 0, 0], [1, 2, 3, 0, 0], [4, 5, 6, 0, 0]]
    assert found.exact


def test_cropping_by_hand() -> None:
    assert run("Cropping2D", {"cropping": [[1, 0], [0, 2]]}, X).mid.ravel().tolist() == [4]
    assert run("Cropping2D", {}, X).mid.tolist() == X.tolist()


def test_channels_first() -> None:
    first = X.transpose(0, 3, 1, 2)
    padded = run("ZeroPadding2D", {"padding": [[1, 0], [0, 2]], "data_format": "channels_first"}, first)
    assert padded.mid.shape == (1, 1, 3, 5)
    cropped = run("Cropping2D", {"cropping": [[1, 0], [0, 2]], "data_format": "channels_first"}, first)
    assert cropped.mid.ravel().tolist() == [4]


def test_radii_move_along() -> None:
    inexact = Enclosure(X, X / 10, X, 0.5)
    padded = run("ZeroPadding2D", {"padding": [[0, 0], [1, 0]]}, inexact)
    assert padded.sigma[0, ..., 0].tolist() == [[0, 0.1, 0.2, 0.3], [0, 0.4, 0.5, 0.6]]
    assert run("Cropping2D", {"cropping": [[1, 0], [2, 0]]}, inexact).worst.ravel().tolist() == [6]


def test_integers_stay_integers() -> None:
    assert run("ZeroPadding2D", {}, X.astype(np.int32)).mid.dtype == np.int32


@pytest.mark.parametrize("margins", [[[1, 1], [0, 0]], [[0, 0], [3, 0]]])
def test_cropping_everything(margins: Any) -> None:
    with pytest.raises(UnreadableModel, match="leaves nothing of an axis of length"):
        run("Cropping2D", {"cropping": margins}, X)
