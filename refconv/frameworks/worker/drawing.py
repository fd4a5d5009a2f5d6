"""Samples for a model whose user gives no input, drawn from what the loaded model declares.

The same numbers as refconv's own (inputs/draw.py says what they are like), where the model declares the same as its
file does.
"""

from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

Shape = Tuple[Any, ...]

OCTAVES, PIXELS, FAR = 3.0, 256, 16.0
SEQUENCE, PLANE, VOLUME, CHANNELS = 16, 32, 16, 3


class Undrawable(Exception):
    """Why there are no samples, in one line."""


def draw(model: Any, samples: int, seed: int, shapes: Dict[str, Shape], ranges: Dict[str, int]) -> List[np.ndarray]:
    """One array per input of the model, in its order.

    Args:
        samples: how many; a fixed batch of the model goes before it.
        shapes: input's name, or "" for every one → sizes of its unknown dimensions, or of all, without the batch.
        ranges: input's name, or "" → how many integers it may hold, from 0 on; else what Embeddings behind it hold.

    Raises:
        Undrawable: an input takes strings, or a shape does not fit.
    """
    declared = list(model.inputs)
    fixed = [int(x.shape[0]) for x in declared if x.shape[0] is not None]
    count = max(fixed or [samples])
    known = {**_ranges(model), **ranges}
    found = []
    for number, (name, x) in enumerate(zip(names(model), declared)):
        shape = assumed(tuple(x.shape)[1:], shapes.get(name, shapes.get("")), name)
        limit = known.get(name, known.get(""))
        batch = int(x.shape[0]) if x.shape[0] is not None else count
        found.append(_one((batch, *shape), dtype_name(x.dtype), np.random.default_rng([seed, number]), limit, name))
    return found


def names(model: Any) -> List[str]:
    """Of the model's inputs: Keras 3 calls a tensor as its InputLayer, Keras 2 names it with a number behind."""
    known = getattr(model, "input_names", None)
    return list(known) if known else [str(x.name).split(":")[0] for x in model.inputs]


def dtype_name(dtype: Any) -> str:
    return dtype if isinstance(dtype, str) else str(dtype.name)


def assumed(declared: Shape, said: Any, name: str) -> Tuple[int, ...]:
    """The sizes without the batch: those declared, those said, else 16 for sequences, 32 × 32 for images, 16³."""
    unknown = [i for i, size in enumerate(declared) if size is None]
    if said is not None and unknown:
        full = list(declared)
        if len(said) == len(unknown):
            for i, size in zip(unknown, said):
                full[i] = size
            return tuple(full)
        if len(said) != len(declared) or any(d not in (None, s) for d, s in zip(declared, said)):
            raise Undrawable(f"{said} does not fit input {name!r}, which takes {declared}")
        return tuple(said)
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
    fed = list(zip(names(model), model.inputs))
    for layer in model.layers:
        given = [tensor for node in getattr(layer, "_inbound_nodes", ()) for tensor in _inputs(node)]
        for name, x in fed:
            if type(layer).__name__ == "Embedding" and any(_reaches(x, tensor) for tensor in given):
                limits[name] = min(limits.get(name, layer.input_dim), layer.input_dim)
            elif _takes_pixels(layer) and any(tensor is x for tensor in given):
                limits.setdefault(name, PIXELS)
    return limits


def _takes_pixels(layer: Any) -> bool:
    """A Rescaling or Normalization whose own constants say that its input reaches far beyond 1."""
    if type(layer).__name__ == "Rescaling":
        return _largest(layer.scale) * FAR < 1
    variance = getattr(layer, "input_variance", None) if type(layer).__name__ == "Normalization" else None
    return variance is not None and not getattr(layer, "invert", False) and _largest(variance) > FAR**2


def _largest(numbers: Any) -> float:
    return float(np.max(np.abs(np.asarray(numbers, np.float64))))


def _reaches(x: Any, tensor: Any) -> bool:
    """Whether a tensor of the model's graph is made from `x`."""
    waiting, seen = [tensor], set()
    while waiting:
        each = waiting.pop()
        if each is x:
            return True
        history = getattr(each, "_keras_history", None)
        if history is None or id(each) in seen:
            continue
        seen.add(id(each))
        operation, index = history[0], history[1]
        nodes = getattr(operation, "_inbound_nodes", ())
        waiting.extend(_inputs(nodes[index]) if index is not None and index < len(nodes) else ())
    return False


def _inputs(node: Any) -> Sequence[Any]:
    tensors = getattr(node, "keras_inputs", None)
    tensors = getattr(node, "input_tensors", ()) if tensors is None else tensors
    return list(tensors) if isinstance(tensors, (list, tuple)) else [tensors]
