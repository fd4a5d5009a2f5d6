"""Numbers that a person can compute with: zeros, ones and small integers in place of what was drawn or trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from math import prod

import numpy as np

from refconv.pipeline.reducing.case import Case
from refconv.pipeline.reducing.shrinking import Shrinking

LARGEST = 8  # the integers that arrays are rounded to
EACH = 48  # numbers in a case that are simplified one by one

Place = tuple[str, int | str]


def simplify(search: Shrinking) -> None:
    """Array by array, then number by number, as long as the case fails in the same way."""
    for place in list(_places(search.best.case)):
        for make in (np.zeros_like, np.ones_like, _counted, _whole, _powers):
            if _try(search, place, make):
                break
    if search.best.case.elements <= EACH:
        _one_by_one(search)


def _one_by_one(search: Shrinking) -> None:
    for place in list(_places(search.best.case)):
        for at in range(_array(search.best.case, place).size):
            value = float(_array(search.best.case, place).flat[at])
            for simple in [v for v in (0.0, 1.0) if _simpler(v, value)]:
                if _try(search, place, partial(_set, at=at, value=simple)):
                    break


def _simpler(value: float, than: float) -> bool:
    order = (0.0, 1.0)
    return than not in order or order.index(value) < order.index(than)


def _try(search: Shrinking, place: Place, make: Callable[[np.ndarray], np.ndarray]) -> bool:
    case = search.best.case
    x = _array(case, place)
    with np.errstate(all="ignore"):
        new = make(x).astype(x.dtype)
    return not np.array_equal(new, x) and search.attempt(lambda: _put(case, place, new))


def _places(case: Case) -> Iterator[Place]:
    """Biases and the like before kernels, kernels before inputs."""
    small_first = sorted(case.weights, key=lambda name: case.weights[name].ndim)
    yield from (("weight", name) for name in small_first)
    yield from (("input", number) for number in range(len(case.inputs)))


def _array(case: Case, place: Place) -> np.ndarray:
    kind, key = place
    return case.weights[key] if kind == "weight" else case.inputs[key]  # type: ignore[index]


def _put(case: Case, place: Place, x: np.ndarray) -> Case:
    kind, key = place
    if kind == "weight":
        return replace(case, weights={**case.weights, key: x})  # type: ignore[dict-item]
    return replace(case, inputs=tuple(x if n == key else old for n, old in enumerate(case.inputs)))


def _counted(x: np.ndarray) -> np.ndarray:
    """1, 2, 3 …: different numbers tell places apart."""
    return np.arange(1, prod(x.shape) + 1).reshape(x.shape)


def _whole(x: np.ndarray) -> np.ndarray:
    """The nearest integers."""
    return np.rint(x)


def _powers(x: np.ndarray) -> np.ndarray:
    """Scaled to small integers."""
    largest = np.max(np.abs(x), initial=0.0)
    return np.rint(x / largest * LARGEST) if largest else x


def _set(x: np.ndarray, at: int, value: float) -> np.ndarray:
    new = x.copy()
    new.flat[at] = value
    return new
