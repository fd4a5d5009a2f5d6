"""A model that lives in this process, recorded by the worker's own code."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from refconv.frameworks.receive import Receiver
from refconv.trace import Trace, read_frames

BUDGET = 1 << 30  # bytes that one pass may record
SWITCHES = ("KERAS_BACKEND", "TF_USE_LEGACY_KERAS")


def capture(keras: Any, model: Any, inputs: Sequence[np.ndarray], mode: str) -> Trace:
    """What every layer of `model` computes; `keras` is the package that it was made with."""
    from refconv.frameworks.worker.capture import Session
    from refconv.frameworks.worker.capture import capture as record
    from refconv.frameworks.worker.channel import Channel
    from refconv.frameworks.worker.loading import import_framework

    with _kept(SWITCHES):
        framework = import_framework(int(keras.__version__.partition(".")[0]))
    stream = io.BytesIO()
    record(Session(framework, model, list(inputs), mode), BUDGET, Channel(stream))
    stream.seek(0)
    receiver = Receiver()
    for header, array in read_frames(stream):
        receiver.take(header, array)
    return receiver.trace


@contextmanager
def _kept(names: Sequence[str]) -> Iterator[None]:
    """Environment variables as they were before."""
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
