"""Which layer of one model is which of the other: by name, else by what it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from refconv.graph import Weight
from refconv.inventory.sides import Layer

NAME, INNER, STRUCTURE = "name", "name within another model", "structure"


@dataclass(frozen=True)
class Pair:
    """A layer of each side, None where one has no such layer. `by` says how they were matched, "" where not at all."""

    a: Layer | None
    b: Layer | None
    by: str = ""

    @property
    def path(self) -> str:
        """Of the second, which is newer; of the first where it is gone."""
        layer = self.b or self.a
        assert layer is not None
        return layer.path


def pair_layers(a: Mapping[str, Layer], b: Mapping[str, Layer]) -> list[Pair]:
    """Every layer of either once, in the order of `b`, those that are only in `a` where they were.

    By the whole path first. Then by the last name, where that is unique and the layers have weights of the same shapes
    (a base model that was nested in another). Then in order, by class and shapes of the weights.
    """
    found = {path: (path, NAME) for path in b if path in a}
    for match, by in ((_by_last, INNER), (_by_structure, STRUCTURE)):
        taken = {path for path, _ in found.values()}
        rest = [x for p, x in a.items() if p not in taken], [y for p, y in b.items() if p not in found]
        found |= {y.path: (x.path, by) for x, y in match(*rest)}
    return _in_order(a, b, found)


def _in_order(a: Mapping[str, Layer], b: Mapping[str, Layer], found: Mapping[str, tuple[str, str]]) -> list[Pair]:
    partner = {path: other for other, (path, _) in found.items()}
    pairs: dict[str, Pair] = {}
    waiting = iter(a)
    for path, layer in b.items():
        if path in found:
            for gone in waiting:
                if gone == found[path][0]:
                    break
                if gone not in partner:
                    pairs[f"a:{gone}"] = Pair(a[gone], None)
        pairs[f"b:{path}"] = Pair(a[found[path][0]], layer, found[path][1]) if path in found else Pair(None, layer)
    missing = (path for path in a if path not in partner and f"a:{path}" not in pairs)
    return [*pairs.values(), *(Pair(a[path], None) for path in missing)]


def _signature(layer: Layer) -> tuple[object, ...]:
    return layer.type, tuple(weight.shape for weight in layer.weights.values())


def _by_last(a: list[Layer], b: list[Layer]) -> Iterator[tuple[Layer, Layer]]:
    names = _unique(a, lambda layer: layer.last), _unique(b, lambda layer: layer.last)
    for name, layer in names[1].items():
        if name in names[0] and _signature(names[0][name]) == _signature(layer):
            yield names[0][name], layer


def _unique(layers: Iterable[Layer], name: Callable[[Layer], str]) -> dict[str, Layer]:
    layers = list(layers)
    counts = Counter(name(layer) for layer in layers)
    return {name(layer): layer for layer in layers if counts[name(layer)] == 1}


def _by_structure(a: list[Layer], b: list[Layer]) -> Iterator[tuple[Layer, Layer]]:
    """The longest runs of alike layers, as a text's lines are matched."""
    matcher = SequenceMatcher(None, [_signature(x) for x in a], [_signature(y) for y in b], autojunk=False)
    for block in matcher.get_matching_blocks():
        yield from zip(a[block.a : block.a + block.size], b[block.b : block.b + block.size], strict=True)


def pair_weights(a: Mapping[str, Weight], b: Mapping[str, Weight]) -> list[tuple[str, Weight | None, Weight | None]]:
    """The weights of two layers that belong together: by name; in order where names differ and the shapes do not.

    Containers spell the weights of a layer without a reference each in its own way (kernel, var0).
    """
    if set(a) != set(b) and [w.shape for w in a.values()] == [w.shape for w in b.values()]:
        return [(name, x, b[name]) for x, name in zip(a.values(), b, strict=True)]
    return [(name, a.get(name), b.get(name)) for name in dict.fromkeys([*b, *a])]
