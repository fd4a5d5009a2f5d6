"""Stored and effective weights of every layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from refconv import formats
from refconv.errors import BadInput
from refconv.graph import Graph, Node, Weight
from refconv.ops.base import Slot
from refconv.ops.table import TABLE
from refconv.quantizers.base import LINEAR, Quantized


@dataclass(frozen=True)
class LayerWeight:
    """One weight of a layer.

    Attributes:
        name: canonical name (kernel, bias, gamma …).
        trainable: as the file says; False for one that is computed from others.
        weight: where it is stored; None for one that is computed from others (a folded bias).
        slot: what its quantizer is given; None where the layer multiplies by the stored values.
    """

    name: str
    trainable: bool
    weight: Weight | None = field(repr=False)
    slot: Slot | None = field(repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.effective.shape if self.weight is None else self.weight.shape

    @property
    def stored(self) -> np.ndarray | None:
        """The values in the file."""
        return None if self.weight is None else self.weight.value

    @cached_property
    def effective(self) -> np.ndarray:
        """What the layer multiplies by, float32 where a quantizer or a folding made it."""
        if self.slot is None:
            assert self.weight is not None
            return self.weight.value
        return self.slot.effective.mid.astype(np.float32)

    @cached_property
    def raw(self) -> np.ndarray:
        """What the quantizer is given: the stored values, or those with a BatchNormalization folded in."""
        return self.effective if self.slot is None else self.slot.raw.mid.astype(np.float32)

    @cached_property
    def quantized(self) -> Quantized | None:
        """Values, codes and scale; None where nothing quantizes it."""
        if self.slot is None or self.slot.quantizer is None:
            return None
        found: Quantized = self.slot.quantizer.quantize(self.raw)
        return found

    @property
    def codes(self) -> np.ndarray | None:
        """The integers behind the effective values: effective = codes · scale where `coding` is "linear"."""
        return None if self.quantized is None else self.quantized.codes

    @property
    def scale(self) -> np.ndarray | float | None:
        """The value of one code; broadcasts against the codes."""
        return None if self.quantized is None else self.quantized.scale

    @property
    def quantizer(self) -> str:
        """The quantizer in words, "" where there is none."""
        return "" if self.slot is None or self.slot.quantizer is None else str(self.slot.quantizer.describe())

    @property
    def saturated(self) -> float | None:
        """Share of values at the least or greatest code; None where codes have no such ends."""
        limits = self.slot.quantizer.codes_range if self.slot and self.slot.quantizer else None
        if limits is None or self.codes is None or self.quantized is None or self.quantized.coding != LINEAR:
            return None
        return float(np.mean((self.codes <= limits[0]) | (self.codes >= limits[1])))

    @property
    def largest_change(self) -> float:
        """Largest |given to the quantizer − effective|."""
        return float(np.max(np.abs(self.raw.astype(np.float64) - self.effective), initial=0.0))


class LayerWeights(Mapping[str, LayerWeight]):
    """The weights of one layer by name; also as attributes: `refconv.weights(path)["conv"].kernel.effective`."""

    def __init__(self, layer: str, type_: str, weights: Mapping[str, LayerWeight]) -> None:
        self.layer, self.type, self._weights = layer, type_, weights

    def __getitem__(self, name: str) -> LayerWeight:
        return self._weights[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)

    def __getattr__(self, name: str) -> LayerWeight:
        if name.startswith("_") or name not in self._weights:
            raise AttributeError(f"layer {self.layer} has no weight {name!r}; it has {', '.join(self) or 'none'}")
        return self._weights[name]

    @property
    def is_quantized(self) -> bool:
        return any(weight.quantizer for weight in self.values())


def weights(path: str | Path, architecture: str | Path | None = None) -> dict[str, LayerWeights]:
    """The weights of every layer of a model file, by layer path; arguments as of `refconv.load`.

    Raises:
        UnreadableModel: see `refconv.load`.
    """
    return of_graph(formats.load(path, architecture))


def of_graph(graph: Graph) -> dict[str, LayerWeights]:
    """The weights of every layer of `graph`; a shared layer once."""
    found: dict[str, LayerWeights] = {}
    for node in graph.nodes:
        if node.weights and node.layer not in found:
            found[node.layer] = of_node(node)
    return found


def of_node(node: Node) -> LayerWeights:
    """The weights of one layer."""
    slots = _slots(node)
    stored = {name: LayerWeight(name, w.trainable, w, slots.get(name)) for name, w in node.weights.items()}
    made = {name: LayerWeight(name, False, None, slot) for name, slot in slots.items() if name not in stored}
    return LayerWeights(node.layer, node.type, {**stored, **made})


def _slots(node: Node) -> Mapping[str, Slot]:
    row = TABLE.get(node.type)
    if node.attrs is None or row is None or row.slots is None:
        return {}
    return row.slots(node.attrs, {name: weight.value for name, weight in node.weights.items()})


def choose(found: Mapping[str, LayerWeights], layer: str) -> LayerWeights:
    """One layer by its path, or by its last name where that is unique.

    Raises:
        BadInput: there is no such layer, or several.
    """
    if layer in found:
        return found[layer]
    named = [path for path in found if path.rpartition("/")[2] == layer]
    if len(named) == 1:
        return found[named[0]]
    hint = ", ".join(list(named or found)[:6])
    problem = "several layers are called" if named else "no layer with weights is called"
    raise BadInput(f"{problem} {layer!r}", where="LAYER", hint=f"there are {hint}")
