"""A check of a model that lives in this process, which is recorded here."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from refconv import inputs as model_inputs
from refconv.compare.declared import NAMED
from refconv.compare.selection import select
from refconv.errors import BadInput, FrameworkError
from refconv.formats.live import read_live
from refconv.frameworks import live
from refconv.graph import Graph
from refconv.ops.base import Context
from refconv.pipeline.model import draw_inputs, verify
from refconv.pipeline.options import Given, OnLayer, OnOutputs, Options, Progress
from refconv.primitives import engines
from refconv.reference.masks import with_known_masks
from refconv.reference.slicing import slice_size
from refconv.result import CheckResult

OF_FILES = {
    "architecture": "holds its architecture itself",
    "keras": "is of the Keras that made it",
    "memory": "is run in this process, whose memory is its own",
    "python": "is run by the Python of this process",
    "rebuild": "need not be rebuilt",
    "sha256": "is no file and has no hash",
    "tf32": "is run with the switches of this process, which its framework sets",
    "deterministic": "is run with the switches of this process, which its framework sets",
    "trace": "is run here and now",
    "trust_code": "has its code in this process, which is trusted already",
}


def check_live(
    model: Any,
    given: Given,
    options: Options,
    progress: Progress,
    on_layer: OnLayer | None,
    on_outputs: OnOutputs | None = None,
) -> CheckResult:
    """Verify every layer of a live model against what it computes here.

    Raises:
        BadInput: no Keras model, one that cannot be read, or an option that is only for files.
        FrameworkError: the model cannot be run.
    """
    started = time.perf_counter()
    progress("reading the model", None)
    framework = live.framework_of(model)
    _refuse(options, str(model.name), framework.backend.name)
    graph = read_live(model, framework.keras.__version__, live.sigmoid())
    selected = select(graph, options.layers)
    arrays = draw_inputs(graph, given, options)
    size, probes = _size(graph, given, arrays, options), options.thorough
    how: dict[str, Any] = {
        "mode": options.mode,
        "device": options.device,
        "probes": probes,
        "samples": size,
        "repeat": options.runs,
    }
    told: dict[str, Any] = {"progress": progress, "on_layer": on_layer, "on_outputs": on_outputs}
    with live.recorded(model, arrays, **how, progress=progress) as stream:
        result = verify(graph, stream, arrays, options, selected=selected, seeded=given is None, **told, size=size)
    described = model_inputs.describe(graph.specs, arrays, given, options.samples, options.seed, options.preprocess)
    return replace(result, input=described, seconds=time.perf_counter() - started)


def _size(graph: Graph, given: Given, arrays: Any, options: Options) -> int:
    left, known = with_known_masks(graph, arrays)
    return slice_size(left, known, Context(engines.get(options.engine), seeded=given is None, spread=options.spread))


def _refuse(options: Options, name: str, backend: str) -> None:
    for field, why in OF_FILES.items():
        if getattr(options, field) != getattr(Options(), field):
            raise BadInput(f"a model in this process {why}", where=f"option {field}")
    if options.backend not in (Options().backend, backend):
        raise BadInput(f"a model in this process runs on {backend}", where="option backend")
    if options.arithmetic and options.arithmetic not in NAMED:
        raise BadInput(f"no arithmetic is called {options.arithmetic!r}", where="--arithmetic", hint=", ".join(NAMED))
    if not options.framework:
        raise BadInput("without a framework nothing of a model in this process is run", where=f"model {name}")


def refuse_switches(switches: Any) -> None:
    """The environment of a process is fixed when its framework is imported.

    Raises:
        FrameworkError: there are any.
    """
    if switches:
        raise FrameworkError("a model in this process cannot be run in another environment")
