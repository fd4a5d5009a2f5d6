"""Graph → a Keras file, written without any framework: .h5 in Keras 2's spelling, .keras in Keras 3's.

The model is Functional and flat: the layers of nested models stand beside the others, "." in place of "/". The weights
are those of the Graph, so kernels that a file had stored in another order or rotated are written as they are used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refconv.formats.architecture import read_model
from refconv.formats.execution import layer_order
from refconv.formats.spelling import spelled
from refconv.formats.store import OutLayer, takes_states, write_h5, write_zip
from refconv.graph import Graph, Node, Ref

SCOPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.>-]*")
ENDINGS = {2: ".h5", 3: ".keras"}


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
    layers = [_layer(group, names, keras, understood) for group in _by_layer(graph)]
    layers = _in_keras_order(_model(graph, layers, names, keras), layers, keras)
    config = _model(graph, layers, names, keras)
    if keras == 2:
        write_h5(path, config, layers)
    else:
        write_zip(path, config, layers, graph.format)
    return Written(path, {flat: layer for layer, flat in names.items()})


def flat_names(graph: Graph) -> dict[str, str]:
    """Layer of the Graph → its name in the file, which no other layer has.

    Those stay that TensorFlow takes for a scope and HDF5 for a group; in others "_" stands for what may not be.
    """
    layers = list(dict.fromkeys(node.layer for node in graph.nodes))
    found = {layer: layer for layer in layers if SCOPE.fullmatch(layer)}
    taken = set(found)
    for layer in layers:
        if layer not in found:
            name = re.sub(r"[^A-Za-z0-9_.>-]", "_", layer.replace("/", "."))
            name = name if SCOPE.fullmatch(name) else f"layer{name}"
            while name in taken:
                name += "_"
            taken.add(name)
            found[layer] = name
    return found


def _layer(calls: Sequence[Node], names: Mapping[str, str], keras: int, understood: bool) -> OutLayer:
    """One layer of the graph, all its calls given."""
    node, name = calls[0], names[calls[0].layer]
    if node.type == "InputLayer":
        return OutLayer(name, "InputLayer", _input(name, node, keras), ())
    kind, config = spelled(node, keras, f"layer {node.layer}", understood=understood)
    own: dict[str, Any] = {"name": name, "dtype": node.dtype}
    if node.weights:  # some layers without any take no such argument
        own["trainable"] = any(weight.trainable for weight in node.weights.values())
    return OutLayer(name, kind, {**config, **own}, tuple(sorted(calls, key=lambda call: call.call)))


def _by_layer(graph: Graph) -> list[list[Node]]:
    found: dict[str, list[Node]] = {}
    for node in graph.nodes:
        found.setdefault(node.layer, []).append(node)
    return list(found.values())


def _in_keras_order(config: Mapping[str, Any], layers: Sequence[OutLayer], keras: int) -> list[OutLayer]:
    """The layers in the order in which a loaded model has them, by which both containers count weights."""
    model = read_model(config, f"keras{keras}", "")
    order = layer_order(model, "")
    return sorted(layers, key=lambda layer: order.index(layer.name))


def _input(name: str, node: Node, keras: int) -> dict[str, Any]:
    shape = "batch_input_shape" if keras == 2 else "batch_shape"
    ragged = {"ragged": False} if keras == 2 else {}
    return {"name": name, shape: list(node.attrs.shape), "dtype": node.attrs.dtype, "sparse": False, **ragged}


def _model(graph: Graph, layers: Sequence[OutLayer], names: Mapping[str, str], keras: int) -> dict[str, Any]:
    number = {call.index: index for layer in layers for index, call in enumerate(layer.calls)}

    def reference(ref: Ref) -> list[Any]:
        return [names[graph.nodes[ref.node].layer], number.get(ref.node, 0), ref.output]

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
    if takes_states(node) and len(tensors) > 1:
        return {"args": tensors[:1], "kwargs": {**arguments, "initial_state": tensors[1:]}}
    return {"args": [tensors] if len(tensors) > 1 else tensors, "kwargs": arguments}


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
