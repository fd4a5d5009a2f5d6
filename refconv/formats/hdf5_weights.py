"""Weights of a .h5 file: one group per top-level layer, a nested model's weights all in the group of the outer layer.

`layer_names` and `weight_names` list them in Keras's order: the trainable ones of a whole group first, then the others
(`save_weights_to_hdf5_group` of keras/src/legacy/saving/legacy_h5_format.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from refconv.errors import UnreadableModel
from refconv.formats.hdf5 import Group, Hdf5File
from refconv.formats.leaves import Leaf, Path
from refconv.formats.matching import STATISTICS, Variable, of_inner
from refconv.formats.model import Model
from refconv.ops.base import Shape, fits

TOP_LEVEL = "top_level_model_weights"


def find_variables(file: Hdf5File, model: Model, leaves: Sequence[Leaf]) -> dict[Path, list[Variable]]:
    """The stored variables of each leaf.

    Raises:
        UnreadableModel: groups and layers do not correspond, or a nested model's weights cannot be told apart.
    """
    with file.open() as root:
        alone = root.text("model_config") is None and root.texts("layer_names") is not None  # a file of weights alone
        if not alone and "model_weights" not in root:
            raise UnreadableModel("the file has no weights (no group model_weights)", where=file.where)
        groups = dict(_groups(root if alone else root.group("model_weights")))
    found: dict[Path, list[Variable]] = {}
    for name, variables in _by_layer(groups, model, leaves, file.where).items():
        inside = [leaf for leaf in leaves if leaf.path[0] == name]
        nested = len(inside) != 1 or len(inside[0].path) > 1
        found.update(distribute(inside, variables, name) if nested else {inside[0].path: variables})
    return found


def _groups(weights: Group) -> Iterator[tuple[str, list[Variable]]]:
    names = weights.texts("layer_names")
    if names is None:
        raise UnreadableModel("the weights have no layer_names", where=weights.where)
    for name in names:
        group = weights.group(name)
        stored = group.texts("weight_names") or []
        yield name, [Variable(item.removesuffix(":0"), group.stored(item)) for item in stored]


def _by_layer(
    groups: Mapping[str, list[Variable]], model: Model, leaves: Sequence[Leaf], where: str
) -> dict[str, list[Variable]]:
    """Groups by the name of their layer. Where names differ, Keras goes by order: so does this."""
    full = {name: variables for name, variables in groups.items() if variables and name != TOP_LEVEL}
    names = {layer.name for layer in model.layers}
    if set(full) <= names:
        return full
    weighted = [layer.name for layer in model.layers if _has_weights(layer.name, leaves)]
    if len(weighted) != len(full):
        stray = next(name for name in full if name not in names)
        raise UnreadableModel(f"the file stores weights of {stray!r}, and there is no such layer", where=where)
    return dict(zip(weighted, full.values(), strict=True))


def _has_weights(name: str, leaves: Sequence[Leaf]) -> bool:
    return any(leaf.path[0] == name and leaf.resolved.weights != {} for leaf in leaves)


def distribute(leaves: Sequence[Leaf], variables: Sequence[Variable], group: str) -> dict[Path, list[Variable]]:
    """A nested model's variables among its leaves: by their names, else in Keras's order by shape.

    Raises:
        UnreadableModel: neither way assigns every variable.
    """
    found = _by_name(leaves, variables)
    if found is None:
        found = _by_order(leaves, variables)
    if found is None:
        raise UnreadableModel(
            f"its {len(variables)} stored weights do not fit the {len(leaves)} layers of this model",
            where=f"layer {group}",
        )
    return found


def _by_name(leaves: Sequence[Leaf], variables: Sequence[Variable]) -> dict[Path, list[Variable]] | None:
    """None unless every variable names one leaf, and every leaf then has as many as it wants, of its shapes."""
    found: dict[Path, list[Variable]] = {leaf.path: [] for leaf in leaves}
    for variable in variables:
        leaf = _named_leaf(leaves, variable)
        if leaf is None:
            return None
        found[leaf.path].append(variable)
    return found if all(_complete(leaf, found[leaf.path]) for leaf in leaves) else None


def _named_leaf(leaves: Sequence[Leaf], variable: Variable) -> Leaf | None:
    """The leaf whose path the variable's name has most of; None where two are as good, or none is named."""
    scored = [(_score(leaf, variable.name), leaf) for leaf in leaves]
    best = max(score for score, _ in scored)
    named = [leaf for score, leaf in scored if score == best]
    return named[0] if best > (0, 0) and len(named) == 1 else None


def _score(leaf: Leaf, name: str) -> tuple[int, int]:
    """How many of the path's names the variable's name holds, the innermost demanded; and whether it ends in it."""
    if "/" not in name:  # Keras 1: dense_1_W
        return (len(leaf.path[-1]), 1) if name.startswith(f"{leaf.path[-1]}_") else (0, 0)
    holder = f"/{name.rpartition('/')[0]}/"
    if f"/{leaf.path[-1]}/" not in holder:
        return (0, 0)
    return sum(f"/{part}/" in holder for part in leaf.path), int(holder.endswith(f"/{leaf.path[-1]}/"))


def _complete(leaf: Leaf, variables: Sequence[Variable]) -> bool:
    expected = leaf.resolved.weights
    return expected is None or len(expected) == len(of_inner(leaf, variables))


def _by_order(leaves: Sequence[Leaf], variables: Sequence[Variable]) -> dict[Path, list[Variable]] | None:
    """None where some leaf is unknown, or no order in which Keras lists the weights has these shapes."""
    if any(leaf.resolved.weights is None for leaf in leaves):
        return None
    for slots in (_slots(leaves, True), _slots(leaves, False)):
        if len(slots) != len(variables):
            return None
        pairs = list(zip(slots, variables, strict=True))
        if all(fits(shape, variable.stored.shape) for (_, _, shape), variable in pairs):
            found: dict[Path, list[tuple[str, Variable]]] = {leaf.path: [] for leaf in leaves}
            for (path, name, _), variable in pairs:
                found[path].append((name, variable))
            return {path: [Variable(name, item.stored) for name, item in named] for path, named in found.items()}
    return None


def _slots(leaves: Sequence[Leaf], frozen: bool) -> list[tuple[Path, str, Shape]]:
    """What a model's weights are, in order: trainable first. With `frozen`, untrained layers have none of those."""
    first: list[tuple[Path, str, Shape]] = []
    last: list[tuple[Path, str, Shape]] = []
    for leaf in leaves:
        for name, shape in (leaf.resolved.weights or {}).items():
            trained = name not in STATISTICS and (leaf.trainable or not frozen)
            (first if trained else last).append((leaf.path, name, shape))
    return first + last
