"""Weights of a .keras archive: groups by position, `layers/conv2d_1/vars/0`, nested models within.

A layer's group is named after its class in snake case, numbered among the layers of that class: `_save_container_state`
of keras/src/saving/saving_lib.py. Keras 2.12 to 2.14 call the container `_layer_checkpoint_dependencies`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from refconv.errors import UnreadableModel
from refconv.formats.hdf5 import Group, Hdf5File
from refconv.formats.leaves import Leaf, Path
from refconv.formats.matching import Variable
from refconv.formats.model import Layer, Model

CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
VARS = "vars"
OF_TRAINING = ("optimizer", "compile_metrics", "metrics")  # groups beside a model's own
# Layers inside a layer, as Keras lists their weights: groups come by name. The others follow.
ORDER = ("forward_layer", "query_dense", "key_dense", "gate_dense", "value_dense")
CLASSES = {"GroupQueryAttention": "GroupedQueryAttention"}  # exported under another name than its own
# Of a layer that is known only its own variables count; a random seed's state is none of them.
SEEDS = re.compile(r"(^|/)(seed_generator|_?random_generator)/")


def find_variables(file: Hdf5File, model: Model, leaves: Sequence[Leaf]) -> dict[Path, list[Variable]]:
    """The stored variables of each leaf.

    Raises:
        UnreadableModel: the file stores weights of a layer that the configuration does not have.
    """
    known = {leaf.path: leaf for leaf in leaves}
    with file.open() as root:
        if model.opaque:
            return {leaves[0].path: [v for v in _of_leaf(root) if v.name.partition("/")[0] not in OF_TRAINING]}
        return dict(_of_model(root, model, known, ()))


def _of_model(
    group: Group, model: Model, leaves: Mapping[Path, Leaf], path: Path
) -> Iterator[tuple[Path, list[Variable]]]:
    container = next((group.group(name) for name in CONTAINERS if name in group), None)
    if container is None:
        return
    layers = [layer for layer in model.layers if not layer.is_input and not _is_operation(layer, leaves, path)]
    names = _group_names(container, layers)
    for layer in layers:
        if (name := names.get(layer.name)) is None:
            continue
        inner = container.group(name)
        if layer.model is not None:
            yield from _of_model(inner, layer.model, leaves, (*path, layer.name))
        else:
            yield (*path, layer.name), list(_of_leaf(inner))
    _refuse_stray(container, set(names.values()))


def _is_operation(layer: Layer, leaves: Mapping[Path, Leaf], path: Path) -> bool:
    """Operations of Keras 3 (`keras.ops`) are in the configuration, but are no layers and have no group."""
    leaf = leaves.get((*path, layer.name))
    return leaf is not None and ".ops." in leaf.resolved.type


def _group_names(container: Group, layers: Sequence[Layer]) -> dict[str, str]:
    """Layer → its group. Keras 2.12 leaves gaps in the numbers: where the counts agree, order decides."""
    names = container.names()
    found: dict[str, str] = {}
    for snake in dict.fromkeys(snake_case(layer.class_name) for layer in layers):
        alike = [layer.name for layer in layers if snake_case(layer.class_name) == snake]
        groups = sorted((n for n in names if re.fullmatch(rf"{re.escape(snake)}(_\d+)?", n)), key=_number)
        if len(groups) == len(alike):
            found.update(zip(alike, groups, strict=True))
        else:
            numbered = [snake, *(f"{snake}_{index}" for index in range(1, len(alike)))]
            found.update({layer: name for layer, name in zip(alike, numbered, strict=True) if name in names})
    return found


def _number(name: str) -> int:
    tail = re.search(r"_(\d+)$", name)
    return int(tail.group(1)) if tail else -1


def snake_case(class_name: str) -> str:
    """Conv2DTranspose → conv2d_transpose; the package of a registered class ("Mine>Conv") is left out."""
    bare = class_name.rpartition(">")[2]
    name = re.sub(r"\W+", "", CLASSES.get(bare, bare))
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _of_leaf(group: Group) -> Iterator[Variable]:
    for name in sorted(group.datasets(), key=lambda name: (_rank(name), _natural(name))):
        if not SEEDS.search(name):
            yield Variable(_readable(name), group.stored(name))


def _rank(name: str) -> int:
    """Keras 2 gives these names an underscore."""
    first = name.partition("/")[0].removeprefix("_")
    return ORDER.index(first) if first in ORDER else len(ORDER)


def _natural(name: str) -> list[tuple[int, str]]:
    """9 before 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"[/_]", name)]


def _readable(name: str) -> str:
    """vars/0 → var0, cell/vars/1 → cell/var1."""
    return re.sub(rf"(^|/){VARS}/(?=[^/]*$)", r"\1var", name)


def _refuse_stray(container: Group, used: set[str]) -> None:
    for name in container.names():
        if name in used or not container.is_group(name):
            continue
        if any(not SEEDS.search(path) for path in container.group(name).datasets()):
            raise UnreadableModel(
                f"the file stores weights of {name!r}, and the configuration has no such layer", where=container.where
            )
