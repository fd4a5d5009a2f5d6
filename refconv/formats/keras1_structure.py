"""What Keras 1 left out of a configuration, and what no later Keras has: a model that begins with a Merge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from refconv.errors import UnreadableModel

WITHOUT_ORDERING = ("Cropping2D", "Cropping3D")  # Keras 1.2 did not save theirs
Raw = dict[str, Any]


def completed(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """`raw` as a model that later versions could describe too.

    Raises:
        UnreadableModel: a Merge joins something else than Sequential models.
    """
    orderings = list(_orderings(raw))
    if orderings and all(ordering == "th" for ordering in orderings):
        raw = _ordered(raw)
    layers = raw.get("config")
    if raw.get("class_name") == "Sequential" and isinstance(layers, list) and layers and _is_merge(layers[0]):
        return _joined(layers)
    return raw


def _orderings(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        if "dim_ordering" in value:
            yield value["dim_ordering"]
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from _orderings(item)


def _ordered(value: Any) -> Any:
    """Every layer that does not say it has the ordering that all others have."""
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _ordered(item) for key, item in value.items()}
    if found.get("class_name") in WITHOUT_ORDERING and isinstance(found.get("config"), dict):
        found["config"] = {"dim_ordering": "th", **found["config"]}
    return found


def _is_merge(raw: Any) -> bool:
    config = raw.get("config") if isinstance(raw, dict) else None
    return isinstance(config, dict) and raw.get("class_name") == "Merge" and isinstance(config.get("layers"), list)


def _joined(layers: list[Any]) -> Raw:
    """The Functional model: one chain per branch of the Merge, the Merge, and the chain behind it."""
    made: list[Raw] = []
    last = _chain(layers, made)
    inputs = [[layer["name"], 0, 0] for layer in made if layer["class_name"] == "InputLayer"]
    config = {"name": "", "layers": made, "input_layers": inputs, "output_layers": [[last, 0, 0]]}
    return {"class_name": "Model", "config": config}


def _chain(layers: Any, made: list[Raw]) -> str:
    """Append a Sequential model's layers, its branches' first; the name of the last one."""
    if not isinstance(layers, list) or not layers:
        raise UnreadableModel("a Merge joins a model that is not Sequential, which is not read")
    if _is_merge(layers[0]):
        branches = [raw.get("config") if isinstance(raw, dict) else None for raw in layers[0]["config"]["layers"]]
        sources = [_chain(branch, made) for branch in branches]
        config = {name: value for name, value in layers[0]["config"].items() if name != "layers"}
        layers = [{**layers[0], "config": config}, *layers[1:]]
    else:
        sources = [_input(layers[0], made)]
    for raw in layers:
        name = _name(raw)
        made.append({**raw, "name": name, "inbound_nodes": [[[source, 0, 0] for source in sources]]})
        sources = [name]
    return sources[0]


def _input(first: Any, made: list[Raw]) -> str:
    config = first.get("config") if isinstance(first, dict) else None
    shape = config.get("batch_input_shape") if isinstance(config, dict) else None
    name, dtype = f"{_name(first)}_input", (config or {}).get("input_dtype") or "float32"
    made.append(
        {
            "class_name": "InputLayer",
            "name": name,
            "config": {"name": name, "batch_input_shape": shape, "input_dtype": dtype},
            "inbound_nodes": [],
        }
    )
    return name


def _name(raw: Any) -> str:
    config = raw.get("config") if isinstance(raw, dict) else None
    name = config.get("name") if isinstance(config, dict) else None
    if not isinstance(name, str):
        raise UnreadableModel("a layer of a Merge's branch has no name")
    return name
