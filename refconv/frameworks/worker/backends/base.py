"""What recording needs of the framework that Keras runs on: one subclass each says how it does it."""

from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import numpy as np

Function = Callable[..., Any]


class NoDevice(Exception):
    """The device, or the switch of it, that was asked for is not there.

    Attributes:
        hint: what to do about it.
    """

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


def as_is(function: Function) -> Function:
    """Marked so that TensorFlow's autograph calls it unconverted, and yet converts what it calls.

    do_not_convert would stop that too. To other frameworks the mark means nothing.
    """
    function.autograph_info__ = None  # type: ignore[attr-defined]
    return function


class Backend:
    """One framework, imported.

    Attributes:
        name: as KERAS_BACKEND spells it.
        title: as its makers spell it.
        modes: in which of graph, eager and xla it can run a model.
        own_loops: recurrent layers that Keras may run there in a loop of the backend's own instead of `backend.rnn`;
            what they give at each step is their one state.
    """

    name = ""
    title = ""
    modes: Tuple[str, ...] = ("graph", "eager", "xla")
    own_loops: Tuple[str, ...] = ()

    def is_tensor(self, leaf: Any) -> bool:
        """Whether a leaf of a call's arguments or results is a tensor of this framework."""
        raise NotImplementedError

    def flatten(self, structure: Any) -> List[Any]:
        """The leaves of nested lists, tuples and dictionaries, in the framework's order."""
        raise NotImplementedError

    def constant(self, x: np.ndarray) -> Any:
        raise NotImplementedError

    def cast(self, x: np.ndarray, dtype: str) -> Any:
        """A tensor of another dtype, by its Keras name."""
        raise NotImplementedError

    def array(self, tensor: Any) -> np.ndarray:
        """The values, in the tensor's own dtype: bfloat16 is ml_dtypes'."""
        return np.asarray(tensor)

    def size(self, tensor: Any) -> Optional[int]:
        """Bytes; None where the shape is not known yet."""
        raise NotImplementedError

    def concat(self, tensors: List[Any]) -> Any:
        """Side by side along the last axis."""
        raise NotImplementedError

    def stack(self, tensors: List[Any]) -> Any:
        """(N, units) of every step, along a new second axis."""
        raise NotImplementedError

    def compiled(self, function: Function, mode: str, holder: Any) -> Function:
        """`function` as the mode runs it; `holder` is the model or layer whose variables it reads."""
        raise NotImplementedError

    @contextmanager
    def kept(self, model: Any) -> Iterator[None]:
        """While `predict` runs: whatever happens, the model has its variables afterwards."""
        yield

    def settled(self, outputs: Any) -> Any:
        """`outputs` once they are computed: some frameworks only promise them at first."""
        return outputs

    def graph(self) -> Any:
        """What is being traced; None where operations are computed at once."""
        return None

    def scope(self) -> str:
        """The name that the graph's operations have in front of theirs; "" where they have none."""
        return ""

    def converted(self, layer: Any, call: Function) -> Function:
        """The call of a layer as Keras would convert it before it traces it."""
        return call

    def fuses_steps(self, layer: Any) -> bool:
        """Whether a recurrent layer may run as one kernel, which shows no steps, although Keras runs a loop."""
        return False

    @contextmanager
    def watching(self, home: Any) -> Iterator[List[Any]]:
        """While an LSTM runs in a loop of the backend's own: the list that c of every step goes to, (N, units) each.

        `home` is the module in which Keras looks up that loop.
        """
        yield []

    def prepare(self, device: str, tf32: str = "", deterministic: bool = False) -> None:
        """Choose the device and its switches, before anything runs.

        Args:
            device: auto, cpu, gpu or gpu:N.
            tf32: on, off, or "" for the framework's own default.

        Raises:
            NoDevice: it cannot be had; the message says what is missing.
        """
        raise NotImplementedError

    def describe(self) -> Dict[str, Any]:
        """Versions, devices, threads and switches, as JSON values."""
        raise NotImplementedError

    def tf32(self) -> Dict[str, bool]:
        """Whether float32 operands may be rounded to TF32 where the hardware can: of `convolution` and of `matmul`."""
        raise NotImplementedError


def gpu_number(device: str) -> int:
    """The N of "gpu:N", 0 of "gpu".

    Raises:
        NoDevice: there is no number.
    """
    number = device.partition(":")[2] or "0"
    if not number.isdigit():
        raise NoDevice("--device " + device + " names no GPU", "gpu or gpu:N")
    return int(number)


def one_of(gpus: List[Any], device: str, title: str) -> Any:
    """The GPU that "gpu" or "gpu:N" names.

    Raises:
        NoDevice: there are not so many.
    """
    number = gpu_number(device)
    if number >= len(gpus):
        raise NoDevice(f"{title} sees {len(gpus)} GPU(s), and --device {device} is none of them", "they count from 0")
    return gpus[number]
