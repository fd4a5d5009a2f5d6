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
    finished = _depth_first(model, parents, where)
    depths: dict[Key, int] = {}
    deepest: dict[str, int] = {}
    for key in reversed(finished):
        depth = max(depths.setdefault(key, 0), deepest.get(key[0], 0))
        deepest[key[0]] = depths[key] = depth
        for parent in parents[key]:
            depths[parent] = max(depth + 1, depths.get(parent, 0))
    for ref in model.inputs:
        depths.setdefault((ref.layer, 0), 0)
    # Raising a shared layer's calls to its deepest one can overtake a call in between, so that depth alone is no order.
    return _repaired(sorted(depths, key=lambda key: -depths[key]), parents)


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


def _depth_first(model: Model, parents: dict[Key, list[Key]], where: str) -> list[Key]:
    """Calls in the order in which a depth-first walk from the outputs leaves them; no recursion, models are deep."""
    finished: dict[Key, None] = {}
    entered: set[Key] = set()
    for output in map(_key, model.outputs):
        stack = [(output, iter(parents[output]))] if output not in finished else []
        entered.update(key for key, _ in stack)
        while stack:
            key, waiting = stack[-1]
            parent = next((item for item in waiting if item not in finished), None)
            if parent is None:
                finished[key] = None
                stack.pop()
            elif parent in entered:
                raise UnreadableModel(f"the calls of layer {parent[0]!r} form a cycle", where=at(where))
            else:
                entered.add(parent)
                stack.append((parent, iter(parents[parent])))
    return list(finished)


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
