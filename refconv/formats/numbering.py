"""References to a nested model's calls, counted from 0.

A Functional model has one call from its own construction. Keras 2 counts it, so that calls in the outer model start at
1; Keras 3 counts it in `output_layers` and not in `inbound_nodes`; a Sequential model has it in some versions only
(`get_config` of keras/src/models/functional.py, `_should_skip_first_node` of tf_keras/src/engine/functional.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from refconv.errors import UnreadableModel
from refconv.formats.inbound import TensorRef
from refconv.formats.model import Layer, Model, at

Offsets = tuple[int, int]  # of references in inbound_nodes, and in output_layers
CANDIDATES: dict[tuple[str, bool], tuple[Offsets, ...]] = {  # by dialect, and whether the nested model is Sequential
    ("keras1", False): ((1, 1), (0, 0)),
    ("keras1", True): ((1, 1), (0, 0)),
    ("keras2", False): ((1, 1), (0, 0)),
    ("keras2", True): ((1, 1), (0, 0)),
    ("keras3", False): ((0, 1), (0, 0), (1, 1)),
    ("keras3", True): ((0, 0), (1, 1)),
}


def renumbered(model: Model, dialect: str, where: str) -> Model:
    """`model` with every reference counted from 0.

    Raises:
        UnreadableModel: a reference to a layer or a call that there is not.
    """
    inner, outer = _inbound(model), list(model.outputs)
    offsets = {item.name: _offsets(item, dialect, inner, outer) for item in model.layers if item.model is not None}
    layers = tuple(
        replace(item, calls=tuple(call.mapped(lambda ref: _shift(ref, offsets, 0)) for call in item.calls))
        for item in model.layers
    )
    found = replace(model, layers=layers, outputs=tuple(_shift(ref, offsets, 1) for ref in outer))
    _check(found, where)
    return found


def _offsets(layer: Layer, dialect: str, inner: Sequence[TensorRef], outer: Sequence[TensorRef]) -> Offsets:
    """The first candidate by which every call is referred to, and none that there is not: Keras saves no idle call."""
    from_inner = {ref.call for ref in inner if ref.layer == layer.name}
    from_outer = {ref.call for ref in outer if ref.layer == layer.name}
    calls = set(range(len(layer.calls)))
    sequential = layer.model is not None and layer.model.class_name == "Sequential"
    for first, second in CANDIDATES[dialect, sequential]:
        if {call - first for call in from_inner} | {call - second for call in from_outer} == calls:
            return first, second
    return 0, 0


def _shift(ref: TensorRef, offsets: dict[str, Offsets], side: int) -> TensorRef:
    return replace(ref, call=ref.call - offsets.get(ref.layer, (0, 0))[side])


def _inbound(model: Model) -> list[TensorRef]:
    return [ref for layer in model.layers for call in layer.calls for ref in call.references]


def _check(model: Model, where: str) -> None:
    calls = {layer.name: 1 if layer.is_input else len(layer.calls) for layer in model.layers}
    for ref in [*_inbound(model), *model.outputs]:
        if ref.layer not in calls:
            raise UnreadableModel(f"a call refers to {ref.layer!r}, and there is no such layer", where=at(where))
        if not 0 <= ref.call < calls[ref.layer]:
            raise UnreadableModel(
                f"call {ref.call} of {ref.layer!r} is referred to, which is called {calls[ref.layer]} times",
                where=at(where),
            )
