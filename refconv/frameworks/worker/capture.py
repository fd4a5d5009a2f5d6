"""Runs a loaded model: once as its user does, and once more in passes that return what every layer computed."""

import re
from collections import Counter
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np

from refconv.frameworks.worker.channel import Channel
from refconv.frameworks.worker.passes import Pass, Passes
from refconv.frameworks.worker.recording import Reached, Recorder, as_is


class LayerFailure(Exception):
    """The framework could not run the model.

    Attributes:
        layer: path of the layer that failed, "" where it is not known.
    """

    def __init__(self, layer: str, cause: Exception) -> None:
        super().__init__(str(cause))
        self.layer = layer
        self.cause = cause


class Session:
    """One model, its inputs, and the mode in which it is to run."""

    def __init__(self, framework: Any, model: Any, inputs: List[np.ndarray], mode: str, whole: str = "") -> None:
        self.framework, self.model, self.mode = framework, model, mode
        self.samples = self.inputs = _conforming(model, inputs)
        self.recorder = Recorder(framework, model, whole)
        self._functions: Dict[Pass, Callable[..., Any]] = {}
        self.fed: List[Tuple[str, Tuple[int, ...], str]] = []  # path, shape and dtype of what a layer is fed, each once

    def slices(self, size: int) -> Iterator[int]:
        """Take `size` samples as the inputs, then the next ones, and in the end all again; 0 takes all at once."""
        count = len(self.samples[0])
        for number, start in enumerate(range(0, count, size or count)):
            self.inputs = [x[start : start + (size or count)] for x in self.samples]
            yield number
        self.inputs = self.samples

    def plain(self) -> List[np.ndarray]:
        """The model's outputs with nothing in its way: `predict`, in XLA a compiled function."""
        if self.mode == "xla":
            outputs = self.compiled(lambda *xs: self._call(xs))(*self._constants())
        else:
            outputs = self._predict()
        return [as_array(output) for output in self.framework.flatten(outputs)]

    def run(self, record: Pass) -> Tuple[Dict[str, np.ndarray], List[np.ndarray]]:
        """One pass: the recorded tensors by key, and in the first one the model's outputs.

        Raises:
            LayerFailure: a layer raised, when it was traced or when it ran.
        """

        try:
            tensors, outputs = self._function(record)(*self._constants())
        except Exception as error:
            raise LayerFailure(self.recorder.failed or self._named_in(str(error)), error) from error
        arrays = {key: as_array(tensor) for key, tensor in zip(record.tensors, tensors)}
        self._remember(record, arrays)
        return arrays, [as_array(output) for output in outputs]

    def _function(self, record: Pass) -> Callable[..., Any]:
        """What runs the pass; made once, so that it is traced again only for inputs of another shape."""

        def traced(*xs: Any) -> Tuple[List[Any], List[Any]]:
            with self.recorder.listening(record, list(xs)):
                try:
                    outputs = self.framework.flatten(self._call(xs))
                except Reached:
                    outputs = []
            # Outputs asked for once: a later pass then computes no further than its own layers.
            return list(record.tensors.values()), outputs if record.number == 0 else []

        return self._functions.setdefault(record, self.compiled(traced))

    def _remember(self, record: Pass, arrays: Dict[str, np.ndarray]) -> None:
        for call in record.calls:
            if call.inputs:
                x = arrays[call.inputs[0]]
                fed = (call.layer, x.shape, x.dtype.name)
                self.fed += [fed] if fed not in self.fed else []

    def _call(self, xs: Tuple[Any, ...]) -> Any:
        return self.model(self._packed(list(xs)), training=False)

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if self.mode == "eager":
            return function
        jit = True if self.mode == "xla" else None
        return self.framework.tf.function(as_is(function), jit_compile=jit)

    def _predict(self) -> Any:
        eager = self.model.run_eagerly
        self.model.run_eagerly = self.mode == "eager"
        try:
            return self.model.predict(self._packed(self.inputs), batch_size=len(self.inputs[0]), verbose=0)
        finally:
            self.model.run_eagerly = eager

    def _constants(self) -> List[Any]:
        return [self.framework.tf.constant(x) for x in self.inputs]

    def _packed(self, leaves: List[Any]) -> Any:
        """The inputs in the structure that the model was built with."""
        model = self.model
        structure = getattr(model, "_inputs_struct", getattr(model, "_nested_inputs", None))
        if isinstance(structure, dict):
            return self.framework.pack(structure, leaves)
        return leaves[0] if len(leaves) == 1 else leaves

    def _named_in(self, message: str) -> str:
        """The layer whose name scope stands in a run-time error's message, the innermost if several do."""
        nodes = re.findall(r"[\w./>-]+/[\w./>-]+", message)
        met = [s for s in self.recorder.scopes if s and any((n + "/").startswith(s + "/") for n in nodes)]
        return self.recorder.scopes[max(met, key=len)] if met else ""


