"""A model that lives in this process → Graph: its configuration as Keras would save it, and then what its layers say.

No file is written or read. A configuration leaves things out: QKeras's quantizers lose parameters when they are saved
(TRAPS 1), QKeras's sigmoid is a switch of the process, and a function of the user's own may have the name of one of
Keras's. All of these are taken from the live layers. No framework is imported: whoever has a model has one.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from refconv.errors import BadInput, RefconvError
from refconv.formats import safe_json
from refconv.formats.architecture import is_subclassed
from refconv.formats.build import build_graph
from refconv.formats.live_layers import live_leaves
from refconv.formats.live_weights import Live
from refconv.formats.source import Source, choose_dialect
from refconv.graph import IN_MEMORY, Graph
from refconv.quantizers.base import Quantizer
from refconv.quantizers.read import known, read
from refconv.quantizers.table import TABLE

NOTE = "the model as it lives in this process, not a file: its configuration, then what its layers say"
PACKAGES = ("keras", "tf_keras", "tensorflow", "qkeras", "tensorflow_model_optimization")  # not the user's own code
WITHIN = {"backward_layer": "backward_layer", "cell": "cell", "forward_layer": "forward_layer"}
SIGMOIDS = {"smooth_sigmoid": "smooth", "sigmoid": "real"}


def read_live(model: Any, keras_version: str, sigmoid: str = "") -> Graph:
    """The graph of a Keras model in this process.

    Args:
        keras_version: of the Keras that it is a model of.
        sigmoid: name of the function that QKeras's quantizers call for a sigmoid; "" where there is no QKeras.

    Raises:
        BadInput: it is subclassed, has no weights yet, or cannot say its configuration.
        UnreadableModel: the configuration contradicts itself.
    """
    name = str(model.name)
    if not getattr(model, "built", True):
        raise BadInput("has no weights yet", where=f"model {name}", hint="call it on data, or build it, first")
    text = _configuration(model, name)
    config = safe_json.parse(text, name)
    if is_subclassed(config):
        raise _subclassed(model, name)
    told: list[str] = []
    _as_live(config["config"]["layers"], model, "", told)
    weights: Any = Live(model)
    dialect = choose_dialect(keras_version, text, name)
    notes = (NOTE, *told)
    source = Source(name, IN_MEMORY, IN_MEMORY, config, keras_version, "tensorflow", dialect, weights, notes=notes)
    return _with_sigmoid(build_graph(source), SIGMOIDS.get(sigmoid, "hard"))


def _subclassed(model: Any, name: str) -> BadInput:
    what = f"{type(model).__name__} is a subclassed model: only its code says which layers it calls, and on what"
    return BadInput(what, where=f"model {name}", hint="check the functional and sequential models inside it")


def _configuration(model: Any, name: str) -> str:
    try:
        with warnings.catch_warnings(action="ignore"), _speaking(model):  # QKeras's quantizers serve as constraints
            return str(model.to_json())
    except NotImplementedError:
        raise _subclassed(model, name) from None
    except Exception as error:  # whatever a layer of the user's own raises
        said = str(error).strip().partition("\n")[0]
        what = f"its configuration cannot be had: {type(error).__name__}: {said}"
        raise BadInput(what, where=f"model {name}", hint="get_config of some layer fails") from error


@contextmanager
def _speaking(model: Any) -> Iterator[None]:
    """Layers that cannot say their configuration say their name meanwhile: no reference needs more of them."""
    silent = [layer for _, layer in live_leaves(model) if not _speaks(layer)]
    try:
        for layer in silent:
            vars(layer)["get_config"] = lambda layer=layer: {"name": layer.name, "trainable": layer.trainable}
        yield
    finally:
        for layer in silent:
            vars(layer).pop("get_config", None)


def _speaks(layer: Any) -> bool:
    try:
        json.dumps(layer.get_config(), default=str)
    except Exception:  # a layer of the user's own
        return False
    return True


def _as_live(layers: Sequence[dict[str, Any]], model: Any, above: str, told: list[str]) -> None:
    """Change the configurations to what the layers say; `told` gets a line for each change."""
    alive = {layer.name: layer for layer in model.layers}
    for raw in layers:
        config = raw.get("config")
        name = raw.get("name") or (config.get("name") if isinstance(config, dict) else None)
        if name not in alive or not isinstance(config, dict):
            continue
        if isinstance(config.get("layers"), list) and hasattr(alive[name], "get_layer"):
            _as_live(config["layers"], alive[name], f"{above}{name}/", told)
            continue
        _own_class(raw, alive[name])
        _of_layer(config, alive[name], f"{above}{name}", told)


def _own_class(raw: dict[str, Any], layer: Any) -> None:
    """A class of the user's own may have the name of one of Keras's, and Keras 2 says no more than the name."""
    module = type(layer).__module__
    if module.partition(".")[0] not in PACKAGES:
        raw["module"] = module
        raw.setdefault("registered_name", f"{module}>{type(layer).__name__}")


def _of_layer(config: dict[str, Any], layer: Any, where: str, told: list[str]) -> None:
    for key, value in config.items():
        inner = _inner(layer, key) if isinstance(value, dict) and isinstance(value.get("config"), dict) else None
        if inner is not None:
            _of_layer(value["config"], inner, where, told)
        elif known(value) and not type(layer).__name__.startswith("QAdaptive"):  # whose parameters move
            config[key] = _quantizer(value, layer, key, where, told)
        elif key in ("activation", "recurrent_activation"):
            config[key] = _function(value, getattr(layer, key, None))


def _inner(layer: Any, key: str) -> Any:
    """The layer inside a wrapper, whose configuration is under `key`."""
    if key == "layer":
        return getattr(layer, "forward_layer", getattr(layer, "layer", None))
    return getattr(layer, key, None) if key in WITHIN else None


def _function(value: Any, found: Any) -> Any:
    """What an activation is that has only a name in the configuration."""
    module = str(getattr(found, "__module__", None) or "keras")
    if not isinstance(value, str) or not callable(found) or module.partition(".")[0] in PACKAGES:
        return value
    return {"class_name": "function", "config": f"{module}.{value}", "module": module, "registered_name": "function"}


def _quantizer(value: Any, layer: Any, key: str, where: str, told: list[str]) -> Any:
    """The quantizer with the parameters that the live one has."""
    found = _live_quantizer(layer, key)
    if found is None:
        return value
    name = type(found).__name__
    wanted = [f.name for f in fields(TABLE[name].quantizer) if "read" in f.metadata]
    config = {each: _plain(getattr(found, each)) for each in wanted if hasattr(found, each)}
    spec = {"class_name": name, "config": config}
    told += _differences(value, spec, f"{where}: {key}")
    return spec


def _live_quantizer(layer: Any, key: str) -> Any:
    """QKeras keeps what a layer applies in "…_internal", of a recurrent layer in its cell."""
    holders = [holder for holder in (layer, getattr(layer, "cell", None)) if holder is not None]
    names = (f"{key}_internal", *(("quantizer",) if key == "activation" else ()), key)
    found = (getattr(holder, name, None) for holder in holders for name in names)
    return next((one for one in found if type(one).__name__ in TABLE and hasattr(one, "get_config")), None)


def _plain(value: Any) -> Any:
    """A parameter in JSON's types; a variable's value."""
    value = value.numpy() if hasattr(value, "numpy") else value
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _differences(before: Any, after: Any, where: str) -> Iterator[str]:
    try:
        old, new = read(before), read(after)
    except RefconvError:  # which the reading of the graph tells
        return
    if old is None or new is None or type(old) is not type(new):
        return
    for each in fields(old):
        a, b = getattr(old, each.name), getattr(new, each.name)
        if each.compare and a != b:
            yield f"{where}: {each.name} = {b!r} in the live layer, where its configuration says {a!r}"


def _with_sigmoid(graph: Graph, sigmoid: str) -> Graph:
    if sigmoid == "hard":
        return graph
    nodes = tuple(replace(node, attrs=_switched(node.attrs, sigmoid)) for node in graph.nodes)
    if all(new.attrs is old.attrs for new, old in zip(nodes, graph.nodes, strict=True)):
        return graph
    return replace(graph, nodes=nodes, notes=(*graph.notes, f"QKeras's sigmoid is {sigmoid!r} in this process"))


def _switched(value: Any, sigmoid: str) -> Any:
    """`value` with this sigmoid in all quantizers inside it; itself where there is none."""
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed: Mapping[str, Any] = {}
    if isinstance(value, Quantizer):
        changed = {"sigmoid": sigmoid} if hasattr(value, "sigmoid") else {}
    else:
        new = {each.name: _switched(getattr(value, each.name), sigmoid) for each in fields(value) if each.init}
        changed = {name: item for name, item in new.items() if item is not getattr(value, name)}
    return replace(value, **changed) if changed else value
