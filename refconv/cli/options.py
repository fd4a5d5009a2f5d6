"""What the command line says → what the pipeline takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from refconv.errors import BadInput
from refconv.inputs import Source
from refconv.pipeline import Options
from refconv.result import Policy

SAME = ("seed", "preprocess", "layers", "mode", "keras", "engine", "device", "fail_fast", "timeout")


def options(given: Mapping[str, Any]) -> Options:
    """The options of a check from those of its command."""
    policy = Policy(given["lenient"], given["strict"], given["allow_unverified"])
    samples = Options.samples if given["samples"] is None else given["samples"]
    same = {name: given[name] for name in SAME}
    return Options(samples=samples, shapes=shapes(given["shapes"]), policy=policy, **same)


def sources(inputs: Sequence[str], samples: int | None) -> Source | dict[str, Source] | None:
    """[NAME=]FILE: one file without a name, or all of them with one.

    Raises:
        BadInput: several files of which one has no name, or a name given twice.
    """
    pairs = [_split(text) for text in inputs]
    if not pairs:
        return None
    if len(pairs) == 1 and not pairs[0][0]:
        return Source(pairs[0][1], samples)
    if not all(name for name, _ in pairs):
        raise BadInput("several files need the names of their inputs", where="--input", hint="--input NAME=FILE")
    if len({name for name, _ in pairs}) < len(pairs):
        raise BadInput("an input is given twice", where="--input")
    return {name: Source(file, samples) for name, file in pairs}


def shapes(given: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """[NAME=]D,D… → name ("" for every input) and dimensions.

    Raises:
        BadInput: a dimension is no positive integer.
    """
    found = {}
    for name, sizes in map(_split, given):
        parts = sizes.split(",")
        if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
            raise BadInput(f"{sizes!r} is no shape", where="--shape", hint="positive integers with commas: 64,64")
        found[name] = tuple(map(int, parts))
    return found


def _split(text: str) -> tuple[str, str]:
    name, equals, rest = text.partition("=")
    return (name, rest) if equals else ("", text)