def capture(
    session: Session, budget: int, channel: Channel, size: int = 0, after_first: Callable[[], None] = lambda: None
) -> None:
    """Send the plain outputs of all samples, then every pass, `size` samples after another.

    `after_first` is called between the passes of the first samples and those of the next.

    Raises:
        LayerFailure: some layer cannot run; the calls before it have been sent.
    """
    failure = None
    channel.progress(1, 4, "running the model")
    try:
        outputs = session.plain()
    except Exception as error:  # any framework's; the passes tell which layer it was
        outputs, failure = [], error
    for number, output in enumerate(outputs):
        channel.send("plain", output, index=number)
    passes = Passes(budget)
    for number in session.slices(size):
        if number:
            channel.send("slice")
        with session.recorder.installed():
            _send_layers(session, passes, channel)
        if not number:
            after_first()
    if failure is not None:
        raise LayerFailure("", failure)


def _send_layers(session: Session, passes: Passes, channel: Channel) -> None:
    try:
        _send_passes(session, passes, channel)
    except LayerFailure as failure:
        if failure.layer:
            session.recorder.stop_at = failure.layer
            _send_passes(session, Passes(passes.budget), channel)
        raise


def _send_passes(session: Session, passes: Passes, channel: Channel) -> None:
    plan = passes.plan
    for record in passes:
        channel.progress(2 + record.number, 3 + plan.count, "recording layers")
        tensors, outputs = session.run(record)
        if not plan.complete:
            plan.complete = True
            channel.send("planned", calls=plan.calls)
        _send_pass(channel, record, tensors, outputs)
        record.forget()
        del tensors, outputs  # before the next pass makes its own


def _send_pass(channel: Channel, record: Pass, tensors: Dict[str, np.ndarray], outputs: List[np.ndarray]) -> None:
    """Call by call, each tensor taken out of `tensors` before the first call that names it: neither side holds all."""
    channel.send("pass", index=record.number, inputs=list(record.inputs))
    uses = Counter(key for call in record.calls for key in call.keys)
    for call in record.calls:
        for key in sorted(call.keys & tensors.keys()):
            channel.send("tensor", tensors.pop(key), key=key, uses=uses[key])
        channel.send("call", **_fields(call))
    for number, output in enumerate(outputs):
        channel.send("output", output, index=number)
    channel.send("passed", index=record.number)


def _fields(call: Any) -> Dict[str, Any]:
    names = ("layer", "call", "type", "inputs", "outputs", "seconds", "weights", "steps")
    return {name: getattr(call, name) for name in names}


def as_array(value: Any) -> np.ndarray:
    """A tensor's values; strings as bytes of fixed width, since frames hold no Python objects."""
    array = np.asarray(value)
    return array.astype("S") if array.dtype == object else array


def _conforming(model: Any, inputs: List[np.ndarray]) -> List[np.ndarray]:
    """In the dtypes that the model declares, so that Keras feeds its first layers these very tensors."""
    declared = getattr(model, "inputs", None) or []
    if len(declared) != len(inputs):
        return inputs
    return [_cast(x, _dtype_name(spec.dtype)) for x, spec in zip(inputs, declared)]


def _cast(x: np.ndarray, dtype: str) -> np.ndarray:
    return x if dtype == "string" else x.astype(dtype, copy=False)


def _dtype_name(dtype: Any) -> str:
    return dtype if isinstance(dtype, str) else dtype.name
