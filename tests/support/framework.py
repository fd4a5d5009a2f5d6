"""A framework in this process, recorded by the worker's own code, and stand-ins for one that misbehaves."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from refconv.frameworks.receive import Receiver
from refconv.frameworks.worker.capture import Session, capture
from refconv.frameworks.worker.channel import Channel
from refconv.frameworks.worker.loading import Framework
from refconv.frameworks.worker.probes import send_probes
from refconv.trace import Trace, read_frames


def framework(keras: Any) -> Framework:
    return Framework(tf, keras, "")


def trace_of(stream: io.BytesIO) -> Trace:
    receiver = Receiver()
    for header, array in read_frames(io.BytesIO(stream.getvalue())):
        receiver.take(header, array)
    return receiver.trace


def record(
    keras: Any,
    model: Any,
    *inputs: np.ndarray,
    mode: str = "graph",
    budget: int = 1 << 30,
    stream: Any = None,
    probes: bool = False,
    size: int = 0,
) -> Trace:
    """What the worker would send for this live model; `stream` keeps the frames where the capture raises.

    Of samples that are recorded `size` at a time the trace is mixed up: the stream holds them apart.
    """
    stream = io.BytesIO() if stream is None else stream
    session, channel = Session(framework(keras), model, list(inputs), mode), Channel(stream)
    capture(session, budget, channel, size, lambda: send_probes(session, channel) if probes else None)
    return trace_of(stream)


def stand_in(folder: Path, monkeypatch: Any, source: str) -> None:
    """From now on `import tensorflow` runs `source` in every child process."""
    (folder / "tensorflow.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(folder))
