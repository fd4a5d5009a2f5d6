"""A layer's configuration → its row of the op table and its attributes, or the reason why there is no reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from refconv.formats.dialects import DIALECTS, qkeras
from refconv.formats.dialects.common import is_inert
from refconv.formats.inner import opened
from refconv.formats.model import Layer
from refconv.formats.operators import LAMBDAS
from refconv.formats.policies import dtype_policy, refuse_unread
from refconv.formats.wrappers import unwrapped
from refconv.ops.attributes import Unknown, build
from refconv.ops.base import Row, Shape
from refconv.ops.qkeras_layers import NO_LAYERS
from refconv.ops.registered import Custom, registered
from refconv.ops.table import TABLE

OWN_PACKAGES = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras")
INTERNALLY_REGISTERED = ("Custom>CustomScaleLayer",)  # InceptionResNetV2's, by Keras 2 itself, as users do theirs
TERSE = ("Pipeline",)  # layers of Keras 3 that write of themselves what they hold, and no dtype policy
OPERATIONS = ("keras.src.ops", "keras.ops", "keras_core.src.ops")


@dataclass(frozen=True)
class Resolved:
    """What is known of a layer: `attrs` and `row` are None, and `reason` is set, where there is no reference."""

    type: str
    attrs: Any = None
    row: Row | None = None
    reason: str = ""
    dtype: str = "float32"
    operation: bool = False  # an operator, of which each call says what it computes (`formats.operators`)

    @property
    def weights(self) -> dict[str, Shape] | None:
        """Names and shapes of its weights in Keras's order; None where refconv does not know them."""
        return None if self.row is None or isinstance(self.attrs, Custom) else self.row.weights(self.attrs)


def resolve(layer: Layer, path: str, dialect: str) -> Resolved:
    """Look a layer up.

    Raises:
        UnreadableModel: an attribute does not fit its field, or the layer is of a kind that is refused.
    """
    where = f"layer {path}"
    layer = unwrapped(layer, where)
    refuse_unread(layer.config, where)
    dtype = dtype_policy(layer.config, where)
    kind, own = _class(layer)
    if name := registered(kind):
        return Resolved(name, Custom(layer.config), TABLE[name], dtype=dtype)
    if not own:
        reason = f"no reference for {kind}, which is no layer of Keras"
        return Resolved(kind, reason=reason, dtype=dtype, operation=kind.startswith(OPERATIONS))
    if kind in LAMBDAS:
        return Resolved(kind, reason=f"no reference for {kind}", dtype=dtype, operation=True)
    try:
        kind, given = _canonical(layer, dialect)
        given = opened(kind, given, dtype, where, lambda inner: _canonical(inner, dialect))
        return _from_table(kind, given, dtype, where)
    except Unknown as error:
        return Resolved(kind, reason=error.what if kind in TABLE else f"no reference for {kind}", dtype=dtype)


def _canonical(layer: Layer, dialect: str) -> tuple[str, dict[str, Any]]:
    """Class of the row, and the fields that it has to know."""
    kind, own = _class(layer)
    if not own:
        raise Unknown(f"no reference for {kind}, which is no layer of Keras")
    canonical = qkeras.canonical if qkeras.owns(kind) else DIALECTS[dialect]
    kind, given = canonical(kind, layer.config)
    declared = {field.name for field in fields(TABLE[kind].attributes)} if kind in TABLE else set()
    return kind, {name: value for name, value in given.items() if name in declared or not is_inert(name, value, kind)}


def _from_table(kind: str, given: Mapping[str, Any], dtype: str, where: str) -> Resolved:
    row = TABLE.get(kind)
    if row is None:
        return Resolved(kind, reason=NO_LAYERS.get(kind, f"no reference for {kind}"), dtype=dtype)
    return Resolved(kind, build(row.attributes, given, where), row, dtype=dtype)


def _class(layer: Layer) -> tuple[str, bool]:
    """Class name, and whether it is one of Keras's own layers: a user's class may bear the same name."""
    name, module = layer.class_name, layer.raw.get("module")
    package, _, bare = name.rpartition(">")
    if qkeras.owns(bare) and str(module or "qkeras").startswith("qkeras"):
        return bare, True
    if package:
        own_class = package in ("keras.layers", "Keras", "tf_keras.layers") or name in INTERNALLY_REGISTERED
        return (bare, True) if own_class else (name, False)
    own = str(layer.raw.get("registered_name") or "").rpartition(">")
    if module is None and own[0] and own[0] not in ("keras.layers", "Keras", "tf_keras.layers"):
        return ">".join((own[0], own[2])), False  # registered by a user, perhaps under the name of a layer of Keras
    if isinstance(module, str) and module.startswith(OPERATIONS):
        return f"{module}.{name}", False
    if isinstance(module, str) and module.split(".src")[0].split(".layers")[0] not in OWN_PACKAGES:
        return str(layer.raw.get("registered_name") or f"{module}>{name}"), False
    if "module" not in layer.raw and _is_operation(layer):
        return f"keras.ops.{name}", False
    return name, True


def _is_operation(layer: Layer) -> bool:
    """Keras 3 writes an operation into .h5 without its module, and its Add and its layer Add share a name.

    A layer's configuration has a dtype policy; an operation's has none. Keras 2 has no such operations.
    """
    return (
        isinstance(layer.raw.get("inbound_nodes"), list)
        and any(isinstance(node, dict) for node in layer.raw["inbound_nodes"])
        and "trainable" not in layer.config
        and layer.class_name not in TERSE
    )
