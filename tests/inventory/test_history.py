"""A weight over time, from arrays: norms, updates, bins that hold at all times; and what has no history."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from refconv.errors import BadInput
from refconv.formats.recording import END, START, Key, Writer
from refconv.inventory.history import course, history
from refconv.inventory.pictures import Chart, Heat
from refconv.pipeline.viewing import view

KEYS = [
    Key("conv", "kernel", (3, 2), "float32"),
    Key("conv", "bias", (2,), "float32"),
    Key("dense", "kernel", (4,), "float32"),
]


def recording(path: Path, *, times: int) -> Path:
    """The start and the ends of epochs, of two layers; the second is never trained."""
    writer = Writer(path, KEYS, model="m", framework="keras", architecture="")
    for number, epoch in enumerate((START, *range(times - 1))):
        values = [np.full(key.shape, number + 1.0, np.float32) for key in KEYS]
        writer.append(epoch, END, values, [True, True, False])
    writer.close()
    return path


def test_norms_updates_and_counts() -> None:
    times = [
        np.array([3.0, 4.0]),
        np.array([3.0, 4.0]),
        np.array([6.0, 8.0]),
        np.array([0.0, 0.0]),
        np.array([1.0, 0.0]),
    ]
    found = course(lambda: iter(times))
    assert found.norms.tolist() == [5, 5, 10, 0, 1]
    assert np.array_equal(found.updates, [np.nan, 0, 1, 1, np.nan], equal_nan=True)
    assert found.counts.shape == (48, 5) and np.all(found.counts.sum(axis=0) == 2)
    assert (found.edges[0], found.edges[-1]) == (0, 8)


def test_what_is_not_finite_is_in_no_bin() -> None:
    found = course(lambda: iter([np.array([np.nan, 1.0]), np.array([np.inf, 1.0])]))
    assert found.counts.sum(axis=0).tolist() == [1, 1]


def test_a_picture_per_layer(tmp_path: Path) -> None:
    path = recording(tmp_path / "run.h5", times=4)
    one, other = history(path)
    assert (one.layer, other.layer) == ("conv", "dense")
    assert [type(chart) for chart in one.charts] == [Chart, Chart, Heat, Heat]
    norm = one.charts[0]
    assert isinstance(norm, Chart) and norm.names == ("start", "0", "1", "2")
    assert norm.series[1].y.tolist() == pytest.approx([2**0.5 * n for n in (1, 2, 3, 4)])
    (only,) = history(path, ["d*"])
    assert only.layer == "dense"
    assert only.charts[2].label == "kernel (not trainable)"


def test_recordings_and_models_are_not_mistaken(tmp_path: Path) -> None:
    path = recording(tmp_path / "run.h5", times=1)
    with pytest.raises(BadInput, match="takes two"):
        list(history(path))
    path = recording(tmp_path / "two.h5", times=2)
    with pytest.raises(BadInput, match="no layer matches 'x'"):
        list(history(path, ["x"]))
    with pytest.raises(BadInput, match="which has no maps"):
        list(view(path, what=("maps",)))
    with pytest.raises(BadInput, match="shown alone"):
        list(view(path, compare=path))
