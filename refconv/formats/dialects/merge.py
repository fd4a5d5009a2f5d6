"""Merge: one class, in Keras 1 and the first Keras 2, for what are several now."""

from __future__ import annotations

from typing import Any

from refconv.ops.attributes import Unknown

MERGED = {"sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum", "concat": "Concatenate"}


def merge(fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Class and fields of today.

    Raises:
        Unknown: `mode` is the user's own function, or a product along an axis.
    """
    mode = fields.get("mode")
    if fields.get("mode_type", "raw") != "raw":
        raise Unknown("a Merge that holds code from the file has no reference")
    kind = MERGED.get(mode) if isinstance(mode, str) else None
    if kind is None:
        raise Unknown(f"mode = {mode!r} of Merge has no reference")
    return kind, {"axis": fields.get("concat_axis", -1)} if kind == "Concatenate" else {}
