"""Weights as Keras 1 stored them → as its successors hold them.

Where `dim_ordering` is "th" a kernel lies as (filters, channels, *size). LSTM and GRU have three weights per gate. A
transposed convolution with "tf" has its two channel axes the other way round, and Conv1D's kernel has an axis of
length 1 (`preprocess_weights_for_loading` of keras/engine/topology.py in Keras 2, which converted such files).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from refconv.formats.dialects.keras1 import CLASSES
from refconv.formats.leaves import Leaf
from refconv.formats.matching import Derived, Variable

# (class of the row, whether "th") → axes of the stored kernel in the order wanted.
MOVED: dict[tuple[str, bool], tuple[int, ...]] = {
    ("Conv2D", True): (2, 3, 1, 0),
    ("Conv3D", True): (2, 3, 4, 1, 0),
    ("Conv2DTranspose", False): (0, 1, 3, 2),
    ("Conv2DTranspose", True): (2, 3, 0, 1),
}
SEPARABLE = (2, 3, 1, 0)  # of both kernels under "th"
# Gate by gate, (kernel, recurrent kernel, bias) each: where the gates stand that are wanted first, second, …
GATES = {"LSTM": (0, 2, 1, 3), "ConvLSTM2D": (0, 2, 1, 3), "GRU": (0, 1, 2)}


def converted(leaf: Leaf, variables: Sequence[Variable]) -> list[Variable]:
    """The variables of one layer in today's shapes; what has another rank than Keras 1 wrote is left alone."""
    return _converted(leaf.resolved.type, leaf.layer.config, list(variables))


def _converted(kind: str, config: Mapping[str, Any], given: list[Variable]) -> list[Variable]:
    first = config.get("dim_ordering") == "th"
    if kind in ("Bidirectional", "TimeDistributed"):
        inner, fields = _inner(config)
        half = len(given) // 2 if kind == "Bidirectional" else len(given)
        return [*_converted(inner, fields, given[:half]), *_converted(inner, fields, given[half:])]
    if kind in GATES:
        return _joined(kind, given) if not first else given
    if kind == "SeparableConv2D" and first:
        return [_moved(item, SEPARABLE) for item in given[:2]] + given[2:]
    if kind == "Conv1D":
        return [_flat(item) for item in given[:1]] + given[1:]
    axes = MOVED.get((kind, first))
    return [_moved(item, axes) for item in given[:1]] + given[1:] if axes else given


def _inner(config: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Today's class of the layer inside another, and its fields as they stand in the file."""
    raw = config.get("layer")
    kind, fields = (raw.get("class_name"), raw.get("config")) if isinstance(raw, dict) else (None, None)
    return (CLASSES.get(kind, kind) if isinstance(kind, str) else ""), (fields if isinstance(fields, dict) else {})


def _moved(variable: Variable, axes: tuple[int, ...]) -> Variable:
    shape = variable.stored.shape
    if len(shape) != len(axes):
        return variable
    moved = Derived((variable.stored,), tuple(shape[a] for a in axes), lambda arrays: arrays[0].transpose(axes))
    return replace(variable, stored=moved)


def _flat(variable: Variable) -> Variable:
    """Conv1D: (length, 1, channels, filters), or (filters, channels, length, 1) before Keras 1.2."""
    shape = variable.stored.shape
    if len(shape) != 4:
        return variable
    if shape[3] == 1 and shape[1] != 1:
        variable = _moved(variable, (2, 3, 1, 0))
    length, one, channels, filters = variable.stored.shape
    if one != 1:
        return variable
    flat = Derived((variable.stored,), (length, channels, filters), lambda arrays: arrays[0][:, 0])
    return replace(variable, stored=flat)


def _joined(kind: str, variables: list[Variable]) -> list[Variable]:
    """One weight per kind of all gates, unless there are as few already (consume_less="gpu")."""
    gates = GATES.get(kind)
    if gates is None or len(variables) != 3 * len(gates):
        return variables
    parts = [[variables[3 * gate + which] for gate in gates] for which in range(len(PER_GATE))]
    if any(len({part.stored.shape for part in alike}) > 1 for alike in parts):
        return variables
    return [_join(alike, name) for alike, name in zip(parts, PER_GATE, strict=True)]


PER_GATE = ("kernel", "recurrent_kernel", "bias")


def _join(parts: list[Variable], name: str) -> Variable:
    stored = tuple(part.stored for part in parts)
    width = sum(item.shape[-1] if item.shape else 0 for item in stored)
    joined = Derived(stored, (*stored[0].shape[:-1], width), lambda arrays: np.concatenate(arrays, axis=-1))
    return Variable(name, joined)
