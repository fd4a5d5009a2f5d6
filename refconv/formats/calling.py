"""Ways of calling a layer for which there is no reference: with arguments, in training mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from refconv.formats.inbound import Call
from refconv.formats.masks import HEADED, RECURRENT
from refconv.formats.resolve import Resolved
from refconv.graph import Ref
from refconv.ops.identity import AUGMENTING

# Words in the names of the layers that behave otherwise in training.
TRAINED_DIFFERENTLY = ("Dropout", "Noise", "BatchNorm", "Batchnorm")
# With these Keras 2 draws where the call says training=True; Keras 3 goes by how the model is called, and writes
# training=True, their default, into every call.
DRAWING = (*AUGMENTING, "RandomCrop")
# Arguments of a call that a row's attributes hold, and those that are tensors, in the order of the signature.
STEERING = ("use_causal_mask", "return_attention_scores", "reverse")
GIVEN = ("query", "value", "key")


def meaningful(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Without what Keras assumes at inference anyway: None, and training=False."""
    return {
        name: value
        for name, value in arguments.items()
        if value is not None and not (name == "training" and value is False)
    }


def with_states(
    known: Resolved, inputs: tuple[Ref, ...], arguments: Mapping[str, Any]
) -> tuple[tuple[Ref, ...], Mapping[str, Any]]:
    """Inputs and arguments of a call, with the tensors that are given by name among the inputs: states, key, value."""
    if known.type in HEADED:
        return _with_named(inputs, arguments)
    given = arguments.get("initial_state")
    states = given if isinstance(given, list) else [given]
    if known.type not in RECURRENT or not all(isinstance(state, Ref) for state in states):
        return inputs, arguments
    return (*inputs, *states), {name: value for name, value in arguments.items() if name != "initial_state"}


def _with_named(inputs: tuple[Ref, ...], arguments: Mapping[str, Any]) -> tuple[tuple[Ref, ...], Mapping[str, Any]]:
    """Those that continue what was given by position, in the order of the signature; the framework takes any."""
    named = {name: value for name, value in arguments.items() if name in GIVEN and isinstance(value, Ref)}
    if tuple(named) != GIVEN[len(inputs) : len(inputs) + len(named)]:
        return inputs, arguments
    return (*inputs, *named.values()), {name: value for name, value in arguments.items() if name not in named}


def with_call(attrs: Any, arguments: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    """Attributes and arguments of a call, with those arguments among the attributes that are fields of theirs."""
    held = {name: value for name, value in arguments.items() if name in STEERING and isinstance(value, bool)}
    if attrs is None or not all(hasattr(attrs, name) for name in held):
        return attrs, arguments
    rest = {name: value for name, value in arguments.items() if name not in held}
    return (replace(attrs, **held) if held else attrs), rest


def inherited(call: Call, outer: Mapping[str, Any]) -> dict[str, Any]:
    """What a call of a nested model hands on to its layers; an explicit training=False ends an outer True."""
    return meaningful({**outer, **call.arguments})


def problem(known: Resolved, own: Mapping[str, Any], outer: Mapping[str, Any], dialect: str) -> str:
    """Why a call has no reference, or "".

    Args:
        own: meaningful arguments of this call.
        outer: meaningful arguments of the calls of the models that it stands in.
    """
    given = {name: value for name, value in {**outer, **own}.items() if _matters(known.type, name, dialect)}
    if given:
        name = sorted(given)[0]
        return f"no reference for {known.type} called with {name} = {_short(given[name])}"
    return ""


def _matters(kind: str, name: str, dialect: str) -> bool:
    drawing = dialect == "keras2" and kind in DRAWING
    return name != "training" or drawing or any(word in kind for word in TRAINED_DIFFERENTLY)


def _short(value: Any) -> str:
    text = "a tensor" if isinstance(value, Ref) else repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
