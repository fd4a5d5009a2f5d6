"""What is used inside a process with Keras: a callback that records the weights.

It serves Keras 2 (tf_keras) and Keras 3. It inherits from neither's `Callback`, and imports neither: both call the
methods of whatever stands in `callbacks=[…]`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from refconv.errors import BadInput
from refconv.formats.recording import END, START, Key, Writer


class WeightRecorder:
    """Keeps every weight of every layer at the end of each epoch, in one HDF5 file.

    Example:
        model.fit(x, y, epochs=10, callbacks=[WeightRecorder("run.h5")])

    then `refconv diff run.h5@0 run.h5@9` and `refconv view run.h5`. The state before the training is "start". A file
    that is there already goes on, if it is of a model with the same weights: its epochs are counted on where they
    would else begin again. What was recorded stays readable when the training is killed.

    Args:
        path: of the file.
        every: also after every so many batches.

    Raises:
        BadInput: `every` is no positive number; when training begins, the file is something else or of another model.
    """

    _supports_tf_logs = True  # Keras 2: the logs are not looked at

    def __init__(self, path: str | Path, *, every: int | None = None) -> None:
        if every is not None and every < 1:
            raise BadInput(f"every {every} batches is no interval", where="every")
        self.path, self.every = Path(path), every
        self.model: Any = None
        self.params: Mapping[str, Any] = {}
        self._writer: Writer | None = None
        self._variables: list[Any] = []
        self._epoch, self._shift = 0, 0  # Keras's number of the epoch, and what makes it the recording's

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: Mapping[str, Any]) -> None:
        self.params = params

    def on_train_begin(self, logs: Any = None) -> None:
        self.on_train_end()  # which was not called where the last training was interrupted
        self._shift = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch
        if self._writer is None and self.model.built:
            writer = self._opened()
            if writer.last is None:
                self._record(writer, START, END)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.every is not None and (batch + 1) % self.every == 0:
            writer = self._opened()
            self._record(writer, self._epoch + self._shift, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        writer = self._opened()
        self._record(writer, epoch + self._shift, END)

    def on_train_end(self, logs: Any = None) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _nothing(self, *_: Any, **__: Any) -> None:
        """What else Keras calls."""

    on_batch_begin = on_batch_end = on_train_batch_begin = _nothing
    on_test_begin = on_test_end = on_test_batch_begin = on_test_batch_end = _nothing
    on_predict_begin = on_predict_end = _nothing
    on_predict_batch_begin = on_predict_batch_end = _nothing

    def _implements_train_batch_hooks(self) -> bool:
        """Keras 2 asks; without batches to record it need not wait for each."""
        return self.every is not None

    def _implements_test_batch_hooks(self) -> bool:
        return False

    def _implements_predict_batch_hooks(self) -> bool:
        return False

    def _opened(self) -> Writer:
        """The file; opened once the weights are there, which a model may get with its first batch."""
        if self._writer is None:
            found = list(variables(self.model))
            self._variables = [variable for _, _, variable in found]
            keys = [Key(layer, name, tuple(variable.shape), _dtype(variable)) for layer, name, variable in found]
            self._writer = Writer(
                self.path,
                keys,
                model=str(self.model.name),
                framework=_framework(self.model),
                architecture=_architecture(self.model),
            )
            last = self._writer.last
            self._shift = max(0, last.epoch + 1 - self._epoch) if last else 0
        return self._writer

    def _record(self, writer: Writer, epoch: int, batch: int) -> None:
        writer.append(epoch, batch, [_values(variable) for variable in self._variables], self._trainable())

    def _trainable(self) -> Sequence[bool]:
        trained = {id(variable) for variable in self.model.trainable_variables}
        return [id(variable) in trained for variable in self._variables]


def variables(model: Any) -> Iterator[tuple[str, str, Any]]:
    """(layer path, name below the layer, variable) of every weight; a shared layer once, layers of nested models too.

    Weights that the model itself holds, as a subclassed one may, have the path "".
    """
    seen: set[int] = set()
    for path, layer in _leaves(model, ""):
        for variable in layer.weights:
            if id(variable) not in seen:
                seen.add(id(variable))
                yield path, _name(variable, layer.name), variable
    for variable in model.weights:
        if id(variable) not in seen:
            seen.add(id(variable))
            yield "", _full(variable), variable


def _leaves(model: Any, above: str) -> Iterator[tuple[str, Any]]:
    for layer in model.layers:
        path = f"{above}{layer.name}"
        if hasattr(layer, "layers") and hasattr(layer, "get_layer"):  # a model: Pipeline and others have no get_layer
            yield from _leaves(layer, f"{path}/")
        else:
            yield path, layer


def _full(variable: Any) -> str:
    """Keras 3: path, sequential/dense/kernel; Keras 2: name, dense/kernel:0."""
    return str(getattr(variable, "path", variable.name)).removesuffix(":0")


def _name(variable: Any, layer: str) -> str:
    """Below the layer; the whole name where that does not hold the layer's."""
    full = f"/{_full(variable)}"
    return full.rpartition(f"/{layer}/")[2] or full.strip("/")


def _values(variable: Any) -> np.ndarray:
    values = np.asarray(variable.numpy())
    return values.astype(np.float32) if values.dtype.name == "bfloat16" else values


def _dtype(variable: Any) -> str:
    return _values(variable).dtype.name


def _framework(model: Any) -> str:
    """Of the base class that is Keras's own: the model's may be the user's."""
    for base in type(model).__mro__:
        package = base.__module__.partition(".")[0]
        if package in ("keras", "tf_keras"):
            return f"{package} {getattr(sys.modules.get(package), '__version__', '')}".strip()
    return ""


def _architecture(model: Any) -> str:
    try:
        return str(model.to_json())
    except Exception:  # subclassed models do not say; whatever it is, the weights are recorded
        return ""
