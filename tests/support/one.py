"""One row by name, for hand-worked examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from support.laws import CONTEXT

from refconv.compare.stage1 import deviate
from refconv.numerics.enclosure import Enclosure, point
from refconv.ops.attributes import build
from refconv.ops.table import TABLE


def run(name: str, config: Mapping[str, Any], *inputs: Any, **weights: Any) -> Enclosure:
    """The row's enclosure of inputs that are float32 arrays (or nested lists), integers, or enclosures already."""
    row = TABLE[name]
    given = tuple(x if isinstance(x, Enclosure) else point(floats(x)) for x in inputs)
    held = {key: floats(value) for key, value in weights.items()}
    with np.errstate(all="ignore"):
        result = row.forward(build(row.attributes, config, name), held, given, CONTEXT)
    assert isinstance(result, Enclosure)
    return result


def floats(values: Any) -> np.ndarray:
    array = np.asarray(values)
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def holds(enclosure: Enclosure, got: Any) -> bool:
    """True where every element of `got`, in float32, lies inside the probable bound."""
    return not deviate(enclosure, floats(np.asarray(got, dtype=np.float32))).outside.any()
