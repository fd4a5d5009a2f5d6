"""One model checked on several backends, and how far what they compute is apart."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from refconv import formats, frameworks
from refconv.compare.drift import drift
from refconv.errors import BadInput
from refconv.formats.source import Source
from refconv.graph import Node
from refconv.pipeline.model import check
from refconv.pipeline.options import Given, Options, Progress, silent
from refconv.result import BackendsResult, CheckResult


def check_backends(
    path: str | Path,
    inputs: Given = None,
    *,
    backends: Sequence[str],
    options: Options | None = None,
    progress: Progress = silent,
    source: Source | None = None,
    **overrides: Any,
) -> BackendsResult:
    """Check the model on each of `backends`, fed the same inputs, and compare their layers' outputs.

    Each layer is judged on that backend's own input to it, as `check` does. How far two backends are apart is measured
    on what they compute from the model's inputs on: the difference that layers before made is in it.

    Raises:
        BadInput: a backend is named twice.
        UnreadableModel, BadInput, FrameworkError: as `check`.
    """
    if len(set(backends)) < len(backends):
        raise BadInput("one backend is named twice", where="--backend")
    options = replace(options or Options(), **overrides)
    if options.trace:
        raise BadInput("a trace is of one backend", where="--trace", hint="leave out --backend")
    source = source or formats.accept(path, options.architecture, sha256=options.sha256)
    _demand_all(source, backends, options)
    results: dict[str, CheckResult] = {}
    apart: dict[str, dict[int, float]] = {}
    with _kept() as first:
        for backend in backends:
            seen = _Distances(first) if results else first
            asked = replace(options, backend=backend)
            results[backend] = check(path, inputs, options=asked, progress=progress, source=source, on_outputs=seen)
            if isinstance(seen, _Distances):
                apart[backend] = dict(seen.found)
    return BackendsResult(results, apart)


def _demand_all(source: Source, backends: Sequence[str], options: Options) -> None:
    """That the model can be given to each, before the first one runs."""
    graph = formats.load(source, subclassed=bool(options.trust_code))
    for backend in backends:
        frameworks.keras_for(graph.keras, options.keras, backend, qkeras=graph.qkeras)


class _Kept:
    """Writes each layer's outputs to a folder: of large models they are more than memory holds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, node: Node, start: int, outputs: Sequence[np.ndarray]) -> None:
        for number, output in enumerate(outputs):
            np.save(self._file(node, start, number), _plain(output), allow_pickle=False)

    def of(self, node: Node, start: int) -> Iterator[np.ndarray]:
        for number in range(1 << 16):
            file = self._file(node, start, number)
            if not file.exists():
                return
            yield np.load(file, mmap_mode="r", allow_pickle=False)

    def _file(self, node: Node, start: int, number: int) -> Path:
        return self._folder / f"{node.index}-{start}-{number}.npy"


class _Distances:
    """The largest difference between each layer's outputs and those kept; inf where their shapes differ."""

    def __init__(self, kept: _Kept) -> None:
        self._kept = kept
        self.found: dict[int, float] = defaultdict(float)

    def __call__(self, node: Node, start: int, outputs: Sequence[np.ndarray]) -> None:
        first = list(self._kept.of(node, start))
        own = [_plain(output) for output in outputs]
        if [x.shape for x in first] != [x.shape for x in own]:
            self.found[node.index] = np.inf
        elif apart := drift(first, own):
            self.found[node.index] = max(self.found[node.index], apart.max_abs_error)


def _plain(x: np.ndarray) -> np.ndarray:
    """Values in a dtype that a file can hold: NumPy does not know bfloat16."""
    return x.astype(np.float32) if x.dtype.kind == "V" or x.dtype.name == "bfloat16" else x


@contextmanager
def _kept() -> Iterator[_Kept]:
    with tempfile.TemporaryDirectory(prefix="refconv-") as folder:
        yield _Kept(Path(folder))
