"""Weights alone, beside an architecture as `model.to_json()` gives it: read as Keras reads them, or refused by name."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from support.crafted import KERNEL, ONE_DENSE, WEIGHTS, dense, layer, sequential, source, write_h5
from support.framework import framework
from support.same import assert_same
from support.saved import MAKERS, randomize

import refconv
from refconv.errors import UnreadableModel
from refconv.formats import load
from refconv.formats.siblings import candidates
from refconv.formats.writer import ENDINGS
from refconv.frameworks.worker.loading import load_model

PACKAGES = {2: "tf_keras", 3: "keras"}
# Endings of weights alone: the older layout, which Keras 3 reads and no longer writes, and the newer one.
NAMES = {2: ("m_weights.h5", "m.weights.h5"), 3: ("m.weights.h5",)}


@pytest.mark.parametrize(("major", "name"), [(major, name) for major, names in NAMES.items() for name in names])
@pytest.mark.parametrize("maker", ["nested_in_nested", "every_kind_of_weight", "sequential"])
def test_both_files_say_what_the_whole_model_says(tmp_path: Path, maker: str, major: int, name: str) -> None:
    """By refconv, and by Keras itself: also where the name does not tell the layout."""
    keras = import_module(PACKAGES[major])
    model = MAKERS[maker](keras)
    randomize(model)
    model.save(tmp_path / f"whole{ENDINGS[major]}")
    model.save_weights(tmp_path / name)
    (tmp_path / "m.json").write_text(model.to_json())
    graph = load(tmp_path / name, tmp_path / "m.json")
    assert graph.keras == major
    assert_same(load(tmp_path / f"whole{ENDINGS[major]}"), graph)
    assert any(f"the architecture is from {tmp_path / 'm.json'} (sha256 " in note for note in graph.notes)
    misnamed = (tmp_path / name).rename(tmp_path / "weights.bin")
    loaded = load_model(framework(keras), str(misnamed), architecture=str(tmp_path / "m.json"))
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_check_runs_the_framework_on_both_files(tmp_path: Path) -> None:
    path, architecture = write_weights(tmp_path), write_json(tmp_path / "dense.json")
    result = refconv.check(path, architecture=str(architecture))
    assert result.verdict == "pass" and [layer.name for layer in result.layers] == ["dense"]
    assert refconv.weights(path, architecture)["dense"].kernel.stored.tolist() == KERNEL.tolist()


def test_code_in_an_architecture_is_refused_before_a_framework_starts(tmp_path: Path) -> None:
    architecture = write_json(
        tmp_path / "m.json", sequential(source(), dense(), layer("Lambda", "code", function=["x"]))
    )
    with pytest.raises(UnreadableModel, match="layer code: a Lambda layer holds code"):
        refconv.check(write_weights(tmp_path), architecture=str(architecture))


def write_weights(folder: Path, name: str = "dense_weights.h5", **attributes: str) -> Path:
    """The older layout: what stands below model_weights elsewhere stands at the root."""
    with h5py.File(folder / name, "w") as file:
        file.attrs["layer_names"] = np.array([layer.encode() for layer in WEIGHTS])
        file.attrs.update(attributes)
        for layer, arrays in WEIGHTS.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.array([item.encode() for item in arrays])
            for item, array in arrays.items():
                group[item] = array
    return folder / name


def write_json(path: Path, config: Any = ONE_DENSE, version: str = "2.4.0", **more: Any) -> Path:
    path.write_text(json.dumps({**config, **({"keras_version": version} if version else {}), **more}))
    return path


def test_an_architecture_that_is_missing_is_asked_for_and_what_lies_beside_is_named(tmp_path: Path) -> None:
    path = write_weights(tmp_path)
    with pytest.raises(UnreadableModel, match=r"weights-only .*its architecture is wanted too: --architecture") as none:
        load(path)
    assert "beside" not in str(none.value)
    for name in ("zebra.json", "dense.json", "dense_w.JSON", "another.json", "dense.txt"):
        (tmp_path / name).write_text("not even opened")
    assert candidates(path) == ["dense_w.JSON", "dense.json", "another.json"]
    with pytest.raises(UnreadableModel, match=r"beside it lies dense_w.JSON or dense.json or another.json"):
        load(path)


def test_the_newer_layout_is_asked_for_its_architecture_too(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.weights.h5", "w") as file:
        file["layers/dense/vars/0"] = KERNEL
    with pytest.raises(UnreadableModel, match=r"a \.weights\.h5 file: .*--architecture"):
        load(tmp_path / "m.weights.h5")


def test_files_that_do_not_fit_together_are_both_named(tmp_path: Path) -> None:
    path = write_weights(tmp_path)
    wider = write_json(tmp_path / "wider.json", sequential(source(), dense(units=4)))
    with pytest.raises(UnreadableModel) as caught:
        load(path, wider)
    assert str(caught.value) == (
        f"{path} with {wider}: do not fit together: layer dense: kernel is stored with shape (4, 3), and the "
        "configuration wants (any, 4)"
    )
    with pytest.raises(UnreadableModel, match=r"do not fit together: .*'dense', and there is no such layer"):
        load(path, write_json(tmp_path / "two.json", sequential(source(), dense("a"), dense("b"))))


def test_a_model_that_holds_its_architecture_takes_no_other(tmp_path: Path) -> None:
    architecture = write_json(tmp_path / "m.json")
    for path in (write_h5(tmp_path / "whole.h5"), Path(refconv.__file__).parent / "samples" / "digits.keras"):
        with pytest.raises(UnreadableModel, match="holds its own architecture .leave out --architecture"):
            load(path, architecture)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b"{}", "this is no architecture: it names no class"),
        (b"[1]", "no JSON object"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "is not UTF-8"),
        (b'{"class_name": "Sequential", "class_name": "Model"}', "stands twice"),
        (b'{"class_name": "Mine", "config": {}}', "'Mine' is a subclassed model"),
    ],
)
def test_a_file_that_is_no_architecture_is_named(tmp_path: Path, text: bytes, what: str) -> None:
    (tmp_path / "m.json").write_bytes(text)
    with pytest.raises(UnreadableModel, match=what):
        load(write_weights(tmp_path), tmp_path / "m.json")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableModel, match=r"none\.json: cannot be read: No such file"):
        load(write_weights(tmp_path), tmp_path / "none.json")


def test_an_architecture_alone_is_told_where_it_belongs(tmp_path: Path) -> None:
    with pytest.raises(UnreadableModel, match="a JSON text: .*which belongs to --architecture"):
        load(write_json(tmp_path / "m.json"))


def test_who_wrote_the_kernels_stands_beside_the_weights(tmp_path: Path) -> None:
    path = write_weights(tmp_path, backend="theano", keras_version="2.0.4")
    graph = load(path, write_json(tmp_path / "m.json", backend="tensorflow"))
    assert (graph.backend, graph.keras_version, graph.format) == ("theano", "2.4.0", "hdf5")


def test_an_architecture_of_keras_1(tmp_path: Path) -> None:
    """Without a version it is known by its spelling."""
    config = {"class_name": "Sequential", "config": [
        {"class_name": "Dense", "config": {"name": "dense", "output_dim": 3, "batch_input_shape": [None, 4],
                                           "W_regularizer": None, "activation": "linear"}}]}  # fmt: skip
    graph = load(write_weights(tmp_path), write_json(tmp_path / "m.json", config, version=""))
    assert graph.dialect == "keras1"
    assert refconv.run(graph, np.ones((1, 4), np.float32)).output.mid.tolist() == [[19, 24, 29]]
