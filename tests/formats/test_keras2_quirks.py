"""What files of Keras 2.0 to 2.2 mean, worked by hand: Theano's kernels, and Flatten before and after 2.2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.crafted import called, functional, layer, write_h5

import refconv
from refconv.formats import load


def output(folder: Path, layers: list[Any], weights: Any, x: Any, **written: str) -> list[Any]:
    """What a bare list of layers, as Keras 2.0 saved a Sequential model, makes of x."""
    path = write_h5(folder / "m.h5", {"class_name": "Sequential", "config": layers}, weights, **written)
    found: list[Any] = refconv.run(load(path), np.float32(x)).output.mid.tolist()
    return found


CHW = [[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]]  # (1, 2 channels, 2, 2)


@pytest.mark.parametrize(
    ("version", "fields", "wanted"),
    [
        ("2.0.4", {}, [1, 2, 3, 4, 5, 6, 7, 8]),  # as it lies: channel after channel
        ("2.1.6", {}, [1, 2, 3, 4, 5, 6, 7, 8]),
        ("2.2.0", {"data_format": "channels_first"}, [1, 5, 2, 6, 3, 7, 4, 8]),  # channels last first
        ("2.1.6-tf", {"data_format": "channels_first"}, [1, 5, 2, 6, 3, 7, 4, 8]),  # tf.keras had the field before
        ("2.2.0", {"data_format": "channels_last"}, [1, 2, 3, 4, 5, 6, 7, 8]),
    ],
)
def test_flatten_of_channels_first(tmp_path: Path, version: str, fields: dict[str, str], wanted: list[int]) -> None:
    """The field tells the meaning: before Keras 2.2 there was none, and channels stayed first."""
    flat = layer("Flatten", "f", batch_input_shape=[None, 2, 2, 2], **fields)
    assert output(tmp_path, [flat], {}, CHW, version=version) == [wanted]


KERNEL = np.float32([[1, 2, 3], [4, 5, 6]])


def convolution(kind: str, **fields: Any) -> dict[str, Any]:
    common = {"filters": 1, "padding": "valid", "activation": "linear", "use_bias": False, "dilation_rate": [1, 1]}
    return layer(kind, "c", **{**common, **fields})


@pytest.mark.parametrize(("backend", "wanted"), [("tensorflow", 123456.0), ("theano", 654321.0), ("", 123456.0)])
def test_a_convolution(tmp_path: Path, backend: str, wanted: float) -> None:
    """Theano turns the kernel when it runs, so its files hold it turned: 6 meets the first pixel."""
    raw = convolution("Conv2D", kernel_size=[2, 3], strides=[1, 1], batch_input_shape=[None, 2, 3, 1])
    weights = {"c": {"c/kernel": KERNEL.reshape(2, 3, 1, 1)}}
    x = np.reshape([100000, 10000, 1000, 100, 10, 1], (1, 2, 3, 1))
    found = output(tmp_path, [raw], weights, x, version="2.0.4", backend=backend)
    assert found == [[[[wanted]]]]


@pytest.mark.parametrize(("backend", "wanted"), [("tensorflow", [1, 2, 3, 4, 5, 6]), ("theano", [6, 5, 4, 3, 2, 1])])
def test_a_transposed_convolution(tmp_path: Path, backend: str, wanted: list[int]) -> None:
    """One pixel of 1 shows the kernel."""
    raw = convolution("Conv2DTranspose", kernel_size=[2, 3], strides=[1, 1], batch_input_shape=[None, 1, 1, 1])
    weights = {"c": {"c/kernel": KERNEL.reshape(2, 3, 1, 1)}}
    found = output(tmp_path, [raw], weights, np.ones((1, 1, 1, 1)), version="2.1.0", backend=backend)
    assert np.ravel(found).tolist() == wanted


def test_other_kernels_of_theano_stand_as_they_are(tmp_path: Path) -> None:
    raw = layer("Dense", "d", units=1, use_bias=False, activation="linear", batch_input_shape=[None, 2])
    found = output(tmp_path, [raw], {"d": {"d/kernel": np.float32([[1], [10]])}}, [[3, 4]], backend="theano")
    assert found == [[43]]


@pytest.mark.parametrize(("mode", "wanted"), [("sum", 11), ("mul", 24), ("ave", 5.5), ("max", 8)])
def test_the_first_keras_2_still_had_merge(tmp_path: Path, mode: str, wanted: float) -> None:
    inputs = [{**layer("InputLayer", name, batch_input_shape=[None, 1]), "name": name, "inbound_nodes": []}
              for name in "ab"]  # fmt: skip
    merge = called(layer("Merge", "m", mode=mode, concat_axis=-1), [["a", 0, 0, {}], ["b", 0, 0, {}]])
    config = functional([*inputs, merge], [["a", 0, 0], ["b", 0, 0]], [["m", 0, 0]])
    graph = load(write_h5(tmp_path / "m.h5", config, {}, version="2.0.2"))
    assert refconv.run(graph, [np.float32([[3]]), np.float32([[8]])]).output.mid.item() == wanted


def test_a_gru_without_the_field_resets_before_the_product(tmp_path: Path) -> None:
    """Keras 2.0 had no `reset_after`; its GRU is the one that later ones call reset_after=False."""
    raw = layer("GRU", "g", units=1, recurrent_activation="hard_sigmoid", batch_input_shape=[None, 2, 1])
    weights = {"g": {"g/kernel": np.ones((1, 3)), "g/recurrent_kernel": np.ones((1, 3)), "g/bias": np.zeros(3)}}
    path = write_h5(tmp_path / "m.h5", {"class_name": "Sequential", "config": [raw]}, weights, version="2.0.4")
    node = load(path).nodes[1]
    assert node.reason == "" and node.attrs.reset_after is False
    assert node.attrs.recurrent_activation.name == "hard_sigmoid_keras2"
