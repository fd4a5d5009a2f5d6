"""Configuration → layers and their calls: Sequential, Functional and nested models in one form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from refconv.errors import UnreadableModel
from refconv.formats.inbound import Call, TensorRef, read_call, read_references
from refconv.formats.model import Layer, Model, at
from refconv.formats.numbering import renumbered
from refconv.formats.shapes import input_shape


def read_model(raw: Mapping[str, Any], dialect: str, where: str) -> Model:
    """The model that `raw` ({"class_name", "config"}) describes.

    Raises:
        UnreadableModel: a subclassed model, or a configuration that contradicts itself; names layer and field.
    """
    class_name, config = raw.get("class_name"), raw.get("config")
    if not _is_model(raw):
        raise UnreadableModel(
            f"{class_name!r} is a subclassed model: its code is not in the file",
            where=at(where),
            hint="name the file that has it with --trust-code FILE.py",
        )
    if class_name != "Sequential" and isinstance(config, dict):
        return _functional(config, str(class_name), dialect, where)
    return _sequential(raw, dialect, where)


def read_opaque(raw: Mapping[str, Any]) -> Model:
    """A subclassed model as one layer of its class, fed by one input of the shape that it was built for.

    Raises:
        UnreadableModel: `raw` describes no such model, or one of several inputs.
    """
    class_name, config = raw.get("class_name"), raw.get("config")
    if not isinstance(class_name, str) or not isinstance(config, dict):
        raise UnreadableModel("the configuration describes no model")
    name = str(config.get("name") or class_name.lower())
    shape = input_shape(raw)
    if shape is None:
        raise UnreadableModel("the file does not say the shape of its one input", where=at(name))
    fed = {"name": "input", "batch_shape": [None, *shape[1:]], "dtype": "float32"}
    source = Layer("input", "InputLayer", fed, (), {"class_name": "InputLayer", "config": fed})
    layer = Layer(name, class_name, config, (Call((TensorRef("input", 0, 0),), {}),), raw)
    ends = (TensorRef("input", 0, 0),), (TensorRef(name, 0, 0),)
    return Model(name, (source, layer), *ends, "Model", opaque=True)


def is_subclassed(raw: Mapping[str, Any]) -> bool:
    return not _is_model(raw)


def _is_model(raw: Mapping[str, Any]) -> bool:
    config = raw.get("config")
    if isinstance(config, list):  # Sequential before Keras 2.2.3
        return raw.get("class_name") == "Sequential"
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        return False
    return raw.get("class_name") == "Sequential" or "output_layers" in config


def _layer(raw: Any, name: Any, calls: tuple[Call, ...], dialect: str, where: str) -> Layer:
    if not isinstance(raw, dict) or not isinstance(raw.get("class_name"), str):
        raise UnreadableModel("a layer without class_name", where=at(where))
    here = f"{where}/{name}".lstrip("/")
    model = read_model(raw, dialect, here) if _is_model(raw) else None
    config = raw.get("config")
    if model is not None and isinstance(config, list):
        config = {"name": name, "layers": config}
    if not isinstance(config, dict):
        raise UnreadableModel(f"config of {raw['class_name']} is no object", where=at(here))
    if not isinstance(name, str) or not name:
        raise UnreadableModel(f"{raw['class_name']} has no name", where=at(here))
    return Layer(name, raw["class_name"], config, calls, raw, model)


def _name(raw: Any, index: int) -> Any:
    """The layer's name; a nested Sequential that was saved as a bare list has none."""
    if not isinstance(raw, dict):
        return None
    config = raw.get("config")
    if isinstance(config, list):
        return raw.get("name") or f"sequential_{index}"
    return raw.get("name") or (config.get("name") if isinstance(config, dict) else None)


def _sequential(raw: Mapping[str, Any], dialect: str, where: str) -> Model:
    config = raw["config"]
    raw_layers = config if isinstance(config, list) else config["layers"]
    if not raw_layers:
        raise UnreadableModel("a Sequential model without layers", where=at(where))
    name = "" if isinstance(config, list) else config.get("name", "")
    layers = [_layer(item, _name(item, index), (), dialect, where) for index, item in enumerate(raw_layers)]
    if not layers[0].is_input:
        layers.insert(0, _synthesized_input(layers[0], raw, dialect))
    chain = [layers[0]]
    for layer in layers[1:]:
        call = Call((TensorRef(chain[-1].name, 0, 0),), {})
        chain.append(Layer(layer.name, layer.class_name, layer.config, (call,), layer.raw, layer.model))
    _refuse_duplicates(chain, where)
    return Model(
        name, tuple(chain), (TensorRef(chain[0].name, 0, 0),), (TensorRef(chain[-1].name, 0, 0),), "Sequential"
    )


def _synthesized_input(first: Layer, raw: Mapping[str, Any], dialect: str) -> Layer:
    """The InputLayer that Keras makes for a Sequential model whose file has none."""
    name = "input_layer" if dialect == "keras3" else f"{first.name}_input"
    shape = input_shape(raw) or input_shape(first.raw) or (_first_shape(first.model) if first.model else None)
    dtype = first.config.get("input_dtype" if dialect == "keras1" else "dtype") or "float32"
    config = {"name": name, "batch_shape": shape, "dtype": dtype}
    return Layer(name, "InputLayer", config, (), {"class_name": "InputLayer", "config": config})


def _first_shape(model: Model) -> Any:
    return input_shape(model.layers[0].raw)


def _functional(config: Mapping[str, Any], class_name: str, dialect: str, where: str) -> Model:
    layers = tuple(_functional_layer(item, dialect, where) for item in config["layers"])
    _refuse_duplicates(layers, where)
    model = Model(
        str(config.get("name", "")),
        layers,
        read_references(config.get("input_layers"), at(where) or "input_layers"),
        read_references(config.get("output_layers"), at(where) or "output_layers"),
        class_name,
    )
    for ref in model.inputs:
        if (layer := model.layer(ref.layer)) is None or not layer.is_input:
            raise UnreadableModel(f"input_layers names {ref.layer!r}, which is no InputLayer", where=at(where))
    if not model.outputs:
        raise UnreadableModel("output_layers is empty", where=at(where))
    return renumbered(model, dialect, where)


def _functional_layer(raw: Any, dialect: str, where: str) -> Layer:
    name = _name(raw, 0)
    here = f"{where}/{name}".lstrip("/")
    nodes = raw.get("inbound_nodes", []) if isinstance(raw, dict) else []
    if not isinstance(nodes, list):
        raise UnreadableModel("inbound_nodes is no list", where=at(here))
    calls = tuple(read_call(node, at(here)) for node in nodes)
    return _layer(raw, name, calls, dialect, where)


def _refuse_duplicates(layers: Any, where: str) -> None:
    names = [layer.name for layer in layers]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UnreadableModel(f"two layers are named {twice!r}", where=at(where))
