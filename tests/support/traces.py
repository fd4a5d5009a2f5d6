"""A small model and a right trace of it, made without a framework, and traces made from its frames."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from support.crafted import BIAS, KERNEL, write_h5

from refconv.formats.traced import open_trace
from refconv.frameworks.keeping import keeping

Frame = tuple[dict[str, Any], "np.ndarray | None"]

X = np.float32([[1, -2, 3, 0.5], [0.25, 1, -1, 2]])
CPU = {"python": "3.11.7", "tensorflow": "2.21.0", "keras": "2.21.0", "mode": "graph", "tf32": True,
       "devices": [{"type": "CPU", "device": "/physical_device:CPU:0", "index": 0}],
       "onednn": {"enabled": False, "option": ""}, "cpu": {"name": "", "instruction_sets": ["avx2"]},
       "threads": {"intra_op": 0, "inter_op": 0, "cpus": 2}}  # fmt: skip


def model(folder: Path) -> Path:
    """One Dense layer from 4 to 3."""
    return write_h5(folder / "m.h5")


def about(path: Path, **other: Any) -> dict[str, Any]:
    """The first line."""
    options = {"keras": "auto", "mode": "graph", "device": "auto", "samples": 2, "seed": 0, "preprocess": "none",
               "shapes": {}, "thorough": False, "rebuild": False}  # fmt: skip
    tensors = [{"name": "x", "dtype": "float32", "shape": [2, 4], "source": "seeded"}]
    return {
        "model": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "architecture": ""},
        "keras": 2,
        "options": options,
        "seeded": True,
        "input": {"source": "seeded", "samples": 2, "seed": 0, "preprocess": "none", "tensors": tensors, "notes": []},
        "slice": 2,
        "whole": "",
        "alone": False,
        **other,
    }


def frames() -> list[Frame]:
    """What a worker sends of that model."""
    y = (X @ KERNEL + BIAS).astype(np.float32)
    call = {"kind": "call", "layer": "dense", "call": 0, "type": "Dense", "inputs": ["0:0"], "outputs": ["0:1"],
            "seconds": 0.0, "weights": [], "steps": []}  # fmt: skip
    return [
        ({"kind": "environment", "environment": CPU}, None),
        ({"kind": "plain", "index": 0}, y),
        ({"kind": "planned", "calls": {"dense": 1}}, None),
        ({"kind": "pass", "index": 0, "inputs": ["0:0"]}, None),
        ({"kind": "tensor", "key": "0:0", "uses": 1}, X),
        ({"kind": "tensor", "key": "0:1", "uses": 1}, y),
        (call, None),
        ({"kind": "output", "index": 0}, y),
        ({"kind": "passed", "index": 0}, None),
        ({"kind": "done"}, None),
    ]


def write(
    path: Path,
    of: Path,
    sent: Sequence[Frame] | None = None,
    inputs: Sequence[np.ndarray] = (X,),
    **other: Any,
) -> Path:
    """A trace of the model `of` that holds these frames; `other` replaces fields of the first line."""
    with keeping(path, about(of, **other), inputs) as writer:
        for header, array in frames() if sent is None else sent:
            writer.take(header, array)
    return path


def changed(kind: str, change: Callable[[dict[str, Any]], Any], array: np.ndarray | None = None) -> list[Frame]:
    """The right frames, with the first of one kind changed."""
    found = [(dict(header), values) for header, values in frames()]
    at = next(i for i, (header, _) in enumerate(found) if header["kind"] == kind)
    change(found[at][0])
    found[at] = (found[at][0], found[at][1] if array is None else array)
    return found


def read(path: Path) -> tuple[Any, list[np.ndarray], list[Frame]]:
    """All that is in a trace."""
    with open_trace(path) as trace:
        return trace.about, list(trace.inputs), list(trace.frames)
