"""Graph → a Keras file, written without any framework: .h5 in Keras 2's spelling, .keras in Keras 3's.

The model is Functional and flat: the layers of nested models stand beside the others, "." in place of "/". The weights
are those of the Graph, so kernels that a file had stored in another order or rotated are written as they are used.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from refconv.errors import UnreadableModel
from refconv.formats.architecture import read_model
from refconv.formats.execution import layer_order
from refconv.formats.keras_zip import CONFIG, METADATA, WEIGHTS
from refconv.formats.spelling import spelled
from refconv.formats.zip_weights import snake_case
from refconv.graph import Graph, Node, Ref, Weight

VERSIONS = {2: "2.15.0", 3: "3.15.1"}  # whose spelling is written
ENDINGS = {2: ".h5", 3: ".keras"}
PIECE = 2000  # names per attribute of an HDF5 file, which may not hold more than 64 kB


@dataclass(frozen=True)
class Written:
    """A file that was written.

    Attributes:
        path: where.
        names: layer of the file → layer of the Graph.
    """

    path: Path
    names: Mapping[str, str]


def write(graph: Graph, path: Path, *, keras: int | None = None, understood: bool = False) -> Written:
    """Write `graph`.

    Args:
        keras: 2 or 3; None for the one that wrote the model, 2 for one of Keras 1.
        understood: leave out whatever the file said beside what the nodes' attributes hold (initializers, regularizers,
            fields of layers without a reference), so that nothing of it reaches who reads what is written.

    Raises:
        UnreadableModel: a layer that this Keras cannot have.
    """
    keras = keras or graph.keras
    names = flat_names(graph)
    layers = [_Layer.of(group, names, keras, understood) for group in _by_layer(graph)]
    layers = _in_keras_order(_model(graph, layers, names, keras), layers, keras)
    config = _model(graph, layers, names, keras)
    if keras == 2:
        _write_h5(path, config, layers)
    else:
        _write_zip(path, config, layers, graph.format)
    return Written(path, {flat: layer for layer, flat in names.items()})


def flat_names(graph: Graph) -> dict[str, str]:
    """Layer of the Graph → its name in the file, which no other layer has."""
    found: dict[str, str] = {}
    taken = {node.layer for node in graph.nodes if "/" not in node.layer}
    for layer in dict.fromkeys(node.layer for node in graph.nodes):
        name = layer.replace("/", ".")
        while "/" in layer and name in taken:
            name += "_"
        taken.add(name)
        found[layer] = name
    return found


@dataclass(frozen=True)
class _Layer:
    """One layer as it is written, with its calls in order."""

    name: str
    class_name: str
    config: dict[str, Any]
    calls: tuple[Node, ...]

    @staticmethod
    def of(calls: Sequence[Node], names: Mapping[str, str], keras: int, understood: bool) -> _Layer:
        node, name = calls[0], names[calls[0].layer]
        if node.type == "InputLayer":
            return _Layer(name, "InputLayer", _input(name, node, keras), ())
        kind, config = spelled(node, keras, f"layer {node.layer}", understood=understood)
        own: dict[str, Any] = {"name": name, "dtype": node.dtype}
        if node.weights:  # some layers without any take no such argument
            own["trainable"] = any(weight.trainable for weight in node.weights.values())
        return _Layer(name, kind, {**config, **own}, tuple(sorted(calls, key=lambda call: call.call)))

    @property
    def weights(self) -> tuple[Weight, ...]:
        return tuple(self.calls[0].weights.values()) if self.calls else ()


def _by_layer(graph: Graph) -> list[list[Node]]:
    found: dict[str, list[Node]] = {}
    for node in graph.nodes:
        found.setdefault(node.layer, []).append(node)
    return list(found.values())


def _in_keras_order(config: Mapping[str, Any], layers: Sequence[_Layer], keras: int) -> list[_Layer]:
    """The layers in the order in which a loaded model has them, by which both containers count weights."""
    model = read_model(config, f"keras{keras}", "")
    order = layer_order(model, "")
    return sorted(layers, key=lambda layer: order.index(layer.name))


def _input(name: str, node: Node, keras: int) -> dict[str, Any]:
    shape = "batch_input_shape" if keras == 2 else "batch_shape"
    ragged = {"ragged": False} if keras == 2 else {}
    return {"name": name, shape: list(node.attrs.shape), "dtype": node.attrs.dtype, "sparse": False, **ragged}


def _model(graph: Graph, layers: Sequence[_Layer], names: Mapping[str, str], keras: int) -> dict[str, Any]:
    def reference(ref: Ref) -> list[Any]:
        node = graph.nodes[ref.node]
        return [names[node.layer], node.call, ref.output]

    inbound = _keras2_call if keras == 2 else _keras3_call
    written = [
        {
            **({"module": "keras.layers", "registered_name": None} if keras == 3 else {}),
            "class_name": layer.class_name,
            "config": layer.config,
            "name": layer.name,
            "inbound_nodes": [inbound(call, reference) for call in layer.calls],
        }
        for layer in layers
    ]
    config = {
        "name": "model",
        "trainable": True,
        "layers": written,
        "input_layers": _structure([reference(Ref(index)) for index in graph.inputs], keras),
        "output_layers": _structure([reference(ref) for ref in graph.outputs], keras),
    }
    module = {"module": "keras.src.models.functional", "registered_name": "Functional"} if keras == 3 else {}
    return {**module, "class_name": "Functional", "config": config}


def _structure(references: list[Any], keras: int) -> list[Any]:
    """Keras 3 calls a model on a list only if it was made of one."""
    return references[0] if keras == 3 and len(references) == 1 else references


def _keras2_call(node: Node, reference: Any) -> list[Any]:
    arguments = _arguments(node.arguments, reference)
    return [[*reference(ref), arguments] for ref in node.inputs]


def _keras3_call(node: Node, reference: Any) -> dict[str, Any]:
    tensors = [_keras3_tensor(reference(ref)) for ref in node.inputs]
    arguments = _arguments(node.arguments, lambda ref: _keras3_tensor(reference(ref)))
    if _takes_states(node) and len(tensors) > 1:
        return {"args": tensors[:1], "kwargs": {**arguments, "initial_state": tensors[1:]}}
    return {"args": [tensors] if len(tensors) > 1 else tensors, "kwargs": arguments}


def _takes_states(node: Node) -> bool:
    return hasattr(node.attrs, "return_sequences") or node.type == "Bidirectional"


def _keras3_tensor(history: list[Any]) -> dict[str, Any]:
    """Keras looks up what the history names, and not at shape and dtype."""
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None], "dtype": "float32", "keras_history": history},
    }


def _arguments(value: Any, reference: Any) -> Any:
    if isinstance(value, Ref):
        return reference(value)
    if isinstance(value, Mapping):
        return {key: _arguments(item, reference) for key, item in value.items()}
    return [_arguments(item, reference) for item in value] if isinstance(value, (list, tuple)) else value


def _json(value: Any) -> str:
    try:
        return json.dumps(value)
    except TypeError as error:
        raise UnreadableModel(f"the model cannot be written: {error}") from None


def _write_h5(path: Path, config: dict[str, Any], layers: Sequence[_Layer]) -> None:
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
    text = h5py.string_dtype()
    if len(names) <= PIECE:
        group.attrs.create(attribute, list(names), (len(names),), text)
        return
    for number, start in enumerate(range(0, len(names), PIECE)):
        piece = list(names[start : start + PIECE])
        group.attrs.create(f"{attribute}{number}", piece, (len(piece),), text)


def _write_zip(path: Path, config: dict[str, Any], layers: Sequence[_Layer], source: str) -> None:
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


def _places(layers: Sequence[_Layer], source: str) -> Iterator[tuple[str, np.ndarray]]:
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


def _within(layer: _Layer, index: int, weight: Weight, source: str) -> str:
    """Where a layer keeps its variable: as the file had it, else by its class."""
    if source == "keras":
        return re.sub(r"^.*(?:layers|_layer_checkpoint_dependencies)/[^/]+/", "", weight.path)
    if layer.class_name == "Bidirectional":
        half = len(layer.weights) // 2
        return f"{'forward' if index < half else 'backward'}_layer/cell/vars/{index % half}"
    return f"cell/vars/{index}" if _takes_states(layer.calls[0]) else f"vars/{index}"
