"""What is known of a layer that was timed, or was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from speed.timing import Measured

CPU, GPU = "tensorflow CPU", "tensorflow GPU"


@dataclass(frozen=True)
class Layer:
    """One layer call: output shape, and seconds by column."""

    model: str
    name: str
    type: str
    shape: tuple[int, ...]
    seconds: Mapping[str, Measured]


@dataclass(frozen=True)
class Untimed:
    """A layer that was not timed, and why."""

    model: str
    name: str
    type: str
    reason: str
