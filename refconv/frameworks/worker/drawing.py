"""Samples for a model whose user gives no input, drawn from what the loaded model declares.

The same numbers as refconv's own (inputs/draw.py says what they are like), where the model declares the same as its
file does.
"""

from typing import Any, Dict, List, Sequence, Set, Tuple

import numpy as np

from refconv.frameworks.worker.capture import dtype_name

Shape = Tuple[Any, ...]
Sources = Dict[int, Set[str]]  # id of a tensor → names of the model's inputs

OCTAVES, PIXELS, FAR = 3.0, 256, 16.0
SEQUENCE, PLANE, VOLUME, CHANNELS = 16, 32, 16, 3
EMBEDDINGS = ("Embedding", "ReversibleEmbedding")


class Undrawable(Exception):
    """Why there are no samples, in one line."""


def draw(model: Any, samples: int, seed: int, shapes: Dict[str, Shape], ranges: Dict[str, int]) -> List[np.ndarray]:
    """One array per input of the model, in its order.

    Args:
        samples: how many; a fixed batch of the model goes before it.
        shapes: input's name, or "" for every one → sizes of its unknown dimensions, or of all, without the batch.
        ranges: input's name, or "" → how many integers it may hold, from 0 on; else what Embeddings behind it hold.

    Raises:
        Undrawable: an input takes strings or is not declared, or a shape or range does not fit.
    """
    declared, called = list(getattr(model, "inputs", None) or []), names(model)
    _demand_fitting(called if declared else [], shapes, ranges)
    fixed = [int(x.shape[0]) for x in declared if x.shape[0] is not None]
    count = max(fixed or [samples])
    known = {**dict.fromkeys(called, ranges.get("")), **_ranges(model), **{n: ranges[n] for n in ranges if n}}
    found = []
    for number, (name, x) in enumerate(zip(called, declared)):
        shape = _shaped(name, tuple(x.shape)[1:], shapes, alone=len(declared) == 1)
        batch = int(x.shape[0]) if x.shape[0] is not None else count
        generator = np.random.default_rng([seed, number])  # its own: one input's shape does not change the others
        found.append(_one((batch, *shape), dtype_name(x.dtype), generator, known[name], name))
    return found


def names(model: Any) -> List[str]:
    """What the layers that stand for the model's inputs are called; a subclassed model's one is "input"."""
    if not getattr(model, "inputs", None):
        return ["input"]
    return [str(x._keras_history[0].name) for x in model.inputs]


def _demand_fitting(called: List[str], shapes: Dict[str, Shape], ranges: Dict[str, int]) -> None:
    if not called:
        raise Undrawable("the model does not declare its inputs, so that none are drawn: give them with --input")
    for option, said in (("--shape", shapes), ("--range", ranges)):
        for name in said:
            if name and name not in called:
                raise Undrawable(f"{option}: no input is called {name!r}; the inputs are {', '.join(called)}")
    for limit in ranges.values():
        if limit < 1:
            raise Undrawable(f"--range: {limit} is no number of integers")


def _shaped(name: str, declared: Shape, shapes: Dict[str, Shape], *, alone: bool) -> Tuple[int, ...]:
    """The sizes without the batch: those declared, those said, else what is assumed."""
    if name in shapes:
        return _filled(name, declared, shapes[name])
    if "" in shapes and (alone or None in declared):
        return _filled(name, declared, shapes[""])
    return _assumed(declared)


def _filled(name: str, declared: Shape, said: Shape) -> Tuple[int, ...]:
    """`said` has all sizes of the input, or only the unknown ones."""
    full = list(said)
    if len(said) == declared.count(None):
        rest = iter(said)
        full = [next(rest) if size is None else size for size in declared]
    fits = len(full) == len(declared) and all(d in (None, s) for d, s in zip(declared, full))
    if not fits or any(size < 1 for size in full):
        wanted = ",".join("?" if size is None else str(size) for size in declared)
        raise Undrawable(f"--shape: {','.join(map(str, said))} does not fit input {name!r}, which takes {wanted}")
    return tuple(full)


def _assumed(declared: Shape) -> Tuple[int, ...]:
    """16 for a sequence, 32 × 32 for an image, 16³ for a volume, and 3 for an image's unknown channels."""
    size = {3: PLANE, 4: VOLUME}.get(len(declared), SEQUENCE)
    full = [size if d is None else d for d in declared]
    if len(declared) >= 3 and declared[-1] is None and declared[0] not in (1, 3, 4):
        full[-1] = CHANNELS
    return tuple(int(n) for n in full)


