"""Read a quantizer from any form in which Keras files hold one (TRAPS 26)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from refconv.errors import UnreadableModel
from refconv.quantizers.base import Quantizer
from refconv.quantizers.grammar import parse
from refconv.quantizers.parameters import build
from refconv.quantizers.table import TABLE

# Written by QKeras's repository version; None is what the released one does.
_NEWER = ("post_training_scale", "elements_per_scale", "min_po2_exponent", "max_po2_exponent")
_MARKS = {"module", "registered_name", "build_config", "shared_object_id", "__passive_serialization__"}
_ENVELOPE = {"class_name", "config", *_MARKS}


def read(spec: Any, where: str = "") -> Quantizer | None:
    """The quantizer that `spec` says, None for None.

    Args:
        spec: a dict {"class_name", "config"} with or without "module", "registered_name" and
            "__passive_serialization__"; a string such as "quantized_relu(6,1,1)" or "binary"; None.
        where: the layer and attribute, for messages.

    Raises:
        UnreadableModel: an unknown name, an argument that the quantizer does not take, anything but literals.
    """
    if spec is None:
        return None
    if isinstance(spec, str):
        return _from_string(spec, where)
    if isinstance(spec, Mapping):
        return _from_mapping(spec, where)
    raise UnreadableModel(f"{_short(spec)} is not a quantizer", where=where)


def known(spec: Any) -> bool:
    """Whether `spec` names a row of the table, so that it is no plain Keras activation."""
    if isinstance(spec, str):
        return spec.partition("(")[0].strip() in TABLE
    name = spec.get("class_name") if isinstance(spec, Mapping) else None
    return isinstance(name, str) and _bare(name) in TABLE


def _from_string(text: str, where: str) -> Quantizer:
    try:
        name, given, named = parse(text)
    except ValueError as error:
        raise UnreadableModel(f"quantizer {_short(text)}: {error}", where=where) from None
    return _make(name, given, named, where)


def _from_mapping(spec: Mapping[str, Any], where: str) -> Quantizer:
    name, config = spec.get("class_name"), spec.get("config")
    if not isinstance(name, str) or set(spec) - _ENVELOPE:
        raise UnreadableModel(f"{_short(spec)} is not a serialised quantizer", where=where)
    if name == "function" and isinstance(config, str):  # how Keras 3's format writes QKeras's functions
        return _make(_bare(config), (), {}, where)
    if not isinstance(config, (Mapping, type(None))):
        raise UnreadableModel(f"configuration {_short(config)} of {name} is not a dict", where=where)
    return _make(_bare(name), (), config or {}, where)


def _bare(name: str) -> str:
    """Without the package that Keras registers a class under ("qkeras>quantized_bits")."""
    return name.rpartition(">")[2]


def _make(name: str, given: Sequence[Any], named: Mapping[str, Any], where: str) -> Quantizer:
    if name not in TABLE:
        raise UnreadableModel(f"quantizer {_short(name)} is not known", where=where, hint="known: " + ", ".join(TABLE))
    named = {k: v for k, v in named.items() if v is not None or k not in _NEWER}
    if name == "quantized_hswish":  # its get_config writes what it cannot take
        named = {k: v for k, v in named.items() if (k, v) != ("keep_negative", True)}
    return build(TABLE[name].quantizer, given, named, f"{where}: {name}" if where else name)


def _short(value: Any) -> str:
    """One line of at most 80 characters."""
    said = repr(value)
    return said if len(said) <= 80 else said[:77] + "..."
