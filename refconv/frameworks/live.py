"""A model that lives in this process, recorded here by the worker's own code, and left as it was."""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

import numpy as np

from refconv.errors import BadInput, FrameworkError
from refconv.frameworks.failure import as_error
from refconv.frameworks.stream import Progress, Stream
from refconv.frameworks.worker import environment
from refconv.frameworks.worker.backends import BACKENDS, load_backend
from refconv.frameworks.worker.capture import Session, capture
from refconv.frameworks.worker.channel import Channel
from refconv.frameworks.worker.failure import explain
from refconv.frameworks.worker.loading import Framework
from refconv.frameworks.worker.probes import send_probes
from refconv.frameworks.worker.work import of_model
from refconv.job import MODES
from refconv.trace import Trace, read_frames

HELD = 256 << 20  # bytes of a recording; a larger one goes to a temporary file
PACKAGES = {"keras": "keras", "tf_keras": "tf-keras"}


def framework_of(model: Any) -> Framework:
    """The framework that a model is of, as this process has imported it: nothing is imported for it.

    Raises:
        BadInput: it is no Keras model, or its Keras runs on a backend that refconv does not know.
    """
    for base in type(model).__mro__:
        package = base.__module__.partition(".")[0]
        if package in PACKAGES and base.__name__ == "Model":
            return _framework(package)
    raise BadInput(f"{type(model).__name__} is neither a file nor a Keras model")


def _framework(package: str) -> Framework:
    keras = sys.modules[package]
    backend = getattr(getattr(keras, "config", None), "backend", lambda: "tensorflow")()
    if backend not in BACKENDS:
        raise BadInput(f"Keras runs on {backend} in this process", hint="save it, and check the file")
    return Framework(load_backend(backend), keras, PACKAGES[package])


def sigmoid() -> str:
    """Name of the function that QKeras's quantizers take for a sigmoid; "" where no QKeras is imported."""
    return getattr(getattr(sys.modules.get("qkeras.quantizers"), "_sigmoid", None), "__name__", "")


class Here(Channel):
    """Frames to a file, and progress at once."""

    def __init__(self, stream: BinaryIO, progress: Progress) -> None:
        super().__init__(stream)
        self._progress = progress

    def progress(self, done: int, total: int, what: str) -> None:
        self._progress(what, done / total)


@contextmanager
def recorded(
    model: Any,
    inputs: Sequence[np.ndarray],
    *,
    mode: str = "graph",
    device: str = "auto",
    budget: int = 1 << 30,
    probes: bool = False,
    samples: int = 0,
    repeat: int = 1,
    progress: Progress | None = None,
) -> Iterator[Stream]:
    """Run a live model, and receive what every layer took and gave. Arguments as `Worker.stream` takes them.

    The model's variables, its attributes and its layers' calls are afterwards what they were.

    Raises:
        FrameworkError: there is no such device; the stream raises it where the model cannot be run.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
    framework, progress = framework_of(model), progress or (lambda what, share: None)
    if mode not in framework.backend.modes:
        hint = f"--mode {framework.backend.modes[0]}"
        raise FrameworkError(f"{framework.backend.title} has no {mode} mode", hint=hint)
    demand_device(framework, device)
    major = int(framework.keras.__version__.split(".")[0])

    def error(header: dict[str, Any], trace: Trace) -> FrameworkError:
        return as_error(header, str(model.name), major, trace, framework.backend.name)

    with tempfile.SpooledTemporaryFile(HELD, prefix="refconv-") as file:
        stream = cast(BinaryIO, file)
        with left_alone(framework, model), _quietly():
            how = (mode, device, budget, probes, samples, repeat)
            _send(framework, model, list(inputs), Here(stream, progress), how)
        stream.seek(0)
        yield Stream(read_frames(stream), error, progress)


def demand_device(framework: Framework, device: str) -> None:
    """What a process may still choose, once its framework is running.

    Raises:
        FrameworkError: a GPU is asked for, and there is none; the CPU or a later GPU is, and the first one is taken.
    """
    title = framework.backend.title
    gpu = any(found["type"] == "GPU" for found in framework.backend.describe()["devices"])
    if device.startswith("gpu") and not gpu:
        raise FrameworkError(f"{title} sees no GPU in this process")
    if (device == "cpu" and gpu) or device.partition(":")[2] not in ("", "0"):
        hint = f"set CUDA_VISIBLE_DEVICES before {title} is imported, or save the model and check the file"
        raise FrameworkError(f"a model in this process runs where {title} puts it, not on {device}", hint=hint)


def _send(
    framework: Framework,
    model: Any,
    inputs: list[np.ndarray],
    channel: Channel,
    how: tuple[str, str, int, bool, int, int],
) -> None:
    mode, device, budget, probes, samples, repeat = how
    session = Session(framework, model, inputs, mode)
    found = environment.describe(framework)
    found.update(environment.global_state(framework), mode=mode, device=device, repeat=repeat, **of_model(model, mode))
    channel.send("environment", environment=found)

    def probed() -> None:
        if probes:
            send_probes(session, channel)

    try:
        capture(session, budget, channel, samples, probed, repeat)
    except Exception as error:  # the stream tells it, as it does a worker's
        channel.send("error", **explain(error))
    else:
        channel.send("done")


@contextmanager
def _quietly() -> Iterator[None]:
    """As in a worker, whose log nobody sees; and no warning becomes an error here, as it may in a test."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel("ERROR")
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def left_alone(framework: Framework, model: Any) -> Iterator[None]:
    """Whatever is run inside, the model's attributes and its untrained variables are afterwards what they were.

    `predict` leaves a function and a counter, `run_eagerly` turns from "not said" to False, and a stateful recurrent
    layer goes on from its last state.
    """
    models = [model, *_nested(model)]
    attributes = [dict(vars(one)) for one in models]
    variables = _untrained(framework, model)
    values = [variable.numpy().copy() for variable in variables]
    try:
        yield
    finally:
        for one, before in zip(models, attributes, strict=True):
            _restore(vars(one), before)
        for variable, value in zip(variables, values, strict=True):
            if not np.array_equal(variable.numpy(), value):
                variable.assign(value)


def _nested(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        if hasattr(layer, "get_layer"):
            yield layer
            yield from _nested(layer)


def _untrained(framework: Framework, model: Any) -> list[Any]:
    """Variables that a run may change: those that no optimizer trains, and the states of recurrent layers."""
    states = [
        state
        for layer in getattr(model, "_flatten_layers", lambda: model.layers)()
        if getattr(layer, "stateful", False)
        for state in framework.backend.flatten(getattr(layer, "states", None) or [])
    ]
    found = [*model.non_trainable_variables, *states]
    return list({id(one): one for one in found if hasattr(one, "assign")}.values())


def _restore(own: dict[str, Any], before: dict[str, Any]) -> None:
    """Not by setattr: Keras tracks attributes."""
    for name in own.keys() - before.keys():
        del own[name]
    own.update({name: value for name, value in before.items() if own.get(name, ...) is not value})
