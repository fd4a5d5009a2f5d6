"""Input shapes, which Keras spells in many ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Shape = tuple[int | None, ...]
FIELDS = ("batch_shape", "batch_input_shape", "build_input_shape")


def input_shape(raw: Mapping[str, Any]) -> Shape | None:
    """The batch-first shape that {"class_name", "config", "build_config"} declares, or None.

    A nested model's own first layer is not looked at.
    """
    config = raw.get("config")
    if isinstance(config, list):  # a bare list of layers: the first one knows
        return None
    config = config if isinstance(config, dict) else {}
    build = raw.get("build_config")
    found = [read_shape(config.get(name)) for name in FIELDS]
    found.append(read_shape(build.get("input_shape")) if isinstance(build, dict) else None)
    return next((shape for shape in found if shape is not None), None)


def read_shape(value: Any) -> Shape | None:
    """A shape from JSON; None if `value` is none."""
    if isinstance(value, dict):  # {"class_name": "__tuple__" or "TensorShape", "items": […]}
        value = value.get("items")
    if isinstance(value, tuple):
        value = list(value)
    if not isinstance(value, list) or not value:
        return None
    return tuple(value) if all(_is_dimension(item) for item in value) else None


def _is_dimension(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)
