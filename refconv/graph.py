"""What a model says: a flat graph of layer calls, independent of any framework and file format."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

IN_MEMORY = "memory"  # the format of a model that is no file


@dataclass(frozen=True)
class TensorSpec:
    """Shape (None where unknown, batch first), dtype name and name of a model input."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"


@dataclass(frozen=True)
class Weight:
    """One stored variable of a layer; `value` reads it from the file each time it is asked for."""

    name: str  # canonical: kernel, bias, gamma, beta, moving_mean, …
    path: str  # its place in the file, for messages
    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], np.ndarray] = field(repr=False, compare=False)
    trainable: bool = True
    # The dataset of the file whose values these are, as it holds them; None for what is made of such.
    stored: Any = field(default=None, repr=False, compare=False)

    @property
    def value(self) -> np.ndarray:
        return self.read()


@dataclass(frozen=True)
class Ref:
    """Output number `output` of node number `node`."""

    node: int
    output: int = 0


@dataclass(frozen=True)
class Origin:
    """Where a node came from, for messages and for writing it again: ops never look here.

    `own` is what the file says of the class beside its name ("module", "registered_name"): a user's class needs it.
    """

    class_name: str
    dialect: str  # keras1, keras2, keras3
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    own: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Node:
    """One call of one layer.

    `layer` is the layer's path, "/" between nested models (`mobilenet/conv1`); `call` counts the calls of a
    shared layer. `attrs` is the frozen attribute class of the row of `ops.table` whose Keras class is
    `type`; it is None where there is no reference, and `reason` says why. Where that is a mask alone, `masks` are the
    nodes that make it, and `unmasked` the attributes that hold if they hide nothing; `hides` says of what ("query" …)
    which nodes' mask it is, if they all make the same one; None where that is not known.
    """

    index: int
    layer: str
    type: str
    attrs: Any
    inputs: tuple[Ref, ...]
    origin: Origin
    call: int = 0
    weights: Mapping[str, Weight] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = "float32"  # dtype policy: float32, mixed_float16, float64 …
    reason: str = ""
    masks: tuple[int, ...] = ()
    unmasked: Any = None
    hides: tuple[tuple[str, tuple[int, ...]], ...] | None = None

    @property
    def name(self) -> str:
        return f"{self.layer}#{self.call}" if self.call else self.layer


@dataclass(frozen=True)
class Stranger:
    """Something that a file names and no table has: it reaches a framework only if the user trusts it.

    `inside`: it is code that stands in the file, or reaches a file or module that the user did not name, so that no
    trust in files of the user's own covers it.
    """

    where: str
    what: str
    hint: str
    name: str
    inside: bool = False


def checksum(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal, read piece by piece."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which each comes after its inputs; `inputs` index the InputLayer nodes."""

    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[Ref, ...]
    specs: tuple[TensorSpec, ...]  # one per model input, in the model's order
    path: str  # of the file; in memory, the model's name
    format: str  # "hdf5", "keras" or "memory"
    keras_version: str
    backend: str
    dialect: str
    opaque: str = ""  # name of the one layer that a subclassed model is read as
    notes: tuple[str, ...] = ()  # warnings from reading: NaN in a weight, unused weights …
    strangers: tuple[Stranger, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """Of the file, read when it is first asked for; "" of a model in memory."""
        return "" if self.format == IN_MEMORY else checksum(self.path)

    @property
    def qkeras(self) -> bool:
        """Whether the framework needs QKeras to read the file."""
        names = (node.origin.class_name.rpartition(">")[2] for node in self.nodes)
        return any(name[:1] == "Q" and name[1:2].isupper() or name == "PruneLowMagnitude" for name in names)

    @property
    def keras(self) -> int:
        """Major version of the Keras that this file needs: 2 or 3."""
        return 3 if self.dialect == "keras3" else 2
