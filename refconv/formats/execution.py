"""In which order Keras runs a model's layer calls, so that the calls of a shared layer are counted as Keras counts.

Keras gives each call a depth, its distance from the outputs, raised to the deepest call of the same layer, and runs
the deepest first; calls of one depth run in the order in which the walk from the outputs meets them
(`map_graph` of keras/src/ops/function.py, `_map_graph_network` of tf_keras/src/engine/functional.py).
"""

from __future__ import annotations

from refconv.errors import UnreadableModel
from refconv.formats.inbound import TensorRef
from refconv.formats.model import Model, at

Key = tuple[str, int]  # layer, number of its call


def execution_order(model: Model, where: str) -> list[Key]:
    """Every call that an output depends on, and every declared input, each after what it depends on.

    Raises:
        UnreadableModel: the calls form a cycle.
    """
    parents = dict(_parents(model))
    finished, _ = _depth_first(model, parents, where)
    depths, _ = _depths(model, parents, finished)
    # Raising a shared layer's calls to its deepest one can overtake a call in between, so that depth alone is no order.
    return _repaired(sorted(depths, key=lambda key: -depths[key]), parents)


def layer_order(model: Model, where: str) -> list[str]:
    """The layers as a loaded model lists them: the deepest first, of one depth as the walk from the outputs enters."""
    parents = dict(_parents(model))
    finished, entered = _depth_first(model, parents, where)
    _, deepest = _depths(model, parents, finished)
    index = {name: number for number, name in enumerate(entered)}
    return sorted(deepest, key=lambda name: (-deepest[name], index.get(name, -1)))


def _depths(model: Model, parents: dict[Key, list[Key]], finished: list[Key]) -> tuple[dict[Key, int], dict[str, int]]:
    """Of every call, and of every layer: that of its deepest call."""
    depths: dict[Key, int] = {}
    deepest: dict[str, int] = {}
    for key in reversed(finished):
        depth = max(depths.setdefault(key, 0), deepest.get(key[0], 0))
        deepest[key[0]] = depths[key] = depth
        for parent in parents[key]:
            depths[parent] = max(depth + 1, depths.get(parent, 0))
    for ref in model.inputs:
        depths.setdefault((ref.layer, 0), 0)
        deepest.setdefault(ref.layer, 0)
    return depths, deepest


def _parents(model: Model) -> list[tuple[Key, list[Key]]]:
    found: list[tuple[Key, list[Key]]] = []
    for layer in model.layers:
        if layer.is_input:
            found.append(((layer.name, 0), []))
        for number, call in enumerate(layer.calls):
            found.append(((layer.name, number), [_key(ref) for ref in call.references]))
    return found


def _key(ref: TensorRef) -> Key:
    return ref.layer, ref.call


def _depth_first(model: Model, parents: dict[Key, list[Key]], where: str) -> tuple[list[Key], list[str]]:
    """A depth-first walk from the outputs: calls as it leaves them, layers as it enters them.

    No recursion, models are deep.
    """
    finished: dict[Key, None] = {}
    entered: dict[Key, None] = {}
    for output in map(_key, model.outputs):
        stack = [(output, iter(parents[output]))] if output not in finished else []
        entered.update((key, None) for key, _ in stack)
        while stack:
            key, waiting = stack[-1]
            parent = next((item for item in waiting if item not in finished), None)
            if parent is None:
                finished[key] = None
                stack.pop()
            elif parent in entered:
                raise UnreadableModel(f"the calls of layer {parent[0]!r} form a cycle", where=at(where))
            else:
                entered[parent] = None
                stack.append((parent, iter(parents[parent])))
    return list(finished), list(dict.fromkeys(name for name, _ in entered))


def _repaired(order: list[Key], parents: dict[Key, list[Key]]) -> list[Key]:
    """`order`, with a call that comes before what it depends on moved just behind that."""
    done: dict[Key, None] = {}
    waiting = order
    while waiting:
        late = []
        for key in waiting:
            if all(parent in done for parent in parents[key]):
                done[key] = None
            else:
                late.append(key)
        waiting = late
    return list(done)
