"""Whether the weights that a quantized layer multiplies by have changed, whatever became of the stored ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from refconv.errors import RefconvError
from refconv.inventory.pairing import Pair
from refconv.inventory.sides import Layer
from refconv.inventory.weights import LayerWeight, of_node


@dataclass(frozen=True)
class EffectiveChange:
    """Of one weight behind its quantizer: how many values there are, how many differ, and the largest difference.

    `elements` is 0 where the shapes differ, which counts as changed.
    """

    elements: int
    changed: int
    largest: float

    @property
    def same(self) -> bool:
        return self.elements > 0 and not self.changed


def effective_changes(pair: Pair) -> dict[str, EffectiveChange]:
    """By the name of the weight; nothing for a layer that multiplies by the stored values.

    A bias that folding makes is among them, stored or not.
    """
    if pair.a is None or pair.b is None:
        return {}
    a, b = _made(pair.a), _made(pair.b)
    return {name: _compared(a[name], b[name]) for name in b if name in a and (a[name].slot or b[name].slot)}


def _made(layer: Layer) -> Mapping[str, LayerWeight]:
    if layer.node is None:
        return {}
    try:
        return of_node(layer.node)
    except (RefconvError, ValueError):  # weights that do not fit the layer's quantizer: the stored ones are compared
        return {}


def _compared(a: LayerWeight, b: LayerWeight) -> EffectiveChange:
    x, y = (np.asarray(w.effective, np.float64) for w in (a, b))
    if x.shape != y.shape:
        return EffectiveChange(0, 0, 0.0)
    changed = (x != y) & ~(np.isnan(x) & np.isnan(y))
    with np.errstate(invalid="ignore"):
        largest = float(np.max(np.abs(y - x)[changed], initial=0.0))
    return EffectiveChange(x.size, int(np.count_nonzero(changed)), largest)
