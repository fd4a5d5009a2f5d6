"""The states that a recurrent layer leaves after every step, taken from the run that gives its output.

Keras runs a cell in `backend.rnn`, which keeps the cell's output of every step and drops its states but the last. While
one layer runs, the cell's output there is made wider: output and states side by side. What the layer gives is then cut
into the output that it would have given and the states (N, steps, units) in the order in which the steps were run.
"""

import sys
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Tuple

from refconv.frameworks.worker.quantized import inner

STATES: Dict[str, Tuple[str, ...]] = {
    "LSTM": ("h", "c"),
    "QLSTM": ("h", "c"),
    "GRU": ("h",),
    "QGRU": ("h",),
    "SimpleRNN": ("h",),
    "QSimpleRNN": ("h",),
    "ConvLSTM1D": ("h", "c"),
    "ConvLSTM2D": ("h", "c"),
    "ConvLSTM3D": ("h", "c"),
}
DIRECTIONS = ("Bidirectional", "QBidirectional")

Run = Callable[..., Any]
Mark = Callable[[Run], Run]  # makes autograph leave a function as it is


class Steps:
    """Runs a layer, and has afterwards what its steps left.

    Attributes:
        found: name → tensor; empty for a layer without steps, and where they cannot be seen: a fused kernel has none.
    """

    def __init__(self, framework: Any, mark: Mark) -> None:
        self._tf, self._keras, self._mark = framework.tf, framework.keras, mark
        self.found: Dict[str, Any] = {}

    def run(self, layer: Any, run: Run, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
        """run(*args, **kwargs), which is a call of `layer`."""
        layer = inner(layer)
        kind = type(layer).__name__
        if kind in STATES and self._visible(layer):
            return self._stepwise(layer, run, "", args, kwargs)
        if kind not in DIRECTIONS:
            return run(*args, **kwargs)
        with self._inside(layer.forward_layer, "forward "), self._inside(layer.backward_layer, "backward "):
            return run(*args, **kwargs)

    @contextmanager
    def _inside(self, layer: Any, prefix: str) -> Iterator[None]:
        """The steps of a layer that another one calls."""
        if type(layer).__name__ not in STATES or not self._visible(layer):
            yield
            return
        original = layer.call

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._stepwise(layer, original, prefix, args, kwargs)

        with _changed(layer, call=self._mark(call)):
            yield

    def _stepwise(self, layer: Any, run: Run, prefix: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
        sequences, with_state = layer.return_sequences, layer.return_state
        backend = _backend(self._keras)
        rnn = self._mark(self._widened(backend.rnn))
        with _changed(layer, return_sequences=True, return_state=True), _changed(backend, rnn=rnn):
            result = run(*args, **kwargs)
        wide, last = result[0], list(result[1:])
        outputs, *states = self._cut(wide, last)
        names = STATES[type(layer).__name__]
        self.found.update(zip([prefix + name for name in names], states))
        output = outputs if sequences else outputs[:, -1]
        return type(result)([output, *last]) if with_state else output

    def _widened(self, rnn: Run) -> Run:
        def wide(step: Run, *args: Any, **kwargs: Any) -> Any:
            def wide_step(*inputs: Any) -> Any:
                output, states = step(*inputs)
                return self._tf.concat([output, *self._tf.nest.flatten(states)], axis=-1), states

            last, outputs, states = rnn(self._mark(wide_step), *args, **kwargs)
            width = last.shape[-1] // (1 + len(self._tf.nest.flatten(states)))
            return last[..., :width], outputs, states

        return wide

    def _cut(self, wide: Any, last: List[Any]) -> List[Any]:
        """Output and states of every step; the output alone where no step was made wider."""
        units = last[0].shape[-1]
        if wide.shape[-1] == units:
            return [wide]
        return [wide[..., at : at + units] for at in range(0, wide.shape[-1], units)]

    def _visible(self, layer: Any) -> bool:
        """False where Keras 2 may swap the loop for cuDNN's kernel once the graph is placed on a GPU."""
        gpu = self._tf.config.list_logical_devices("GPU")
        return not (gpu and getattr(layer, "_could_use_gpu_kernel", False))


def _backend(keras: Any) -> Any:
    """The module in which the recurrent layers of this Keras look up `rnn`."""
    module = sys.modules[keras.layers.RNN.__module__]
    return vars(module).get("backend") or vars(module)["K"]


@contextmanager
def _changed(holder: Any, **values: Any) -> Iterator[None]:
    """`holder` with other attributes of its own, whatever happens only inside. Not by setattr: Keras tracks those."""
    own = vars(holder)
    before = {name: own[name] for name in values if name in own}
    own.update(values)
    try:
        yield
    finally:
        for name in values:
            own.pop(name, None)
        own.update(before)
