"""Reductions with the framework in this process, where faults are planted live."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from support.framework import framework, record
from support.live import PACKAGES

from refconv.errors import FrameworkError
from refconv.formats.writer import Written
from refconv.frameworks import Whole
from refconv.frameworks.worker.loading import load_model
from refconv.graph import Graph
from refconv.ops.base import Context
from refconv.pipeline.options import Options, silent
from refconv.pipeline.reducing.case import case_of
from refconv.pipeline.reducing.judging import Form, Framework, Outcome
from refconv.pipeline.reducing.shrinking import Shrinking
from refconv.pipeline.reducing.values import simplify
from refconv.primitives import engines

Plant = Callable[[Any], None]
CONTEXT = Context(engines.get("numpy"))


def in_process(keras: int, plant: Plant, *, qkeras: bool = False) -> Callable[[Written, Sequence[np.ndarray]], Any]:
    """What a worker does with a file whose model `plant` then spoils."""
    package = import_module(PACKAGES[keras])

    def run(written: Written, inputs: Sequence[np.ndarray]) -> Any:
        try:
            model = load_model(framework(package), str(written.path), qkeras)
            plant(model)
            trace = record(package, model, *inputs, mode="eager")
        except Exception as error:  # as the worker tells it
            raise FrameworkError(str(error)) from error
        trace.planned.clear()
        trace.calls[:] = [replace(c, layer=written.names.get(c.layer, c.layer)) for c in trace.calls]
        trace.environment["mode"] = "eager"
        return Whole(trace)

    return run


def shrunk(
    graph: Graph, layer: str, inputs: Sequence[np.ndarray], plant: Plant, folder: Path, *, seconds: float = 600.0
) -> tuple[Outcome, Outcome, Shrinking]:
    """The layer by itself with the fault, and what is left of it."""
    node = next(node for node in graph.nodes if node.name == layer)
    form = Form(graph.keras)
    run = in_process(graph.keras, plant, qkeras=graph.qkeras)
    judge = Framework(run, graph, form, Options(mode="eager"), CONTEXT, folder)
    start = judge.told(case_of(node, tuple(inputs), graph.keras))
    assert isinstance(start, Outcome), start
    search = Shrinking(judge, start, time.monotonic() + seconds, silent)
    search.sizes()
    simplify(search)
    search.sizes()
    return start, search.best, search


class Live:
    """A worker's stand-in, which runs the file in this process; `plant` spoils every model that it loads."""

    plant: Plant = staticmethod(lambda model: None)  # type: ignore[assignment]

    def __init__(self, keras: int, **_: Any) -> None:
        self._keras = keras

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def stream(self, path: str | Path, inputs: Sequence[np.ndarray], **how: Any) -> Any:
        run = in_process(self._keras, type(self).plant, qkeras=how["qkeras"])
        return run(Written(Path(path), how["names"]), inputs)