def _one(shape: Shape, dtype: str, generator: Any, limit: Any, name: str) -> np.ndarray:
    if dtype == "string":
        raise Undrawable(f"input {name!r} takes strings, which cannot be drawn: give them with --input")
    if dtype == "bool":
        return generator.integers(0, 2, shape).astype(bool)
    wide = "float32" if dtype == "bfloat16" else dtype  # Keras casts it to what the model declares
    kind = np.dtype(wide).kind
    if kind in "iu" or limit is not None:
        highest = int(np.iinfo(wide).max) if kind in "iu" else 1 << 24
        return generator.integers(0, max(1, min(PIXELS if limit is None else limit, highest + 1)), shape).astype(wide)
    scale = 2.0 ** generator.uniform(-OCTAVES, OCTAVES, shape[:2] + (1,) * (len(shape) - 2))
    return (generator.standard_normal(shape) * scale).astype(wide)


def _ranges(model: Any) -> Dict[str, int]:
    """What integers an input may hold: the fewest of an Embedding that it reaches, or pixels where it is scaled."""
    limits: Dict[str, int] = {}
    names_of = {id(x): {name} for name, x in zip(names(model), model.inputs)}
    _gather(model, names_of, names_of, limits)
    return limits


def _gather(model: Any, behind: Sources, itself: Sources, limits: Dict[str, int]) -> None:
    """Look at every call of every layer of a model, and into the models in it.

    Args:
        behind: input of this model → the outermost inputs that it is made from.
        itself: the same of those that it is.
    """
    for layer in model.layers:
        for node in getattr(layer, "_inbound_nodes", ()):
            given = _inputs(node)
            if getattr(layer, "layers", None) and getattr(layer, "inputs", None):
                pairs = [(id(inner), x) for inner, x in zip(layer.inputs, given)]
                within = {inner: _sources([x], behind) for inner, x in pairs}
                _gather(layer, within, {inner: itself.get(id(x), set()) for inner, x in pairs}, limits)
            elif _looks_up(layer, node):
                for name in _sources(given, behind):
                    limits[name] = min(limits.get(name, layer.input_dim), layer.input_dim)
            elif given and _takes_pixels(layer):
                for name in itself.get(id(given[0]), ()):
                    limits.setdefault(name, PIXELS)


def _looks_up(layer: Any, node: Any) -> bool:
    """Whether this call takes integers, each a row of a table: not one of a ReversibleEmbedding in reverse."""
    given = getattr(getattr(node, "arguments", None), "kwargs", {})
    return type(layer).__name__ in EMBEDDINGS and not given.get("reverse")


def _takes_pixels(layer: Any) -> bool:
    """A Rescaling or Normalization whose own constants say that its input reaches far beyond 1."""
    if type(layer).__name__ == "Rescaling":
        return _largest(layer.scale) * FAR < 1
    variance = getattr(layer, "input_variance", None) if type(layer).__name__ == "Normalization" else None
    return variance is not None and not getattr(layer, "invert", False) and _largest(variance) > FAR**2


def _largest(numbers: Any) -> float:
    return float(np.max(np.abs(np.asarray(numbers, np.float64))))


def _sources(tensors: Sequence[Any], behind: Sources) -> Set[str]:
    """The outermost inputs that tensors of a model's graph are made from."""
    waiting, seen = list(tensors), set()
    found: Set[str] = set()
    while waiting:
        each = waiting.pop()
        history = getattr(each, "_keras_history", None)
        found.update(behind.get(id(each), ()))
        if history is None or id(each) in seen or id(each) in behind:
            continue
        seen.add(id(each))
        operation, index = history[0], history[1]
        nodes = getattr(operation, "_inbound_nodes", ())
        waiting.extend(_inputs(nodes[index]) if index is not None and index < len(nodes) else ())
    return found


def _inputs(node: Any) -> Sequence[Any]:
    tensors = getattr(node, "keras_inputs", None)
    tensors = getattr(node, "input_tensors", ()) if tensors is None else tensors
    return list(tensors) if isinstance(tensors, (list, tuple)) else [tensors]
