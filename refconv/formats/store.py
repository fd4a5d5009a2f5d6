"""A configuration and weights → the bytes of a container that Keras loads."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from refconv.errors import UnreadableModel
from refconv.formats.keras_zip import CONFIG, METADATA, WEIGHTS
from refconv.formats.zip_weights import snake_case
from refconv.graph import Node, Weight

VERSIONS = {2: "2.15.0", 3: "3.15.1"}  # whose spelling is written
PIECE = 2000  # names per attribute of an HDF5 file, which may not hold more than 64 kB


@dataclass(frozen=True)
class OutLayer:
    """One layer as it is written, with its calls in order."""

    name: str
    class_name: str
    config: dict[str, Any]
    calls: tuple[Node, ...]

    @property
    def weights(self) -> tuple[Weight, ...]:
        return tuple(self.calls[0].weights.values()) if self.calls else ()


def takes_states(node: Node) -> bool:
    """Whether a layer is a loop over steps: its inputs but the first are states, its weights those of a cell."""
    return hasattr(node.attrs, "return_sequences") or node.type == "Bidirectional"


def _json(value: Any) -> str:
    try:
        return json.dumps(value)
    except TypeError as error:
        raise UnreadableModel(f"the model cannot be written: {error}") from None


def write_h5(path: Path, config: dict[str, Any], layers: Sequence[OutLayer]) -> None:
    """Keras 2's container: weights by layer and in Keras's order, which is that of `layers`."""
    text = _json(config)
    with h5py.File(path, "w") as file:
        weights = file.create_group("model_weights")
        for holder in (file, weights):
            holder.attrs["keras_version"], holder.attrs["backend"] = VERSIONS[2], "tensorflow"
        file.attrs["model_config"] = text
        _put_names(weights, "layer_names", [layer.name for layer in layers])
        for layer in layers:
            group = weights.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0" for weight in layer.weights]
            _put_names(group, "weight_names", names)
            for name, weight in zip(names, layer.weights, strict=True):
                group[name] = weight.value


def _put_names(group: h5py.Group, attribute: str, names: Sequence[str]) -> None:
    if len(names) <= PIECE:
        _put(group, attribute, names)
        return
    for number, start in enumerate(range(0, len(names), PIECE)):
        _put(group, f"{attribute}{number}", names[start : start + PIECE])


def _put(group: h5py.Group, attribute: str, names: Sequence[str]) -> None:
    """As Keras does: bytes of one length."""
    values = [name.encode() for name in names]
    group.attrs[attribute] = np.array(values, f"S{max(map(len, values), default=1)}")


def write_zip(path: Path, config: dict[str, Any], layers: Sequence[OutLayer], source: str) -> None:
    """Keras 3's container; `source` is the format of the file that the weights are from."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for place, array in _places(layers, source):
            file[place] = array
    members: dict[str, str | bytes] = {
        METADATA: _json({"keras_version": VERSIONS[3]}),
        CONFIG: _json(config),
        WEIGHTS: stream.getvalue(),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)


def _places(layers: Sequence[OutLayer], source: str) -> Iterator[tuple[str, np.ndarray]]:
    """Every variable with its place: a layer's group is named after its class, and numbered among those of it."""
    used: dict[str, int] = {}
    for layer in layers:
        if not layer.calls:
            continue
        snake = snake_case(layer.class_name)
        number = used[snake] = used.get(snake, -1) + 1
        group = f"layers/{snake}_{number}" if number else f"layers/{snake}"
        for index, weight in enumerate(layer.weights):
            yield f"{group}/{_within(layer, index, weight, source)}", weight.value
        if any(word in layer.class_name for word in ("Dropout", "Noise", "Random")):
            yield f"{group}/seed_generator/vars/0", np.zeros(2, np.uint32)


def _within(layer: OutLayer, index: int, weight: Weight, source: str) -> str:
    """Where a layer keeps its variable: as the file had it, else by its class."""
    if source == "keras":
        return re.sub(r"^.*(?:layers|_layer_checkpoint_dependencies)/[^/]+/", "", weight.path)
    if layer.class_name == "Bidirectional":
        half = len(layer.weights) // 2
        return f"{'forward' if index < half else 'backward'}_layer/cell/vars/{index % half}"
    return f"cell/vars/{index}" if takes_states(layer.calls[0]) else f"vars/{index}"
