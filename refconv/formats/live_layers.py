"""The layers of a model that lives in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def live_leaves(model: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """(path, layer) of every layer that is no model, "/" between nested models."""
    for layer in model.layers:
        if hasattr(layer, "layers") and hasattr(layer, "get_layer"):  # a model: Pipeline and others have no get_layer
            yield from live_leaves(layer, f"{above}{layer.name}/")
        else:
            yield f"{above}{layer.name}", layer
