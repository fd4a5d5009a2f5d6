"""What a model is compiled with, output by output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from refconv.errors import BadInput


@dataclass(frozen=True)
class Compiled:
    """As a file or a user says it, not yet resolved.

    Attributes:
        loss, loss_weights: one for all outputs, a list, or a mapping by output.
        metrics, weighted_metrics: a list, a list for each output, or a mapping by output.
        source: where it is from, in words.
    """

    loss: Any = None
    loss_weights: Any = None
    metrics: Any = None
    weighted_metrics: Any = None
    source: str = ""

    @property
    def arguments(self) -> dict[str, Any]:
        """Those of `compile` that are given."""
        names = ("loss", "loss_weights", "metrics", "weighted_metrics")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass(frozen=True)
class OutputTerms:
    """Identifiers of one output."""

    loss: Any
    loss_weight: float | None
    metrics: tuple[Any, ...]
    weighted_metrics: tuple[Any, ...]


def by_output(compiled: Compiled, names: Sequence[str]) -> tuple[OutputTerms, ...]:
    """The identifiers of each output.

    Raises:
        BadInput: they are of a structure that does not fit the outputs.
    """
    columns = [
        _spread(compiled.loss, names, "loss"),
        _spread(compiled.loss_weights, names, "loss_weights"),
        _metrics(compiled.metrics, names, "metrics"),
        _metrics(compiled.weighted_metrics, names, "weighted_metrics"),
    ]
    return tuple(OutputTerms(*row) for row in zip(*columns, strict=True))


def is_identifier(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, Mapping) and "class_name" in value)


def _spread(value: Any, names: Sequence[str], what: str) -> list[Any]:
    if value is None or is_identifier(value) or isinstance(value, (int, float)):
        return [value] * len(names)
    if isinstance(value, Mapping):
        _known(value, names, what)
        return [value.get(name) for name in names]
    if isinstance(value, (list, tuple)) and len(value) == len(names):
        return list(value)
    raise BadInput(f"{what} is {value!r}, which does not fit {len(names)} output(s)", where=what)


def _metrics(value: Any, names: Sequence[str], what: str) -> list[tuple[Any, ...]]:
    if isinstance(value, Mapping) and not is_identifier(value):
        _known(value, names, what)
        return [_flat(value.get(name)) for name in names]
    if isinstance(value, (list, tuple)) and len(names) > 1:
        if len(value) == len(names) and any(isinstance(v, (list, tuple)) or v is None for v in value):
            return [_flat(v) for v in value]
        return [_flat(value)] * len(names)
    return [_flat(value)] * len(names)


def _flat(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(item for part in value for item in _flat(part))
    return (value,)


def _known(value: Mapping[str, Any], names: Sequence[str], what: str) -> None:
    if strange := sorted(set(value) - set(names)):
        raise BadInput(f"no output is called {strange[0]!r}", where=what, hint="the outputs are " + ", ".join(names))
