"""Capture a model that lives in this process, by the major version of its Keras."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from support import framework as recording

from refconv.frameworks.worker.loading import Framework
from refconv.trace import Trace

PACKAGES = {2: "tf_keras", 3: "keras"}


def framework(keras: int) -> Framework:
    """The installed framework of a Keras major version, imported here."""
    return recording.framework(import_module(PACKAGES[keras]))


def capture_live(model: Any, inputs: list[np.ndarray], *, keras: int, mode: str = "graph") -> Trace:
    """What every layer of `model` computes, as the worker would have sent it."""
    return recording.record(import_module(PACKAGES[keras]), model, *inputs, mode=mode)
