"""Words for what a worker reports."""

from __future__ import annotations

from typing import Any

from refconv.errors import FrameworkError
from refconv.trace import Trace

PIP_NAMES = {"tensorflow": "tensorflow", "tf_keras": "tf-keras", "keras": "keras", "qkeras": "qkeras"}


class LayerFailed(FrameworkError):
    """The framework cannot run the model on this machine.

    Attributes:
        layer: path of the layer that raised, "" where the framework does not tell.
        trace: the calls before it.
    """

    def __init__(self, what: str, *, where: str, layer: str, trace: Trace) -> None:
        super().__init__(what, where=where)
        self.layer, self.trace = layer, trace


def as_error(frame: dict[str, Any], path: str, keras: int, trace: Trace) -> FrameworkError:
    """The error that an error frame (worker/failure.py) stands for."""
    what, missing, layer = frame["what"], frame["missing"], frame["layer"]
    if frame["reason"] == "layer":
        subject = f"cannot run layer {layer}" if layer else "cannot run this model"
        return LayerFailed(f"Keras {keras} {subject}: {what}", where=path, layer=layer, trace=trace)
    if missing in PIP_NAMES:
        return FrameworkError(f"needs Keras {keras}: {what}", where=path, hint=f"pip install {PIP_NAMES[missing]}")
    if frame["reason"] == "import":
        return FrameworkError(f"Keras {keras} cannot be imported: {what}", where=path)
    if frame["reason"] == "device":
        return FrameworkError(what, hint="use --device cpu, or install TensorFlow with its GPU libraries")
    if frame["reason"] == "code":
        return FrameworkError(f"the trusted code cannot be run: {what}")
    return FrameworkError(f"Keras {keras} cannot load this file: {what}", where=path)
