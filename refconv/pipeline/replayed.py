"""A trace in place of the framework: what was run, and how, is what the file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from refconv import formats, frameworks
from refconv.errors import BadInput, FrameworkError, UnreadableTrace
from refconv.formats.source import Source
from refconv.formats.traced import About, Frame, TraceFile, open_trace
from refconv.graph import Graph, checksum
from refconv.inputs import dtypes
from refconv.inputs.shapes import text
from refconv.pipeline.elsewhere import explained
from refconv.pipeline.options import Given, Options, Progress, silent
from refconv.pipeline.parts import Draw, Parts, parts
from refconv.pipeline.rebuilding import NOTE, Runnable
from refconv.result import CheckResult

NOT_AGAIN = (
    "a trace cannot be run again: whether the framework fails as well another time, in another mode, or without "
    "oneDNN, was not tried"
)


@dataclass(frozen=True)
class Replayed:
    """What the check of a trace begins with; `options` are those of the capture where it decided."""

    about: About
    graph: Graph
    runs: Runnable
    options: Options
    stream: frameworks.Stream

    @property
    def size(self) -> int:
        """Samples per slice."""
        return self.about.slice or len(self.runs.parts.arrays[0])


@contextmanager
def replayed(source: Source, given: Given, options: Options, progress: Progress, draw: Draw) -> Iterator[Replayed]:
    """The trace in `options.trace` of the model in `source`.

    Raises:
        UnreadableTrace: see there; the trace is of another model, or does not fit it.
        UnreadableModel: see `refconv.load`.
        BadInput: inputs are given too.
    """
    if given is not None:
        raise BadInput("a trace holds the inputs that the model was fed", where="--trace", hint="leave out --input")
    with open_trace(options.trace) as file:
        about = file.about
        graph = formats.load(source, subclassed=bool(about.whole))
        _demand_model(graph, source.architecture, about, options.trace)
        options = _as_captured(options, about)
        runs = _runs(graph, file, options, draw)
        frames = _fitting(file.frames, graph, options.trace)
        stream = frameworks.replay(frames, runs.path, about.keras, progress, about.backend)
        yield Replayed(about, graph, runs, options, stream)


def described(about: About, found: Parts) -> dict[str, Any]:
    """The "input" object of the report, as the check that captured and compared at once would have it."""
    said = about.input
    sources = [tensor["source"] for tensor in said["tensors"]] + ["?"] * len(found.arrays)
    return {
        "source": said["source"],
        "samples": len(found.arrays[0]),
        "seed": said["seed"],
        "preprocess": said["preprocess"],
        "tensors": [
            {"name": spec.name, "dtype": str(array.dtype), "shape": list(array.shape), "source": where}
            for spec, array, where in zip(found.graph.specs, found.arrays, sources, strict=False)
        ],
        "notes": list(said["notes"]),
    }


def untried(result: CheckResult, options: Options) -> CheckResult:
    """`result` with a note where a framework at hand would have been run again to explain its failure."""
    asked: list[Options] = []
    if result.verdict != "fail" or not options.explain:
        return result

    def again(other: Options, switches: Mapping[str, str]) -> CheckResult:
        asked.append(other)
        raise FrameworkError(NOT_AGAIN)

    explained(result, options, again, silent)
    return replace(result, notes=(*result.notes, NOT_AGAIN)) if asked else result


def _demand_model(graph: Graph, architecture: str, about: About, where: str) -> None:
    """The very file that ran, byte for byte, in the Keras that it is of."""
    if graph.sha256 != about.sha256:
        what = f"it is of a model with the SHA-256 {about.sha256}; {graph.path} has {graph.sha256}"
        raise UnreadableTrace(what, where=where)
    found = checksum(architecture) if architecture else ""
    if found != about.architecture:
        what = f"it is of an architecture with the SHA-256 {about.architecture or '(none)'}, not {found or '(none)'}"
        raise UnreadableTrace(what, where=where, hint="--architecture names the model's JSON")
    if about.chosen == "auto" and about.backend == "tensorflow" and about.keras != graph.keras:
        what = f"Keras {about.keras} ran the model, which is a file of Keras {graph.keras}"
        raise UnreadableTrace(what, where=where)


def _as_captured(options: Options, about: About) -> Options:
    return replace(
        options,
        samples=about.samples,
        seed=about.seed,
        preprocess=about.preprocess,
        shapes=about.shapes,
        mode=about.mode,
        keras=about.chosen,
        backend=about.backend,
        repeat=about.repeat,
        device=about.device,
        thorough=about.thorough,
        rebuild=about.rebuilt,
    )


def _runs(graph: Graph, file: TraceFile, options: Options, draw: Draw) -> Runnable:
    """What ran: the model, or what was left of it when it was rebuilt."""
    if not file.about.rebuilt:
        return Runnable(Parts(graph, _fed(graph, file.inputs, options.trace)), graph.path, {})
    found = parts(graph, None, options, draw, lambda node: node.attrs is None)  # drawn: what was fed takes their place
    left = replace(found, arrays=_fed(found.graph, file.inputs, options.trace))
    return Runnable(left, graph.path, {}, (NOTE,))


def _fed(graph: Graph, arrays: Sequence[np.ndarray], where: str) -> list[np.ndarray]:
    """The arrays, each of a shape and dtype that its input of the model takes."""
    if len(arrays) != len(graph.specs):
        raise UnreadableTrace(f"{len(arrays)} inputs were fed, the model has {len(graph.specs)}", where=where)
    for spec, array in zip(graph.specs, arrays, strict=True):
        kind = array.dtype.kind in "SU" if dtypes.is_string(spec) else array.dtype == dtypes.of(spec)
        if not (kind and _takes(spec.shape, array.shape)):
            what = f"its input {spec.name!r} is {array.dtype} {text(array.shape)}"
            raise UnreadableTrace(f"{what}; the model takes {spec.dtype} {text(spec.shape)}", where=where)
    return list(arrays)


def _takes(wanted: Sequence[int | None], shape: Sequence[int]) -> bool:
    return len(wanted) == len(shape) and all(size in (None, n) for size, n in zip(wanted, shape, strict=True))


def _fitting(frames: Iterator[Frame], graph: Graph, where: str) -> Iterator[Frame]:
    """The frames; a trace none of whose layers is the model's is refused when it says what layers it has."""
    layers = {node.layer for node in graph.nodes}
    for header, array in frames:
        if header["kind"] == "planned" and header["calls"] and not layers & set(header["calls"]):
            found, wanted = (", ".join(sorted(names)[:4]) for names in (header["calls"], layers))
            raise UnreadableTrace(f"its layers ({found} …) are none of the model's ({wanted} …)", where=where)
        yield header, array
