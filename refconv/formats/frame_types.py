"""What fields a frame of a trace has, of which types: a file's frames are as little to be trusted as the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from refconv.job import MODES

Check = Callable[[Any], bool]


class Maybe:
    """A field that may be missing, or None."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


class Each:
    """An object whose values are all of one type."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


def fits(value: Any, kind: Any) -> bool:
    """Whether a value of JSON is of a type: a class, a test, [item, …], {name: type, …}, `Each`, `Maybe`, or in a set.

    An int is no bool here, and a float may be an int. What an object has beside the names is not looked at.
    """
    if isinstance(kind, type):
        allowed = (int, float) if kind is float else kind
        return isinstance(value, allowed) and (kind is bool or not isinstance(value, bool))
    if isinstance(kind, list):
        return isinstance(value, list) and all(fits(item, kind[0]) for item in value)
    if isinstance(kind, tuple):
        return isinstance(value, list) and len(value) == len(kind) and all(map(fits, value, kind))
    if isinstance(kind, dict):
        return isinstance(value, dict) and all(fits(value.get(name), each) for name, each in kind.items())
    if isinstance(kind, Each):
        return isinstance(value, dict) and all(fits(item, kind.kind) for item in value.values())
    if isinstance(kind, Maybe):
        return value is None or fits(value, kind.kind)
    if isinstance(kind, frozenset):
        return isinstance(value, (str, int)) and value in kind
    return bool(kind(value))


def one_of(*values: Any) -> frozenset[Any]:
    return frozenset(values)


def count(value: Any) -> bool:
    return fits(value, int) and 0 <= value < 1 << 40


def _matching(pattern: str) -> Check:
    expression = re.compile(pattern)
    return lambda value: isinstance(value, str) and bool(expression.fullmatch(value))


DIGEST = _matching(r"[0-9a-f]{64}")
STATE = Maybe(Each(lambda value: isinstance(value, (str, bool, int, float, type(None)))))
DEVICE = {
    "type": str,
    "device": Maybe(str),
    "index": Maybe(count),
    "name": Maybe(str),
    "compute_capability": Maybe(_matching(r"(\d{1,3}\.\d{1,3})?")),
}
BACKENDS = ("tensorflow", "jax", "torch")
ENVIRONMENT = {
    **{name: Maybe(str) for name in ("python", "numpy", "keras", "keras_package", "mode", "device")},
    **{name: Maybe(str) for name in ("backend", *BACKENDS)},  # which one, and its version by its name
    "devices": Maybe([DEVICE]),
    "onednn": Maybe({"enabled": Maybe(bool), "option": Maybe(str)}),
    "cpu": Maybe({"name": Maybe(str), "instruction_sets": Maybe([str])}),
    "threads": Maybe({"intra_op": Maybe(count), "inter_op": Maybe(count), "cpus": Maybe(count)}),
    "tf32": Maybe(bool),
    "tf32_of": Maybe(Each(bool)),
    "deterministic_ops": Maybe(bool),
    "repeat": Maybe(count),
    "cuda": Maybe(Each(str)),
    "state_before": STATE,
    "state_after": STATE,
}
TENSOR = {"name": str, "dtype": str, "shape": [count], "source": str}
INPUT = {
    "source": one_of("seeded", "given"),
    "samples": count,
    "seed": Maybe(int),
    "preprocess": str,
    "tensors": [TENSOR],
    "notes": [str],
}
OPTIONS = {
    "keras": one_of("auto", "2", "3"),
    "mode": one_of(*MODES),
    "device": str,
    "samples": count,
    "seed": count,
    "preprocess": str,
    "shapes": Each([count]),
    "thorough": bool,
    "rebuild": bool,
    "backend": Maybe(one_of(*BACKENDS)),
    "repeat": Maybe(count),
}
NAMED = [(str, str)]
CALL = {
    "layer": str,
    "call": count,
    "type": str,
    "inputs": [str],
    "outputs": [str],
    "seconds": float,
    "weights": NAMED,
    "steps": NAMED,
}

FIELDS: dict[str, Mapping[str, Any]] = {
    "trace": {
        "model": {"sha256": DIGEST, "architecture": lambda value: value == "" or DIGEST(value)},
        "keras": one_of(2, 3),
        "options": OPTIONS,
        "input": INPUT,
        "seeded": bool,
        "slice": count,
        "whole": str,
        "alone": bool,
    },
    "input": {"index": count},
    "environment": {"environment": ENVIRONMENT},
    "planned": {"calls": Each(count)},
    "plain": {"index": count, "run": Maybe(count)},
    "pass": {"index": count, "inputs": [str]},
    "tensor": {"key": str, "uses": Maybe(count)},
    "again": {**CALL, "run": count},
    "call": CALL,
    "output": {"index": count},
    "passed": {"index": count},
    "slice": {},
    "probe": {"layer": str, "shape": [count], "inputs": [str], "outputs": [str], "weights": NAMED, "reason": str},
    "error": {"reason": str, "what": str, "layer": str, "missing": str, "hint": Maybe(str)},
    "done": {},
}


def frame_problem(header: Mapping[str, Any]) -> str | None:
    """What is wrong with a header, None where nothing is."""
    kind = header["kind"]
    if kind not in FIELDS:
        return f"there are no frames {str(kind)[:40]!r}"
    for name, wanted in FIELDS[kind].items():
        if not fits(header.get(name), wanted):
            return f"a frame {kind!r} whose {name!r} is not what it has to be"
    return None
