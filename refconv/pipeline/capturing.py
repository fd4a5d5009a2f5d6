"""The framework alone: what it computes goes to a file, to be checked later, or elsewhere."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from refconv import __version__, formats, frameworks
from refconv.errors import BadInput
from refconv.formats.refusals import refuse
from refconv.formats.replacing import demand_apart
from refconv.formats.source import Source
from refconv.graph import Graph, checksum
from refconv.ops.base import Context
from refconv.pipeline.code import trusted_files
from refconv.pipeline.model import draw_inputs, fed
from refconv.pipeline.options import Given, Options, Progress, silent
from refconv.pipeline.rebuilding import Runnable, runnable
from refconv.pipeline.running import streamed
from refconv.primitives import engines
from refconv.reference.masks import with_known_masks
from refconv.reference.slicing import slice_size
from refconv.result import Captured, ModelInfo
from refconv.trace import ENDING


def capture(
    path: str | Path,
    inputs: Given = None,
    *,
    output: str | Path | None = None,
    options: Options | None = None,
    progress: Progress = silent,
    source: Source | None = None,
    **overrides: Any,
) -> Captured:
    """Run the model in its framework and write what every layer took and gave into one file, which `check` can read.

    Args:
        path, inputs, options, progress, source: as of `check`; what only a comparison needs is not looked at.
        output: the file; None for the model's name with the ending .trace.h5, in the working folder.

    Raises:
        UnreadableModel, BadInput, FrameworkError: see `refconv.errors`; nothing is then written.
    """
    begun, options = time.perf_counter(), replace(options or Options(), **overrides)
    target = str(output or Path(path).stem + ENDING)
    if options.trace:
        raise BadInput("what was captured is not captured again", where="option trace")
    demand_apart(target, path, *filter(None, [options.architecture]))
    progress("reading the model", None)
    code = trusted_files(options.trust_code)
    source = source or formats.accept(path, options.architecture, sha256=options.sha256)
    if not options.rebuild:
        refuse(source, trusted=bool(code))
    graph = formats.load(source, subclassed=bool(code))
    keras = frameworks.keras_for(graph.keras, options.keras, options.backend, qkeras=graph.qkeras)
    with (
        frameworks.Worker(
            keras, backend=options.backend, python=options.python or None, memory=options.memory
        ) as worker,
        runnable(graph, inputs, options, keras, draw_inputs) as runs,
    ):
        size = _size(runs)
        about = _about(graph, source, runs, inputs, options, keras, size)
        with frameworks.keeping(target, about, runs.parts.arrays) as writer:
            stream, slices = streamed(worker, graph, runs, options, size, code, progress, writer.take), 1
            while stream.following():  # which forgets all that it passes
                slices += 1
    trace = stream.trace
    return Captured(
        path=target,
        model=ModelInfo(graph.path, graph.format, graph.keras_version, graph.backend, graph.sha256),
        environment=trace.environment,
        input=about["input"],
        layers=len(trace.planned),
        slices=slices,
        size=Path(target).stat().st_size,
        failure=str(stream.failure or ""),
        seconds=time.perf_counter() - begun,
    )


def _size(runs: Runnable) -> int:
    """Samples per slice, as the check of the same model takes them."""
    graph, known = with_known_masks(runs.parts.graph, runs.parts.arrays)
    return slice_size(graph, known, Context(engines.get("numpy")))


def _about(
    graph: Graph, source: Source, runs: Runnable, given: Given, options: Options, keras: int, size: int
) -> dict[str, Any]:
    """The first line of the trace (formats/frame_types.py)."""
    architecture = source.architecture
    return {
        "refconv": __version__,
        "model": {"sha256": graph.sha256, "architecture": checksum(architecture) if architecture else ""},
        "keras": keras,
        "options": {
            "keras": options.keras,
            "backend": options.backend,
            "repeat": options.runs,
            "mode": options.mode,
            "device": options.device,
            "samples": options.samples,
            "seed": options.seed,
            "preprocess": options.preprocess,
            "shapes": {name: list(shape) for name, shape in options.shapes.items()},
            "thorough": options.thorough,
            "rebuild": options.rebuild,
        },
        "seeded": given is None,
        "input": fed(runs.parts, given, options),
        "slice": size,
        "whole": graph.opaque,
        "alone": False,
    }
