"""Model files written by hand, without a framework, for what no Keras would write."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

KERNEL = np.arange(12, dtype=np.float32).reshape(4, 3)
BIAS = np.float32([1, 2, 3])


def layer(class_name: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": name, **config}}


def dense(name: str = "dense", units: int = 3, **config: Any) -> dict[str, Any]:
    return layer("Dense", name, units=units, **config)


def source(name: str = "x", shape: tuple[int | None, ...] = (None, 4)) -> dict[str, Any]:
    return layer("InputLayer", name, batch_input_shape=list(shape), dtype="float32")


def sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "model", "layers": list(layers)}}


def functional(
    layers: list[dict[str, Any]], inputs: list[Any], outputs: list[Any], name: str = "model"
) -> dict[str, Any]:
    config = {"name": name, "layers": layers, "input_layers": inputs, "output_layers": outputs}
    return {"class_name": "Functional", "name": name, "config": config}


def called(raw: dict[str, Any], *nodes: Any) -> dict[str, Any]:
    """A layer of a Functional model, with its inbound nodes in the spelling of Keras 2."""
    return {**raw, "name": raw["config"]["name"], "inbound_nodes": list(nodes)}


ONE_DENSE = sequential(source(), dense())
WEIGHTS: dict[str, dict[str, np.ndarray]] = {"dense": {"dense/kernel:0": KERNEL, "dense/bias:0": BIAS}}


def write_h5(
    path: Path,
    config: Any = ONE_DENSE,
    weights: Mapping[str, Mapping[str, np.ndarray]] = WEIGHTS,
    version: str = "2.4.0",
    backend: str = "tensorflow",
) -> Path:
    """A .h5 file as Keras lays it out; `config` may be text, for broken JSON."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = version, backend
        file.attrs["model_config"] = config if isinstance(config, str) else json.dumps(config)
        groups = file.create_group("model_weights")
        groups.attrs["layer_names"] = np.array([name.encode() for name in weights] or [], "S64")
        for name, arrays in weights.items():
            group = groups.create_group(name)
            group.attrs["weight_names"] = np.array([item.encode() for item in arrays] or [], "S64")
            for item, array in arrays.items():
                group[item] = array
    return path


ZIP_WEIGHTS = {"layers/dense/vars/0": KERNEL, "layers/dense/vars/1": BIAS}


def weights_h5(arrays: Mapping[str, np.ndarray] = ZIP_WEIGHTS) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return stream.getvalue()


def members(config: Any = ONE_DENSE, version: str = "3.5.0") -> dict[str, bytes]:
    return {
        "metadata.json": json.dumps({"keras_version": version}).encode(),
        "config.json": json.dumps(config).encode(),
        "model.weights.h5": weights_h5(),
    }


def write_zip(path: Path, contents: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return path


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield (*path, key)
        yield from places(item, (*path, key))
