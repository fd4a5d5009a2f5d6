"""Layers that do nothing at inference but call the layer inside, and the variables that they keep beside its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from refconv.errors import UnreadableModel
from refconv.formats.model import Layer

# Wrapper class → its own variables: pruning has already set the kernel's masked weights to 0, and a spectral norm has
# already divided the kernel when training ended.
WRAPPERS: Mapping[str, frozenset[str]] = {
    "PruneLowMagnitude": frozenset({"mask", "threshold", "pruning_step"}),
    "SpectralNormalization": frozenset({"vector_u"}),
}
UNNAMED = re.compile(r"var\d+")  # of a .keras file, in the wrapper's own group: those of the layer inside have another


def bare(class_name: str) -> str:
    return class_name.rpartition(">")[2]


def unwrapped(layer: Layer, where: str) -> Layer:
    """The layer inside under the wrapper's name, which is the one that the framework calls; else `layer` itself."""
    if bare(layer.class_name) not in WRAPPERS:
        return layer
    inner = layer.config.get("layer")
    if not isinstance(inner, dict) or not isinstance(inner.get("class_name"), str):
        raise UnreadableModel(f"{layer.class_name} holds no layer", where=where)
    if not isinstance(inner.get("config"), dict):
        raise UnreadableModel(f"config of {inner['class_name']} is no object", where=where)
    return replace(layer, class_name=inner["class_name"], config=inner["config"], raw=inner)


def is_own(layer: Layer, variable: str) -> bool:
    """Whether a variable belongs to the wrapper, not to the layer inside; `variable` is its name in the file."""
    own = WRAPPERS.get(bare(layer.class_name))
    return own is not None and (variable.rpartition("/")[2] in own or bool(UNNAMED.fullmatch(variable)))
