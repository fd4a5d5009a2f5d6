"""What a reduction found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from refconv.graph import Graph
from refconv.pipeline.by_hand import Pixel
from refconv.result import CheckResult, LayerResult


@dataclass(frozen=True)
class Saved:
    """A case that anybody can run with the framework alone.

    Attributes:
        graph: the model; None where it is the user's own file at `file`.
        keras: major version of Keras that runs it.
        spelling: major version of Keras whose file it is.
        backend: that the file names.
        mode: graph, eager or xla.
        inputs: one array per input of the model.
        got, expected, allowed: of its only output.
        index: the element that is farthest outside what is allowed.
        code: files of the user's that define its classes.
        names: of classes of the user's in it.
        environment: of the process that computed `got`.
        at: name of the layer whose output is meant, where that is not the model's own; "" for the model's.
    """

    graph: Graph | None
    file: str
    keras: int
    spelling: int
    backend: str
    mode: str
    inputs: tuple[np.ndarray, ...]
    got: np.ndarray
    expected: np.ndarray
    allowed: np.ndarray
    index: tuple[int, ...]
    environment: dict[str, Any]
    code: tuple[Path, ...] = ()
    names: tuple[str, ...] = ()
    qkeras: bool = False
    at: str = ""


@dataclass(frozen=True)
class Reduced:
    """The smallest failing case of a model.

    Attributes:
        check: the check that found the failure, up to the first layer that fails.
        layer: that layer; None where none fails.
        case: what can be saved; None where nothing fails, or nothing could be saved: `notes` say why.
        scope: "layer" for one layer, "part" for some layers of the model, "model" for the whole file.
        before, after: numbers in the layer's inputs and weights, as found and as reduced; 0 where the scope is another.
        sizes: shapes of both, in words.
        pixel: the worst element by hand, where that can be shown.
        cases: how many smaller ones were run.
        complete: whether nothing more could be left out; False where time ended the search.
    """

    check: CheckResult
    layer: LayerResult | None = None
    case: Saved | None = None
    scope: str = "layer"
    reduced: LayerResult | None = None
    before: int = 0
    after: int = 0
    sizes: tuple[str, str] = ("", "")
    pixel: Pixel | None = None
    notes: tuple[str, ...] = ()
    cases: int = 0
    complete: bool = True
    seconds: float = 0.0
    files: tuple[str, ...] = field(default=())

    @property
    def exit_code(self) -> int:
        """1 where a case was found, 0 where nothing fails, 3 where something fails or is unverified without a case."""
        if self.case is not None:
            return 1
        return 0 if self.check.exit_code == 0 else 3
