"""Samples with their targets: an .npz with x, y and weights, or a table whose last column is the label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from refconv.errors import BadInput
from refconv.graph import TensorSpec
from refconv.inputs.arrays import read_arrays
from refconv.inputs.table import read_rows

SEPARATORS = "/:_."
KINDS = ("x", "y", "sample_weight", "class_weight")
HINT = "x, y, sample_weight, class_weight; of several inputs or outputs x/NAME, y/NAME, sample_weight/NAME"


@dataclass(frozen=True)
class Labelled:
    """What a model is evaluated on.

    Attributes:
        inputs: input name → array.
        targets: one array per output; None where nothing is given for it.
        weights: (N,) per output, class weights applied; None where there are none.
    """

    inputs: Mapping[str, np.ndarray]
    targets: tuple[np.ndarray | None, ...]
    weights: tuple[np.ndarray | None, ...]


def read_labelled(
    data: str | Path | Mapping[str, np.ndarray], specs: Sequence[TensorSpec], outputs: Sequence[str], first: int | None
) -> Labelled:
    """Samples, targets and weights by name.

    Args:
        data: .npz, .csv or .csv.gz, or the arrays of an .npz by key.
        specs: the model's inputs.
        outputs: names of its outputs.
        first: how many samples to take; None for all.

    Raises:
        BadInput: unreadable, without x or y, of unequal lengths, or with a key that names nothing.
    """
    where = "the data" if isinstance(data, Mapping) else str(data)
    arrays = dict(data) if isinstance(data, Mapping) else _read(Path(data), specs, first)
    parts = _sorted(arrays, where)
    inputs = _named(parts["x"], [spec.name for spec in specs], "x", where)
    targets = _named(parts["y"], outputs, "y", where)
    given = _named(parts["sample_weight"], outputs, "sample_weight", where, every=True)
    _same_length({**parts["x"], **parts["y"], **parts["sample_weight"]}, where)
    if not inputs or not targets:
        raise BadInput(f"holds no {'x' if not inputs else 'y'}", where=where, hint=HINT)
    cut = slice(None, first)
    labels = tuple(None if (y := targets.get(name)) is None else y[cut] for name in outputs)
    weights = tuple(
        _weights(given.get(name), y, parts["class_weight"], cut, where) for name, y in zip(outputs, labels, strict=True)
    )
    return Labelled({name: x[cut] for name, x in inputs.items()}, labels, weights)


def _read(path: Path, specs: Sequence[TensorSpec], first: int | None) -> dict[str, np.ndarray]:
    if path.name.lower().endswith((".csv", ".csv.gz")):
        return _of_table(path, specs, first)
    if not path.name.lower().endswith(".npz"):
        raise BadInput("is of no kind that holds samples and targets", where=str(path), hint=".npz, .csv, .csv.gz")
    return read_arrays(path)


def _of_table(path: Path, specs: Sequence[TensorSpec], first: int | None) -> dict[str, np.ndarray]:
    """The last column is the label."""
    rows = read_rows(path, first)
    shape = specs[0].shape[1:]
    columns = prod(size for size in shape if size is not None)
    if len(specs) != 1 or None in shape or rows.shape[1] != columns + 1:
        what = f"has {rows.shape[1]} columns; {columns} and one for the label are wanted"
        raise BadInput(what, where=str(path), hint="an .npz serves any other model")
    return {"x": rows[:, :-1].reshape(len(rows), *shape), "y": rows[:, -1]}


def _sorted(arrays: Mapping[str, np.ndarray], where: str) -> dict[str, dict[str, np.ndarray]]:
    """By kind, then by name; "" where a key names no input or output."""
    parts: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in KINDS}
    for key, array in arrays.items():
        kind = next((k for k in KINDS if key == k or (key.startswith(k) and key[len(k)] in SEPARATORS)), None)
        if kind is None:
            raise BadInput(f"holds an array {key!r}, which is none of what is read", where=where, hint=HINT)
        parts[kind][key[len(kind) + 1 :]] = np.asarray(array)
    return parts


def _named(
    found: Mapping[str, np.ndarray], names: Sequence[str], kind: str, where: str, *, every: bool = False
) -> dict[str, np.ndarray]:
    """One array without a name is for the only input or output; a weight for every output."""
    if set(found) == {""}:
        if len(names) > 1 and not every:
            raise BadInput(f"{kind} does not say which of {len(names)} it is for", where=where, hint=", ".join(names))
        return dict.fromkeys(names, found[""])
    if strange := sorted(set(found) - set(names)):
        raise BadInput(
            f"{kind}/{strange[0]} names nothing of the model", where=where, hint="there are " + ", ".join(names)
        )
    return dict(found)


def _same_length(arrays: Mapping[str, np.ndarray], where: str) -> None:
    if any(array.ndim == 0 for array in arrays.values()):
        raise BadInput("holds a single number where samples are wanted", where=where)


def _weights(
    given: np.ndarray | None, y: np.ndarray | None, of_class: Mapping[str, np.ndarray], cut: slice, where: str
) -> np.ndarray | None:
    """Sample weights, times that of the sample's class: the greatest of a one-hot target, else the target itself."""
    weights = None if given is None else np.asarray(given[cut], np.float32).reshape(len(given[cut]), -1)
    if weights is not None and weights.shape[1] != 1:
        raise BadInput("sample_weight wants one number per sample", where=where)
    found = None if weights is None else weights[:, 0]
    if not of_class or y is None:
        return found
    table = np.asarray(next(iter(of_class.values())), np.float32)
    labels = (y.argmax(axis=-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y))).astype(int)
    if table.ndim != 1 or labels.ndim != 1 or labels.min() < 0 or labels.max() >= len(table):
        raise BadInput("class_weight wants one number per class, from class 0 on", where=where)
    return table[labels] if found is None else found * table[labels]
