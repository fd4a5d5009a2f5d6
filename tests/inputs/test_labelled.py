"""Samples, targets and weights by name, from files and from arrays."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from refconv.errors import BadInput
from refconv.graph import TensorSpec
from refconv.inputs.labelled import read_labelled

ONE = (TensorSpec("image", (None, 2, 2, 1)),)
TWO = (TensorSpec("a", (None, 2)), TensorSpec("b", (None, 3)))
X, Y = np.arange(12.0).reshape(3, 2, 2, 1), np.eye(3)


def test_an_npz_of_one_input_and_one_output(tmp_path: Path) -> None:
    np.savez(path := tmp_path / "d.npz", x=X, y=Y, sample_weight=[1, 2, 3])
    found = read_labelled(path, ONE, ["out"], 2)
    assert found.inputs["image"].shape == (2, 2, 2, 1)
    assert found.targets[0] is not None and found.targets[0].shape == (2, 3)
    assert found.weights[0] is not None and found.weights[0].tolist() == [1, 2]


@pytest.mark.parametrize("separator", ["/", ":", "_", "."])
def test_several_by_name(separator: str) -> None:
    data = {f"x{separator}a": np.zeros((4, 2)), f"x{separator}b": np.zeros((4, 3)), f"y{separator}two": np.ones(4)}
    found = read_labelled(data, TWO, ["one", "two"], None)
    assert set(found.inputs) == {"a", "b"}
    assert found.targets[0] is None and found.targets[1] is not None


def test_the_last_column_of_a_table_is_the_label(tmp_path: Path) -> None:
    text = "p0,p1,p2,p3,label\n0,1,2,3,7\n4,5,6,7,1\n"
    (path := tmp_path / "rows.csv.gz").write_bytes(gzip.compress(text.encode()))
    found = read_labelled(path, ONE, ["out"], None)
    assert found.inputs["image"][1, :, :, 0].tolist() == [[4, 5], [6, 7]]
    assert found.targets[0] is not None and found.targets[0].tolist() == [7, 1]
    with pytest.raises(BadInput, match="2 and one for the label"):
        read_labelled(path, TWO[:1], ["out"], None)


def test_class_weights_multiply_sample_weights() -> None:
    data = {"x": X, "y": Y[[2, 0, 1]], "class_weight": [1.0, 10.0, 100.0], "sample_weight": [1.0, 2.0, 3.0]}
    found = read_labelled({k: np.asarray(v) for k, v in data.items()}, ONE, ["out"], None)
    assert found.weights[0] is not None and found.weights[0].tolist() == [100, 2, 30]
    labels = read_labelled({"x": X, "y": np.array([1, 1, 0]), "class_weight": np.array([2, 5])}, ONE, ["out"], None)
    assert labels.weights[0] is not None and labels.weights[0].tolist() == [5, 5, 2]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"y": Y}, "holds no x"),
        ({"x": X}, "holds no y"),
        ({"x": X, "y": Y, "labels": Y}, "'labels'"),
        ({"x": X, "y": Y, "y/other": Y}, "y/ names nothing"),
        ({"x": X, "y": np.float32(1)}, "a single number"),
        ({"x": X, "y": Y, "class_weight": np.ones(2)}, "one number per class"),
        ({"x": X, "y": Y, "sample_weight": np.ones((3, 2))}, "one number per sample"),
    ],
)
def test_what_is_refused(data: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read_labelled(data, ONE, ["out"], None)


def test_files_that_are_none(tmp_path: Path) -> None:
    (bad := tmp_path / "bad.npz").write_bytes(b"nothing")
    np.save(single := tmp_path / "one.npy", X)
    for path, said in ((bad, "NumPy"), (single, "no kind that holds"), (tmp_path / "absent.npz", "No such file")):
        with pytest.raises(BadInput, match=said):
            read_labelled(path, ONE, ["out"], None)
