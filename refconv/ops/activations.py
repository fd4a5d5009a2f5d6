"""Activations: the functions that Keras names, read from a configuration and applied to an enclosure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import Unknown
from refconv.ops.functions.axis import AXIS
from refconv.ops.functions.elementwise import apply
from refconv.ops.functions.table import FUNCTIONS
from refconv.ops.quantizing import quantize
from refconv.quantizers import read as quantizers
from refconv.quantizers.base import Quantizer

ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}


@dataclass(frozen=True)
class Activation:
    """A function by its canonical name, and those of its parameters that differ from Keras's defaults."""

    name: str
    parameters: tuple[tuple[str, Any], ...] = ()
    quantizer: Quantizer | None = None  # instead of a function that Keras names

    @property
    def elementwise(self) -> bool:
        """False where one output depends on other elements (softmax), so that it has no value for one element."""
        return self.name not in AXIS


LINEAR = Activation("linear")


def activation(value: Any) -> Activation:
    """Reader for `ops.attributes`: None, a name, or {"name": …, "parameters": {…}}.

    Raises:
        Unknown: no such function, or a parameter that it does not have or needs.
    """
    if isinstance(value, Activation):
        return value
    value = "linear" if value is None else value
    described: Mapping[str, Any] = value if isinstance(value, Mapping) else {"name": value}
    name = described.get("name")
    if not isinstance(name, str) or set(described) - {"name", "parameters"}:
        raise Unknown(f"activation {value!r} has no reference")
    name, given = ALIASES.get(name, name), described.get("parameters") or {}
    defaults = _defaults(name)
    if strange := sorted(set(given) - set(defaults)):
        raise Unknown(f"activation {name!r} has no parameter {strange[0]!r}")
    if missing := [k for k, v in defaults.items() if v is ... and k not in given]:
        raise Unknown(f"activation {name!r} needs a parameter {missing[0]!r}")
    return Activation(name, tuple(sorted((k, v) for k, v in given.items() if v != defaults[k])))


def quantized_activation(value: Any) -> Activation:
    """Reader of a QKeras layer's activation: a quantizer in any serialised form, or what `activation` reads."""
    if quantizers.known(value):
        found = quantizers.read(value)
        assert found is not None
        return Activation(found.name, quantizer=found)
    return activation(value)


def _defaults(name: str) -> Mapping[str, Any]:
    if name == "linear":
        return {}
    if name in AXIS:
        return {"axis": -1}
    if name not in FUNCTIONS:
        raise Unknown(f"activation {name!r} has no reference")
    return FUNCTIONS[name].parameters


def activate(a: Activation, enclosure: Enclosure, arithmetic: Arithmetic) -> Enclosure:
    """The enclosure of a(x) for x in `enclosure`; of the same shape, but for glu, which halves its axis."""
    if a.quantizer:
        return quantize(a.quantizer, enclosure)
    if a.name == "linear":
        return enclosure
    parameters = {**_defaults(a.name), **dict(a.parameters)}
    with np.errstate(all="ignore"):
        if a.name in AXIS:
            return AXIS[a.name](enclosure, arithmetic, parameters)
        return apply(FUNCTIONS[a.name], enclosure, arithmetic, parameters)
