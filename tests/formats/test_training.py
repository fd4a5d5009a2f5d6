"""The compile arguments that files of either container hold."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import pytest

from refconv.errors import UnreadableModel
from refconv.formats.training import read_training


def hdf5(path: Path, text: str | None) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = "{}"
        if text is not None:
            file.attrs["training_config"] = text
    return path


def test_hdf5(tmp_path: Path) -> None:
    said = {"loss": "mse", "metrics": ["mae"], "weighted_metrics": None, "optimizer_config": {"class_name": "SGD"}}
    assert read_training(hdf5(tmp_path / "a.h5", json.dumps(said))) == {"loss": "mse", "metrics": ["mae"]}
    assert read_training(hdf5(tmp_path / "b.h5", None)) == {}
    for number, text in enumerate(("[1]", "{", '{"loss": 1, "loss": 2}')):
        with pytest.raises(UnreadableModel):
            read_training(hdf5(tmp_path / f"bad{number}.h5", text))


def test_keras(tmp_path: Path) -> None:
    weights = tmp_path / "model.weights.h5"
    h5py.File(weights, "w").close()
    for number, (config, wanted) in enumerate(
        [({"compile_config": {"loss": "mse", "optimizer": "sgd"}}, {"loss": "mse"}), ({}, {})]
    ):
        path = tmp_path / f"{number}.keras"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps(config))
            archive.writestr("metadata.json", "{}")
            archive.write(weights, "model.weights.h5")
        assert read_training(path) == wanted


@pytest.mark.parametrize(
    ("loss", "trusted", "refused"),
    [
        ({"module": "os", "class_name": "system", "config": {}}, False, "os.system"),
        ({"module": "my_losses", "class_name": "Focal", "config": {}}, False, "my_losses.Focal"),
        ({"module": "my_losses", "class_name": "Focal", "config": {}}, True, ""),
        ({"module": "builtins", "class_name": "__lambda__", "config": {"value": "x"}}, True, "__lambda__"),
        ({"module": "keras.losses", "class_name": "Huber", "config": {"delta": 1.0}}, False, ""),
        (["mse", {"a": [{"module": "kerasx", "class_name": "Huber"}]}], False, "kerasx.Huber"),
    ],
)
def test_compile_arguments_lead_no_loader_to_another_module(
    tmp_path: Path, loss: Any, trusted: bool, refused: str
) -> None:
    path = hdf5(tmp_path / "m.h5", json.dumps({"loss": loss}))
    if not refused:
        assert read_training(path, trusted=trusted) == {"loss": loss}
        return
    with pytest.raises(UnreadableModel, match=refused) as error:
        read_training(path, trusted=trusted)
    assert "--loss" in str(error.value)
