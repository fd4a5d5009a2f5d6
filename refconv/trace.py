"""What a framework produced. Standard library and NumPy only, and Python 3.8: the worker carries this file along.

The worker writes *frames* to a pipe: a JSON header of known length, then the bytes of at most one array. The parent
reads them into a `Trace`.
"""

import json
import struct
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Dict, Iterator, List, Mapping, Optional, Set, Tuple

import numpy as np

_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True)
class Call:
    """One call of a leaf layer in one pass. Tensors are named by key; two calls that share a key share the tensor.

    A key is "pass:number". The same number in another pass is the same tensor of the model, computed once more, and
    perhaps not to the last bit: recording other layers changes what the framework fuses.
    """

    layer: str  # path: "/" between nested models
    call: int  # counts the calls of this layer within a pass
    type: str
    inputs: Tuple[str, ...]
    outputs: Tuple[str, ...]
    seconds: float = 0.0
    weights: Tuple[Tuple[str, str], ...] = ()  # (name, key) of the effective weights of a quantized layer
    steps: Tuple[Tuple[str, str], ...] = ()  # (name, key) of what every step of a layer made of steps left

    @property
    def keys(self) -> Set[str]:
        """Every tensor that the call names."""
        return {*self.inputs, *self.outputs, *(key for _, key in (*self.weights, *self.steps))}


@dataclass(frozen=True)
class Probe:
    """What a clone of a linear layer, without activation and quantizers, gave for integers (worker/probes.py).

    Tensors are named by key, as a Call's are; input and weights are kept as integers.
    """

    layer: str  # path, as in Call
    shape: Tuple[int, ...]  # of the input: a shared layer is probed once per shape
    inputs: Tuple[str, ...] = ()
    outputs: Tuple[str, ...] = ()
    weights: Tuple[Tuple[str, str], ...] = ()  # (canonical name, key)
    reason: str = ""  # why there is none


@dataclass
class Trace:
    """What one run produced: every leaf call, the tensors by key, the plain outputs, the environment."""

    environment: Dict[str, Any] = field(default_factory=dict)
    calls: List[Call] = field(default_factory=list)
    tensors: Dict[str, np.ndarray] = field(default_factory=dict)
    model_inputs: List[Tuple[str, ...]] = field(default_factory=list)  # keys of the model's inputs, one tuple per pass
    plain: List[np.ndarray] = field(default_factory=list)
    outputs: List[np.ndarray] = field(default_factory=list)  # the instrumented run's model outputs
    probes: List[Probe] = field(default_factory=list)
    planned: Dict[str, int] = field(default_factory=dict)  # layer → how many calls of it all passes have together


def accelerator(environment: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
    """The device that layers ran on where that is no CPU: the first such one that was visible; None on a CPU.

    An environment that names no devices was recorded in this process, on the CPU.
    """
    named = [device for device in environment.get("devices") or () if isinstance(device, Mapping)]
    return next((device for device in named if device.get("type") != "CPU"), None)


def write_frame(stream: BinaryIO, header: Dict[str, Any], array: Optional[np.ndarray] = None) -> None:
    """Write one frame: header as JSON, and the array's bytes in C order if there is one."""
    if array is not None:
        array = np.asarray(array, order="C")
        header = dict(header, dtype=_dtype_name(array.dtype), shape=list(array.shape))
    text = json.dumps(header).encode()
    stream.write(_LENGTH.pack(len(text)) + text)
    if array is not None:
        stream.write(array.tobytes())
    stream.flush()


def read_frames(stream: BinaryIO) -> Iterator[Tuple[Dict[str, Any], Optional[np.ndarray]]]:
    """Yield (header, array or None) until the stream ends; EOFError if it ends inside a frame."""
    while True:
        prefix = stream.read(_LENGTH.size)
        if not prefix:
            return
        header = json.loads(_exactly(stream, _LENGTH.unpack(prefix)[0]))
        yield header, _array(stream, header) if "dtype" in header else None


def _dtype_name(dtype: np.dtype) -> str:
    return dtype.str if dtype.kind in "SU" else dtype.name  # the name of a string dtype cannot be read back


def _dtype(name: str) -> np.dtype:
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes  # bfloat16 and its relatives are no NumPy dtypes

        return np.dtype(getattr(ml_dtypes, name))


def _array(stream: BinaryIO, header: Dict[str, Any]) -> np.ndarray:
    dtype, shape = _dtype(header["dtype"]), tuple(header["shape"])
    data = _exactly(stream, dtype.itemsize * int(np.prod(shape, dtype=np.int64)))
    return np.frombuffer(data, dtype).reshape(shape)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError("the stream ended inside a frame")
    return data
