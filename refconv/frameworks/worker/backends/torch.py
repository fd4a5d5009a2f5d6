"""PyTorch, with Keras 3 on it. Keras computes there at once, in `predict` too: graph and eager are one mode."""

import os
import warnings
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional

import numpy as np

from refconv.frameworks.worker import nvidia
from refconv.frameworks.worker.backends.base import Backend, Function, NoDevice, one_of


def load() -> "Torch":
    import torch

    return Torch(torch)


class Torch(Backend):
    """See Backend. `torch` is the module."""

    name, title = "torch", "PyTorch"
    modes = ("graph", "eager")
    own_loops = ("GRU",)

    def __init__(self, torch: Any) -> None:
        self.torch, self._device = torch, ""

    def is_tensor(self, leaf: Any) -> bool:
        return isinstance(leaf, self.torch.Tensor)

    def flatten(self, structure: Any) -> List[Any]:
        import keras

        return list(keras.tree.flatten(structure))

    def constant(self, x: np.ndarray) -> Any:
        """Keras puts it where it puts all its tensors."""
        import keras

        return keras.ops.convert_to_tensor(x)

    def cast(self, x: np.ndarray, dtype: str) -> Any:
        import keras

        return keras.ops.cast(keras.ops.convert_to_tensor(x), dtype)

    def array(self, tensor: Any) -> np.ndarray:
        if not isinstance(tensor, self.torch.Tensor):
            return np.asarray(tensor)
        values = tensor.detach().cpu()
        if values.dtype == self.torch.bfloat16:  # which NumPy does not know
            import ml_dtypes

            bits: np.ndarray = values.contiguous().view(self.torch.int16).numpy()
            return bits.view(ml_dtypes.bfloat16)
        return np.asarray(values.numpy())

    def size(self, tensor: Any) -> Optional[int]:
        return int(tensor.numel() * tensor.element_size())

    def concat(self, tensors: List[Any]) -> Any:
        return self.torch.cat(tensors, dim=-1)

    def stack(self, tensors: List[Any]) -> Any:
        return self.torch.stack(tensors, dim=1)

    def compiled(self, function: Function, mode: str, holder: Any) -> Function:
        def run(*xs: Any) -> Any:
            with self.torch.no_grad():
                return function(*xs)

        return run

    def settled(self, outputs: Any) -> Any:
        if self._on_gpu():
            self.torch.cuda.synchronize()
        return outputs

    @contextmanager
    def watching(self, home: Any) -> Iterator[List[Any]]:
        """Keras's loop for a CPU calls the activation twice in every step, the second time with the new c."""
        original, given = vars(home)["lstm"], []  # type: Any, List[Any]

        def lstm(*args: Any, **kwargs: Any) -> Any:
            activation = kwargs["activation"]

            def heard(x: Any) -> Any:
                given.append(x)
                return activation(x)

            return original(*args, **dict(kwargs, activation=heard))

        cells: List[Any] = []
        if self._on_gpu():  # cuDNN's kernel takes no other function, and shows no c
            yield cells
            return
        vars(home)["lstm"] = lstm
        try:
            yield cells
        finally:
            vars(home)["lstm"] = original
            cells += given[1::2]

    def prepare(self, device: str, tf32: str = "", deterministic: bool = False) -> None:
        if device == "cpu":
            self._place("cpu")
        elif device != "auto":
            if not self._available():
                raise self._no_gpu()
            gpus = ["cuda:" + str(number) for number in range(self.torch.cuda.device_count())]
            self._place(one_of(gpus, device, self.title))
        if tf32:
            self.torch.backends.cuda.matmul.allow_tf32 = tf32 == "on"
            self.torch.backends.cudnn.allow_tf32 = tf32 == "on"
        if deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS is refused in that mode
            self.torch.use_deterministic_algorithms(True)

    def _place(self, device: str) -> None:
        """All that Keras makes from now on: what its `device` scope would say, for the whole process."""
        import keras

        self._device = device
        if device != "cpu":
            self.torch.cuda.set_device(device)
        self._scope = keras.device(device)
        self._scope.__enter__()

    def _no_gpu(self) -> NoDevice:
        title = "PyTorch " + self.torch.__version__ + " sees no GPU: "
        if not self.torch.version.cuda:
            return NoDevice(title + "it was built without CUDA", "pip install torch, from PyPI, brings CUDA on Linux")
        names = nvidia.libraries(self.torch.version.cuda, self._cudnn())
        return NoDevice(title + nvidia.missing(names), "pip install torch brings all but the driver")

    def describe(self) -> Dict[str, Any]:
        torch = self.torch
        return {
            "torch": torch.__version__,
            "devices": self._devices(),
            "onednn": {"enabled": bool(torch.backends.mkldnn.is_available()), "option": ""},
            "threads": {
                "intra_op": torch.get_num_threads(),
                "inter_op": torch.get_num_interop_threads(),
                "cpus": os.cpu_count(),
            },
            "cuda": nvidia.describe(torch.version.cuda or "", self._cudnn()),
            "deterministic_ops": bool(torch.are_deterministic_algorithms_enabled()),
        }

    def tf32(self) -> Dict[str, bool]:
        """Convolutions take it unless told otherwise, products of matrices only if told."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # newer releases would have another switch asked
            backends = self.torch.backends
            return {"convolution": bool(backends.cudnn.allow_tf32), "matmul": bool(backends.cuda.matmul.allow_tf32)}

    def _devices(self) -> List[Dict[str, Any]]:
        found: List[Dict[str, Any]] = [{"type": "CPU", "device": "cpu", "index": 0}]
        if self._on_gpu():
            cuda = self.torch.cuda
            number = cuda.current_device()
            found.append(
                {
                    "type": "GPU",
                    "device": "cuda:" + str(number),
                    "index": number,
                    "name": cuda.get_device_name(number),
                    "compute_capability": ".".join(map(str, cuda.get_device_capability(number))),
                }
            )
        return found

    def _on_gpu(self) -> bool:
        return self._device != "cpu" and self._available()

    def _available(self) -> bool:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a driver that is missing, which is told otherwise
            return bool(self.torch.cuda.is_available())

    def _cudnn(self) -> str:
        """Its version without asking for it: that would load it."""
        return nvidia.cudnn_version(self.torch.backends.cudnn.version() or 0) if self._on_gpu() else ""
