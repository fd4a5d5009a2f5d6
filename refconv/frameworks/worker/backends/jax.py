"""JAX, with Keras 3 on it. What Keras compiles there it compiles with XLA: graph and xla are one mode."""

import importlib.util
import os
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional

import numpy as np

from refconv.frameworks.worker import nvidia
from refconv.frameworks.worker.backends.base import Backend, Function, NoDevice, one_of

FULL = ("highest", "float32")  # of jax_default_matmul_precision: those that leave float32 operands as they are


def load() -> "Jax":
    import jax
    import jaxlib

    return Jax(jax, jaxlib)


class Jax(Backend):
    """See Backend. `jax` and `jaxlib` are the modules."""

    name, title = "jax", "JAX"
    own_loops = ("GRU",)

    def __init__(self, jax: Any, jaxlib: Any) -> None:
        self.jax, self.jaxlib = jax, jaxlib
        self._outside = self._trace()  # whoever imports a framework is not tracing with it yet

    def is_tensor(self, leaf: Any) -> bool:
        return isinstance(leaf, self.jax.Array)

    def flatten(self, structure: Any) -> List[Any]:
        import keras

        return list(keras.tree.flatten(structure))

    def constant(self, x: np.ndarray) -> Any:
        return self.jax.numpy.asarray(x)

    def cast(self, x: np.ndarray, dtype: str) -> Any:
        return self.jax.numpy.asarray(x).astype(dtype)

    def size(self, tensor: Any) -> Optional[int]:
        return int(np.prod(tensor.shape, dtype=np.int64)) * tensor.dtype.itemsize

    def concat(self, tensors: List[Any]) -> Any:
        return self.jax.numpy.concatenate(tensors, axis=-1)

    def stack(self, tensors: List[Any]) -> Any:
        return self.jax.numpy.stack(tensors, axis=1)

    def compiled(self, function: Function, mode: str, holder: Any) -> Function:
        """Jitted with the variables as arguments, as Keras does it: as constants XLA would compute with them itself."""
        if mode == "eager":
            return function
        import keras

        def pure(values: List[Any], *xs: Any) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(holder.variables, values))):
                return function(*xs)

        jitted = self.jax.jit(pure)
        return lambda *xs: jitted([variable.value for variable in holder.variables], *xs)

    @contextmanager
    def kept(self, model: Any) -> Iterator[None]:
        """Keras takes the values out of the variables, and does not put them back where `predict` fails."""
        held = [(variable, variable.value) for variable in model.variables]
        try:
            yield
        except Exception:
            for variable, value in held:
                variable._value = value
            raise

    def settled(self, outputs: Any) -> Any:
        return self.jax.block_until_ready(outputs) if self.graph() is None else outputs

    def graph(self) -> Any:
        """Two of them are equal where both stand for one trace; None outside any."""
        state = self._trace()
        return None if state == self._outside else state

    def _trace(self) -> Any:
        from jax.extend.core import get_opaque_trace_state

        return get_opaque_trace_state(convention="nnx")

    def prepare(self, device: str, tf32: str = "", deterministic: bool = False) -> None:
        jax = self.jax
        if deterministic:  # read when the first device is looked for
            os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_gpu_deterministic_ops=true"
        if device == "cpu":
            jax.config.update("jax_default_device", jax.devices("cpu")[0])
        elif device != "auto":
            jax.config.update("jax_default_device", one_of(self._gpus(), device, self.title))
        if tf32:
            jax.config.update("jax_default_matmul_precision", "tensorfloat32" if tf32 == "on" else "float32")

    def _gpus(self) -> List[Any]:
        try:
            return list(self.jax.devices("gpu"))
        except RuntimeError as error:
            raise NoDevice(f"JAX {self.jax.__version__} sees no GPU: {self._lacking(error)}", self._hint()) from error

    def _lacking(self, error: Exception) -> str:
        if not self._plugins():
            return "its CUDA plugin is not installed, and " + nvidia.driver_said()
        return nvidia.missing(()) + "; " + str(error).strip().splitlines()[0]

    def _hint(self) -> str:
        return "pip install 'jax[cuda13]', or 'jax[cuda12]' for a driver older than 580"

    def _plugins(self) -> List[str]:
        names = ("jax_cuda13_plugin", "jax_cuda12_plugin", "jax_plugins.xla_cuda13", "jax_plugins.xla_cuda12")
        return [name for name in names if _there(name)]

    def describe(self) -> Dict[str, Any]:
        cuda, cudnn = self._versions()
        return {
            "jax": self.jax.__version__,
            "jaxlib": self.jaxlib.__version__,
            "devices": self._devices(),
            "threads": {"intra_op": 0, "inter_op": 0, "cpus": os.cpu_count()},  # XLA takes as many as there are CPUs
            "cuda": nvidia.describe(cuda, cudnn),
            "deterministic_ops": "--xla_gpu_deterministic_ops=true" in os.environ.get("XLA_FLAGS", "").split(),
            "matmul_precision": self.jax.config.jax_default_matmul_precision or "default",
        }

    def tf32(self) -> Dict[str, bool]:
        """JAX's default takes TF32 where the hardware has it; NVIDIA_TF32_OVERRIDE=0 forbids it to all libraries."""
        full = self.jax.config.jax_default_matmul_precision in FULL
        return {"convolution": not full, "matmul": not full}

    def _devices(self) -> List[Dict[str, Any]]:
        """The CPU, and the GPU that everything runs on, if one does."""
        chosen = self.jax.config.jax_default_device or self.jax.devices()[0]
        found: List[Dict[str, Any]] = [{"type": "CPU", "device": "cpu:0", "index": 0}]
        if chosen.platform != "cpu":
            found.append(
                {
                    "type": "GPU" if chosen.platform in ("gpu", "cuda") else chosen.platform.upper(),
                    "device": str(chosen),
                    "index": chosen.id,
                    "name": chosen.device_kind,
                    "compute_capability": str(getattr(chosen, "compute_capability", "")),
                }
            )
        return found

    def _versions(self) -> List[str]:
        """CUDA's and cuDNN's, as they are loaded; "" where there is no plugin for them."""
        try:
            from jax._src.lib import cuda_versions
        except ImportError:
            cuda_versions = None
        if cuda_versions is None:
            return ["", ""]
        cuda, cudnn = cuda_versions.cuda_runtime_get_version(), cuda_versions.cudnn_get_version()
        return [nvidia.cuda_version(cuda), nvidia.cudnn_version(cudnn)]


def _there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # the package around it
        return False
