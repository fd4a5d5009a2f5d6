"""Capture a model that lives in this process, with the worker's own code, and check a graph against it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from refconv.frameworks.receive import Receiver
from refconv.frameworks.worker import environment
from refconv.frameworks.worker.capture import Session, capture
from refconv.frameworks.worker.channel import Channel
from refconv.frameworks.worker.loading import Framework
from refconv.trace import Trace, read_frames


def framework(keras: int) -> Framework:
    """The installed framework of a Keras major version, imported here."""
    import tensorflow as tf

    if keras == 3:
        import keras as package

        return Framework(tf, package, "keras")
    import tf_keras

    return Framework(tf, tf_keras, "tf-keras")


def capture_live(model: Any, inputs: list[np.ndarray], *, keras: int, mode: str = "graph") -> Trace:
    """What every layer of `model` computes, as the worker would have sent it."""
    stream = io.BytesIO()
    found = framework(keras)
    channel = Channel(stream)
    capture(Session(found, model, inputs, mode), 1 << 30, channel)
    channel.send("environment", environment=environment.describe(found))
    stream.seek(0)
    receiver = Receiver()
    for header, array in read_frames(stream):
        if header["kind"] != "progress":
            receiver.take(header, array)
    return receiver.trace
