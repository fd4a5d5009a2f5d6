"""Layers that hold others in their own configuration: what is inside, in canonical form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from refconv.errors import UnreadableModel
from refconv.formats.model import Layer
from refconv.formats.policies import dtype_policy
from refconv.ops.attributes import Unknown

# Class → the fields that hold a layer, or a list of layers.
HOLDERS = {
    **dict.fromkeys(("Bidirectional", "QBidirectional"), ("layer", "backward_layer")),
    "TimeDistributed": ("layer",),
    "Pipeline": ("layers",),
}

Translate = Callable[[Layer], tuple[str, dict[str, Any]]]


def opened(kind: str, fields: Mapping[str, Any], dtype: str, where: str, translate: Translate) -> dict[str, Any]:
    """`fields` with every layer in them as {"class_name", "config"} in the spelling of the op table.

    Raises:
        UnreadableModel: a field holds no layer.
        Unknown: a layer inside computes in another dtype than the one around it.
    """
    held = {name: fields[name] for name in HOLDERS.get(kind, ()) if fields.get(name) is not None}

    def read(raw: Any, name: str) -> Any:
        if isinstance(raw, list):
            return [read(item, name) for item in raw]
        return _canonical(raw, dtype, f"{where}: {name}", translate)

    return {**fields, **{name: read(raw, name) for name, raw in held.items()}}


def _canonical(raw: Any, dtype: str, where: str, translate: Translate) -> dict[str, Any]:
    if not isinstance(raw, dict) or not isinstance(raw.get("class_name"), str):
        raise UnreadableModel("there is no layer", where=where)
    if not isinstance(raw.get("config"), dict):
        raise UnreadableModel(f"config of {raw['class_name']} is no object", where=where)
    if (own := dtype_policy(raw["config"], where)) != dtype:
        raise Unknown(f"{raw['class_name']} computes in {own} inside a layer of {dtype}")
    name = str(raw["config"].get("name", raw["class_name"]))
    kind, fields = translate(Layer(name, raw["class_name"], raw["config"], (), raw))
    return {"class_name": kind, "config": fields}
