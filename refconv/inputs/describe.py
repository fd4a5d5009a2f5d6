"""What a model was fed, in words and numbers for the report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from refconv.graph import TensorSpec
from refconv.inputs.shapes import text
from refconv.inputs.source import Source


def describe(
    specs: Sequence[TensorSpec], arrays: Sequence[np.ndarray], given: Any, samples: int, seed: int, preprocess: str
) -> dict[str, Any]:
    """The "input" object of the JSON report.

    Returns:
        `source` ("seeded" or "given"), `samples` (used), `seed` (None where nothing was drawn), `preprocess`, `tensors`
        (name, dtype, shape and source of each) and `notes` (what was chosen for the user).
    """
    sources = _sources(specs, given)
    return {
        "source": "seeded" if given is None else "given",
        "samples": len(arrays[0]) if arrays else 0,
        "seed": seed if given is None else None,
        "preprocess": preprocess,
        "tensors": [
            {"name": spec.name, "dtype": str(array.dtype), "shape": list(array.shape), "source": source}
            for spec, array, source in zip(specs, arrays, sources, strict=True)
        ],
        "notes": _notes(specs, arrays, given, samples),
    }


def _sources(specs: Sequence[TensorSpec], given: Any) -> list[str]:
    if given is None:
        return ["seeded"] * len(specs)
    if isinstance(given, Mapping):
        return [_source(given[spec.name]) for spec in specs]
    if isinstance(given, (list, tuple)):
        return [_source(value) for value in given]
    return [_source(given)]


def _source(value: Any) -> str:
    if isinstance(value, Source):
        return value.path
    return os.fspath(value) if isinstance(value, (str, os.PathLike)) else "array"


def _notes(specs: Sequence[TensorSpec], arrays: Sequence[np.ndarray], given: Any, samples: int) -> list[str]:
    notes = []
    for spec, array in zip(specs, arrays, strict=True):
        if given is None and None in spec.shape[1:]:
            notes.append(f"input {spec.name}: {text(spec.shape)} fed as {text(array.shape)}; --shape changes that")
        if given is None and spec.shape[0] not in (None, samples):
            notes.append(f"input {spec.name}: the model fixes its batch at {spec.shape[0]} samples")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            notes.append(f"input {spec.name}: holds NaN or infinity")
    return notes
