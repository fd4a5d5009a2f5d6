"""Runs a loaded model: once as its user does, and once more in passes that return what every layer computed."""

import re
from collections import Counter
from dataclasses import replace
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np

from refconv.frameworks.worker.channel import Channel
from refconv.frameworks.worker.passes import Pass, Passes
from refconv.frameworks.worker.recording import Reached, Recorder
from refconv.trace import Call


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
        self.backend = framework.backend
        self.samples = self.inputs = conforming(model, inputs)
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
            outputs = self.compiled(lambda *xs: self._call(xs), self.model)(*self._constants())
        else:
            outputs = self._predict()
        return [self.values(output) for output in self.framework.flatten(outputs)]

    def run(self, record: Pass) -> Tuple[Dict[str, np.ndarray], List[np.ndarray]]:
        """One pass: the recorded tensors by key, and in the first one the model's outputs.

        Raises:
            LayerFailure: a layer raised, when it was traced or when it ran.
        """

        try:
            tensors, outputs = self._function(record)(*self._constants())
        except Exception as error:
            named = self.recorder.failed or self._named_in(str(error)) or self._failing(record)
            raise LayerFailure(named, error) from error
        arrays = {key: self.values(tensor) for key, tensor in zip(record.tensors, tensors)}
        self._remember(record, arrays)
        return arrays, [self.values(output) for output in outputs]

    def values(self, tensor: Any) -> np.ndarray:
        return as_array(self.backend.array(tensor))

    def again(self, record: Pass, first: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """The pass once more: those of its tensors, by key, whose bits are not those of the `first` run."""
        tensors, _ = self._function(record)(*self._constants())
        arrays = ((key, self.values(tensor)) for key, tensor in zip(record.tensors, tensors))
        return {key: array for key, array in arrays if not same_bits(array, first[key])}

    def _failing(self, record: Pass) -> str:
        """The layer that cannot run, where the compiler of the whole does not name it: by halves. "" if none does."""
        paths = list(self.recorder.layers)  # as they were called
        if self.mode == "eager" or not paths:
            return ""
        runs, fails = 0, len(paths)  # what comes before the one runs, what comes before the other does not
        while fails - runs > 1:
            middle = (runs + fails) // 2
            runs, fails = (middle, fails) if self._runs_before(record, paths[middle]) else (runs, middle)
        return paths[runs]

    def _runs_before(self, record: Pass, path: str) -> bool:
        self.recorder.stop_at = path
        try:
            self.compiled(self._traced(record), self.model)(*self._constants())
        except Exception:
            return False
        finally:
            self.recorder.stop_at = ""
        return True

    def _function(self, record: Pass) -> Callable[..., Any]:
        """What runs the pass; made once, so that it is traced again only for inputs of another shape."""
        return self._functions.setdefault(record, self.compiled(self._traced(record), self.model))

    def _traced(self, record: Pass) -> Callable[..., Any]:
        def traced(*xs: Any) -> Tuple[List[Any], List[Any]]:
            with self.recorder.listening(record, list(xs)):
                try:
                    outputs = self.framework.flatten(self._call(xs))
                except Reached:
                    outputs = []
            # Outputs asked for once: a later pass then computes no further than its own layers.
            return list(record.tensors.values()), outputs if record.number == 0 else []

        return traced

    def _remember(self, record: Pass, arrays: Dict[str, np.ndarray]) -> None:
        for call in record.calls:
            if call.inputs:
                x = arrays[call.inputs[0]]
                fed = (call.layer, x.shape, x.dtype.name)
                self.fed += [fed] if fed not in self.fed else []

    def _call(self, xs: Tuple[Any, ...]) -> Any:
        return self.model(self._packed(list(xs)), training=False)

    def compiled(self, function: Callable[..., Any], holder: Any) -> Callable[..., Any]:
        """`function` as the session's mode runs it; `holder` is the model or layer whose variables it reads."""
        return self.backend.compiled(function, self.mode, holder)

    def _predict(self) -> Any:
        eager = self.model.run_eagerly
        self.model.run_eagerly = self.mode == "eager"
        try:
            with self.backend.kept(self.model):
                return self.model.predict(self._packed(self.inputs), batch_size=len(self.inputs[0]), verbose=0)
        finally:
            self.model.run_eagerly = eager

    def _constants(self) -> List[Any]:
        return [self.backend.constant(x) for x in self.inputs]

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
    session: Session,
    budget: int,
    channel: Channel,
    size: int = 0,
    after_first: Callable[[], None] = lambda: None,
    repeat: int = 1,
) -> None:
    """Send the plain outputs of all samples, then every pass, `size` samples after another.

    `after_first` is called between the passes of the first samples and those of the next. Everything runs `repeat`
    times, and what has other bits than the first time is sent too.

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
    if failure is None:
        _send_plain_again(session, outputs, repeat, channel)
    passes = Passes(budget, session.backend.size)
    for number in session.slices(size):
        if number:
            channel.send("slice")
        with session.recorder.installed():
            _send_layers(session, passes, channel, repeat)
        if not number:
            after_first()
    if failure is not None:
        raise LayerFailure("", failure)


def _send_plain_again(session: Session, first: List[np.ndarray], repeat: int, channel: Channel) -> None:
    for run in range(1, repeat):
        outputs = session.plain()
        if not all(map(same_bits, outputs, first)):
            for number, output in enumerate(outputs):
                channel.send("plain", output, index=number, run=run)


def _send_layers(session: Session, passes: Passes, channel: Channel, repeat: int) -> None:
    try:
        _send_passes(session, passes, channel, repeat)
    except LayerFailure as failure:
        if failure.layer:
            session.recorder.stop_at = failure.layer
            _send_passes(session, Passes(passes.budget, session.backend.size), channel, repeat)
        raise


def _send_passes(session: Session, passes: Passes, channel: Channel, repeat: int) -> None:
    plan = passes.plan
    for record in passes:
        channel.progress(2 + record.number, 3 + plan.count, "recording layers")
        tensors, outputs = session.run(record)
        if not plan.complete:
            plan.complete = True
            channel.send("planned", calls=plan.calls)
        varied = [session.again(record, tensors) for _ in range(1, repeat)]
        _send_pass(channel, record, tensors, outputs, varied)
        record.forget()
        del tensors, outputs, varied  # before the next pass makes its own


def _send_pass(
    channel: Channel,
    record: Pass,
    tensors: Dict[str, np.ndarray],
    outputs: List[np.ndarray],
    varied: List[Dict[str, np.ndarray]],
) -> None:
    """Call by call, each tensor taken out of `tensors` before the first call that names it: neither side holds all.

    Before each call come those of the other runs in which any of its tensors `varied`, with keys of their own for them.
    """
    channel.send("pass", index=record.number, inputs=list(record.inputs))
    others = {id(call): list(_others(call, varied)) for call in record.calls}
    every = [*record.calls, *(call for again in others.values() for _, call in again)]
    uses = Counter(key for call in every for key in call.keys)
    for run, different in enumerate(varied, 1):
        tensors.update((_key(key, run), array) for key, array in different.items())
    for call in record.calls:
        for run, other in [*others[id(call)], (0, call)]:
            for key in sorted(other.keys & tensors.keys()):
                channel.send("tensor", tensors.pop(key), key=key, uses=uses[key])
            kind, fields = ("again", dict(_fields(other), run=run)) if run else ("call", _fields(other))
            channel.send(kind, **fields)
    for number, output in enumerate(outputs):
        channel.send("output", output, index=number)
    channel.send("passed", index=record.number)


def _others(call: Call, varied: List[Dict[str, np.ndarray]]) -> Iterator[Tuple[int, Call]]:
    """The runs in which a tensor of the call has other bits, and the call with the keys of its tensors there."""
    for run, different in enumerate(varied, 1):
        if not call.keys.isdisjoint(different):
            yield run, _renamed(call, {key: _key(key, run) for key in different})


def _key(key: str, run: int) -> str:
    return f"{key}~{run}"


def _renamed(call: Call, keys: Dict[str, str]) -> Call:
    inputs, outputs = (tuple(keys.get(key, key) for key in names) for names in (call.inputs, call.outputs))
    weights, steps = (tuple((n, keys.get(key, key)) for n, key in named) for named in (call.weights, call.steps))
    return replace(call, inputs=inputs, outputs=outputs, weights=weights, steps=steps)


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays are the same byte for byte: NaN equals itself, and +0 is not −0."""
    return one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()


def _fields(call: Any) -> Dict[str, Any]:
    names = ("layer", "call", "type", "inputs", "outputs", "seconds", "weights", "steps")
    return {name: getattr(call, name) for name in names}


def as_array(value: Any) -> np.ndarray:
    """A tensor's values; strings as bytes of fixed width, since frames hold no Python objects."""
    array = np.asarray(value)
    return array.astype("S") if array.dtype == object else array


def conforming(model: Any, inputs: List[np.ndarray]) -> List[np.ndarray]:
    """In the dtypes that the model declares, so that Keras feeds its first layers these very tensors."""
    declared = getattr(model, "inputs", None) or []
    if len(declared) != len(inputs):
        return inputs
    return [_cast(x, dtype_name(spec.dtype)) for x, spec in zip(inputs, declared)]


def _cast(x: np.ndarray, dtype: str) -> np.ndarray:
    return x if dtype == "string" else x.astype(dtype, copy=False)


def dtype_name(dtype: Any) -> str:
    return dtype if isinstance(dtype, str) else str(dtype.name)
