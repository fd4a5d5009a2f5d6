"""What a check may be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refconv.graph import Node
from refconv.inputs import Source
from refconv.result import LayerResult, Policy

Given = None | np.ndarray | Source | Sequence[Any] | Mapping[str, Any]
Progress = Callable[[str, float | None], None]
OnLayer = Callable[[LayerResult], None]
OnOutputs = Callable[[Node, int, Sequence[np.ndarray]], None]  # node, first sample of the slice, the framework's


def silent(what: str, share: float | None) -> None:
    """The progress that nobody is told of."""


@dataclass(frozen=True)
class Options:
    """The command line's options, with the same defaults."""

    samples: int = 2
    seed: int = 0
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    preprocess: str = "none"
    layers: tuple[str, ...] = ()
    mode: str = "graph"
    keras: str = "auto"
    engine: str = "numba"
    device: str = "auto"
    arithmetic: str = ""  # of compare.declared.NAMED, in place of what the environment declares
    policy: Policy = Policy()
    power: bool = False
    fail_fast: bool = False
    timeout: float = 600.0
    memory: int = 0  # bytes that the framework's process may take; 0 for as many as there are
    python: str = ""  # interpreter of another environment, in which the framework runs; "" for this one
    sha256: str = ""  # of the file; "" for any
    architecture: str = ""  # the model's JSON, where the file holds weights alone
    rebuild: bool = False  # the framework runs a file that refconv writes from its own graph
    framework: bool = True  # without one, the reference runs alone
    trust_code: tuple[str, ...] = ()  # files of the user's own, run in the worker: the layers and models they define
    spread: bool = False  # tell of each output how its errors are spread, for pictures
    trace: str = ""  # a file of `capture`: what ran, and how, is what it says, and no framework runs
    thorough: bool = False  # also probe linear layers with small integers
    backend: str = "tensorflow"  # what Keras runs on: jax and torch for Keras 3
    tf32: str = ""  # on, off, or "" for the framework's own default
    deterministic: bool = False  # ask the framework for the same bits every time
    repeat: int = 1  # how often the framework runs each pass

    @property
    def runs(self) -> int:
        """How often each pass runs; `thorough` looks for nondeterminism too."""
        return max(self.repeat, 2 if self.thorough else 1)
