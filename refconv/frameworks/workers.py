"""Asks a worker for everything that a framework computes for one model and one input."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from refconv.errors import FrameworkError
from refconv.frameworks.failure import as_error
from refconv.frameworks.process import NO_SWITCHES, Child, Frame, writing
from refconv.frameworks.stream import Progress, Stream
from refconv.job import MODES, Job
from refconv.trace import Trace

Keep = Callable[[dict[str, Any], "np.ndarray | None"], None]

<<<<<<< HEAD
_EARLY: dict[tuple[int, str], Child] = {}  # Keras's major version and its backend → a child that imports them


@contextmanager
def early(keras: int, *, backend: str = "tensorflow", memory: int = 0) -> Iterator[None]:
    """Start what the next `Worker(keras)` within the context takes over: what it imports takes seconds."""
    with suppress(FrameworkError):  # told again, where it is wanted
        _EARLY[keras, backend] = Child(keras, backend=backend, memory=memory)
    try:
        yield
    finally:
        if child := _EARLY.pop((keras, backend), None):
=======
_EARLY: dict[tuple[int, str | None], Child] = {}  # (Keras's major version, interpreter) → a child that imports it


@contextmanager
def early(keras: int, *, memory: int = 0, python: str | None = None) -> Iterator[None]:
    """Start what the next such `Worker` within the context takes over: what it imports takes seconds."""
    with suppress(FrameworkError):  # told again, where it is wanted
        _EARLY[keras, python] = Child(keras, python=python, memory=memory)
    try:
        yield
    finally:
        if child := _EARLY.pop((keras, python), None):
>>>>>>> trace
            child.close()


NO_NAMES: Mapping[str, str] = {}


def renamed(frames: Iterator[Frame], names: Mapping[str, str]) -> Iterator[Frame]:
    """The frames, with the layers in them called by other names."""
    for header, array in frames:
        if "layer" in header:
            header = {**header, "layer": names.get(header["layer"], header["layer"])}
        elif header["kind"] == "planned":
            header = {**header, "calls": {names.get(name, name): n for name, n in header["calls"].items()}}
        yield header, array


def kept(frames: Iterator[Frame], keep: Keep | None) -> Iterator[Frame]:
    """The frames, each given to `keep` first."""
    for header, array in frames:
        if keep is not None:
            keep(header, array)
        yield header, array


@dataclass
class Evaluation:
    """What a framework's `predict` and `evaluate` gave.

    Attributes:
        predictions: one array per model output.
        values: what `evaluate` reports, by name; empty where it could not run, and `reason` says why.
        metrics: name → what the framework made of each metric, as far as it tells.
        refused: why its loader could not compile the model as the file says; "" where it could.
    """

    environment: dict[str, Any] = field(default_factory=dict)
    predictions: list[np.ndarray] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    refused: str = ""

    def take(self, header: dict[str, Any], array: np.ndarray | None) -> None:
        if header["kind"] == "environment":
            self.environment = header["environment"]
        elif header["kind"] == "plain" and array is not None:
            self.predictions.append(array)
        elif header["kind"] == "scores":
            self.values, self.metrics = header["values"], header["metrics"]
            self.reason, self.refused = header["reason"], header["refused"]


class Worker:
    """A framework in a process of its own. It starts at once and imports the framework while the parent goes on.

    Args:
        keras: major version of Keras to load the model with, 2 or 3.
        backend: what Keras runs on: tensorflow, and for Keras 3 also jax or torch.
        python: interpreter of another environment to run it in; None for this one.
        switches: variables of its environment, such as TF_ENABLE_ONEDNN_OPTS.
        memory: bytes of memory that it may take; 0 for as many as there are. A limit that `early` set stays.

    Raises:
        FrameworkError: the interpreter cannot be started.
    """

    def __init__(
        self,
        keras: int,
        *,
        backend: str = "tensorflow",
        python: str | None = None,
        memory: int = 0,
        switches: Mapping[str, str] = NO_SWITCHES,
    ) -> None:
        if keras not in (2, 3):
            raise ValueError(f"keras must be 2 or 3, not {keras!r}")
<<<<<<< HEAD
        self._keras, self._backend = keras, backend
        early = _EARLY.pop((keras, backend), None) if python is None and not switches else None
        self._child = early or Child(keras, backend=backend, python=python, memory=memory, switches=switches)
=======
        self._keras = keras
        early = None if switches else _EARLY.pop((keras, python), None)
        self._child = early or Child(keras, python=python, memory=memory, switches=switches)
>>>>>>> trace

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self._child.pid

    def close(self) -> None:
        """End the process, whatever it is doing, and remove its files. Safe to call twice."""
        self._child.close()

    def stream(
        self,
        path: str | Path,
        inputs: Sequence[np.ndarray],
        *,
        mode: str = "graph",
        device: str = "auto",
        tf32: str = "",
        deterministic: bool = False,
        repeat: int = 1,
        budget: int = 1 << 30,
        qkeras: bool = False,
        probes: bool = False,
        samples: int = 0,
        code: Sequence[str] = (),
        whole: str = "",
        foreign: Sequence[str] = (),
        timeout: float = 600.0,
        progress: Progress | None = None,
        names: Mapping[str, str] = NO_NAMES,
        architecture: str | Path = "",
        keep: Keep | None = None,
    ) -> Stream:
        """Run the model once and receive what every layer took and gave, pass by pass. A worker serves one call.

        Args:
            path: the model file, as the user has it.
            inputs: one array per model input, in the model's order, batch first, in the dtypes the model declares.
            mode: graph, eager or xla.
            device: auto, cpu, gpu or gpu:N.
            tf32: on, off, or "" for the framework's own default.
            deterministic: ask for operations that give the same bits every time.
            repeat: how often each pass runs; calls whose bits differ from the first run's are sent as well.
            budget: bytes of layer inputs and outputs that the worker holds and returns at once.
            qkeras: the file holds QKeras layers.
            probes: also run a clone of every linear layer on small integers.
            samples: how many of the batch are recorded at a time; 0 for all. `predict` runs on all at once.
            code: files of the user's, run in this process before the model is loaded, for the classes they define.
            whole: record the model itself as one layer of this name.
            foreign: names in the file that `code` has to define.
            timeout: seconds that the worker may be waited for.
            progress: called with what is being done and the share that is done, 0 to 1.
            architecture: the model's JSON where `path` holds weights alone.
            names: layers of the file → what the trace is to call them.
            keep: is given each frame as it arrives.

        The stream raises FrameworkError where the framework is missing, cannot load or run the model, died or exceeded
        the time limit. Its notes hold the framework's last lines.
        """
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
        files = [self._save(number, x) for number, x in enumerate(inputs)]
        job = Job(
            str(Path(path).resolve()),
            self._keras,
            files,
            mode=mode,
            device=device,
            tf32=tf32,
            deterministic=deterministic,
            repeat=repeat,
            budget=budget,
            qkeras=qkeras,
            architecture=str(Path(architecture).resolve()) if architecture else "",
            probes=probes,
            slice=samples,
            code=list(code),
            whole=whole,
            foreign=list(foreign),
        )
        self._child.tell(job.to_json())

        def error(header: dict[str, Any], trace: Trace) -> FrameworkError:
            found = as_error(header, str(path), self._keras, trace, self._backend)
            found.hint = found.hint or self._child.limited(found.what)
            return self._child.noted(found)

        frames = kept(renamed(self._child.frames(timeout), names), keep)
        return Stream(frames, error, progress or (lambda what, share: None))

    def evaluate(
        self,
        path: str | Path,
        inputs: Sequence[np.ndarray],
        targets: Sequence[np.ndarray | None],
        weights: Sequence[np.ndarray | None],
        *,
        batch: int = 32,
        compiled: Mapping[str, Any],
        stored: bool = False,
        device: str = "auto",
        qkeras: bool = False,
        code: Sequence[str] = (),
        foreign: Sequence[str] = (),
        timeout: float = 600.0,
        progress: Progress | None = None,
    ) -> Evaluation:
        """The framework's predictions, and what it reports of loss and metrics. A worker serves one call.

        Args:
            targets, weights: one array per model output, None where there is none.
            batch: samples per batch.
            compiled: keyword arguments of `compile`, in JSON's own types.
            stored: the file says them itself, and the framework is to read them there.

        Raises:
            FrameworkError: the framework is missing, cannot load or run the model, died or exceeded the time limit.
        """
        job = Job(
            str(Path(path).resolve()),
            self._keras,
            [self._save(number, x) for number, x in enumerate(inputs)],
            device=device,
            qkeras=qkeras,
            code=list(code),
            foreign=list(foreign),
            targets=["" if y is None else self._save(number, y, "target") for number, y in enumerate(targets)],
            weights=["" if w is None else self._save(number, w, "weight") for number, w in enumerate(weights)],
            batch=batch,
            compiled=json.dumps(dict(compiled)),
            stored=stored,
        )
        self._child.tell(job.to_json())
        found = Evaluation()
        for header, array in self._child.frames(timeout):
            if header["kind"] == "error":
                raise self._child.noted(as_error(header, str(path), self._keras, Trace(), self._backend))
            if header["kind"] == "progress" and progress:
                progress(header["what"], header["done"] / header["total"])
            found.take(header, array)
        return found

    def _save(self, number: int, x: np.ndarray, kind: str = "input") -> str:
        file = self._child.folder / f"{kind}{number}.npy"
        with writing(self._child.folder):
            np.save(file, x, allow_pickle=False)
        return str(file)
