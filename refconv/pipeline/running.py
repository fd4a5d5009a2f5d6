"""A model given to a worker, as the options of a check say."""

from __future__ import annotations

from collections.abc import Sequence

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
        mode=options.mode,
        device=options.device,
        tf32=options.tf32,
        deterministic=options.deterministic,
        repeat=options.runs,
        qkeras=graph.qkeras,
        probes=options.thorough,
        samples=size,
        code=code,
        whole=graph.opaque,
        timeout=options.timeout,
        foreign=() if options.rebuild else [stranger.name for stranger in graph.strangers],
        progress=progress,
        names=runs.names,
        architecture="" if options.rebuild else options.architecture,
        keep=keep,
    )
