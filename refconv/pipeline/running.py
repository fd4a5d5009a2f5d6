"""A model given to a worker, as the options of a check say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from refconv import frameworks
from refconv.frameworks.workers import Keep
from refconv.graph import Graph
from refconv.pipeline.options import Options, Progress
from refconv.pipeline.rebuilding import Runnable


def streamed(
    worker: frameworks.Worker,
    graph: Graph,
    runs: Runnable,
    options: Options,
    size: int,
    code: Sequence[str],
    progress: Progress,
    keep: Keep | None = None,
) -> frameworks.Stream:
    """What the worker sends.

    Args:
        size: samples per slice.
        code: files of the user's that the worker runs first.
        keep: is given each frame as it arrives.
    """
    return worker.stream(
        runs.path,
        runs.parts.arrays,
        repeat=options.runs,
        probes=options.thorough,
        samples=size,
        whole=graph.opaque,
        progress=progress,
        names=runs.names,
        architecture="" if options.rebuild else options.architecture,
        keep=keep,
        **manner(graph, options, code),
    )


def manner(graph: Graph, options: Options, code: Sequence[str]) -> dict[str, Any]:
    """How the framework runs `graph`, or a part of it: where, with which switches, and whose classes it may meet."""
    return {
        "mode": options.mode,
        "device": options.device,
        "tf32": options.tf32,
        "deterministic": options.deterministic,
        "timeout": options.timeout,
        "qkeras": graph.qkeras,
        "code": code,
        "foreign": () if options.rebuild else [stranger.name for stranger in graph.strangers],
    }
