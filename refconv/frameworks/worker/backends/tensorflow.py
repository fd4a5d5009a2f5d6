"""TensorFlow, with Keras 2 or Keras 3 on it."""

import os
from typing import Any, Dict, List, Optional

import numpy as np

from refconv.frameworks.worker import nvidia
from refconv.frameworks.worker.ages import converts
from refconv.frameworks.worker.backends.base import Backend, Function, NoDevice, as_is, one_of


def load() -> "TensorFlow":
    import tensorflow as tf

    return TensorFlow(tf)


class TensorFlow(Backend):
    """See Backend. `tf` is the module."""

    name, title = "tensorflow", "TensorFlow"

    def __init__(self, tf: Any) -> None:
        self.tf = tf

    def is_tensor(self, leaf: Any) -> bool:
        return isinstance(leaf, self.tf.Tensor)

    def flatten(self, structure: Any) -> List[Any]:
        return list(self.tf.nest.flatten(structure))

    def pack_sequence_as(self, structure: Any, leaves: List[Any]) -> Any:
        return self.tf.nest.pack_sequence_as(structure, leaves)

    def constant(self, x: np.ndarray) -> Any:
        return self.tf.constant(x)

    def cast(self, x: np.ndarray, dtype: str) -> Any:
        return self.tf.cast(self.tf.constant(x), dtype)

    def size(self, tensor: Any) -> Optional[int]:
        elements = tensor.shape.num_elements()
        return None if elements is None else elements * max(tensor.dtype.size, 1)

    def concat(self, tensors: List[Any]) -> Any:
        return self.tf.concat(tensors, axis=-1)

    def stack(self, tensors: List[Any]) -> Any:
        return self.tf.stack(tensors, axis=1)

    def compiled(self, function: Function, mode: str, holder: Any) -> Function:
        if mode == "eager":
            return function
        compiled: Function = self.tf.function(as_is(function), jit_compile=True if mode == "xla" else None)
        return compiled

    def graph(self) -> Any:
        return None if self.tf.executing_eagerly() else self.tf.compat.v1.get_default_graph()

    def scope(self) -> str:
        return str(self.tf.compat.v1.get_default_graph().get_name_scope())

    def converted(self, layer: Any, call: Function) -> Function:
        """By autograph, where Keras 2 does so (see Layer._autographed_call)."""
        if self.tf.executing_eagerly() or not converts(layer):
            return call
        autograph = self.tf.__internal__.autograph
        converted: Function = autograph.tf_convert(call, autograph.control_status_ctx())
        return converted

    def fuses_steps(self, layer: Any) -> bool:
        """Keras 2 may swap the loop for cuDNN's kernel once the graph is placed on a GPU."""
        gpu = self.tf.config.list_logical_devices("GPU")
        return bool(gpu and getattr(layer, "_could_use_gpu_kernel", False))

    def prepare(self, device: str, tf32: str = "", deterministic: bool = False) -> None:
        config = self.tf.config
        if device == "cpu":
            config.set_visible_devices([], "GPU")
        elif device != "auto":
            gpus = config.list_physical_devices("GPU")
            if not gpus:
                raise self._no_gpu()
            config.set_visible_devices([one_of(gpus, device, self.title)], "GPU")
        if tf32:
            config.experimental.enable_tensor_float_32_execution(tf32 == "on")
        if deterministic:
            if not hasattr(config.experimental, "enable_op_determinism"):
                raise NoDevice("TensorFlow " + self.tf.__version__ + " has no deterministic mode", "2.9 has one")
            self.tf.random.set_seed(0)  # without a seed, random operations are refused in that mode
            config.experimental.enable_op_determinism()

    def _no_gpu(self) -> NoDevice:
        title = "TensorFlow " + self.tf.__version__
        if not self.tf.test.is_built_with_cuda():
            return NoDevice(
                title + " sees no GPU: it was built without CUDA", "pip install 'tensorflow[and-cuda]' on Linux"
            )
        names = nvidia.libraries(self._built().get("cuda_version", ""), self._built().get("cudnn_version", ""))
        return NoDevice(title + " sees no GPU: " + nvidia.missing(names), "pip install 'tensorflow[and-cuda]'")

    def _built(self) -> Dict[str, str]:
        try:
            return {name: str(value) for name, value in self.tf.sysconfig.get_build_info().items()}
        except AttributeError:
            return {}

    def describe(self) -> Dict[str, Any]:
        threading, built = self.tf.config.threading, self._built()
        return {
            "tensorflow": self.tf.__version__,
            "devices": self._devices(),
            "onednn": onednn(),
            "threads": {
                "intra_op": threading.get_intra_op_parallelism_threads(),
                "inter_op": threading.get_inter_op_parallelism_threads(),
                "cpus": os.cpu_count(),
            },  # 0: TensorFlow's own choice, as many as there are CPUs
            "cuda": nvidia.describe(built.get("cuda_version", ""), built.get("cudnn_version", "")),
            "deterministic_ops": deterministic(),
        }

    def tf32(self) -> Dict[str, bool]:
        enabled = bool(self.tf.config.experimental.tensor_float_32_execution_enabled())
        return {"convolution": enabled, "matmul": enabled}

    def _devices(self) -> List[Dict[str, Any]]:
        """The visible devices: type, index, and for a GPU its name and compute capability."""
        found = []
        for number, device in enumerate(self.tf.config.get_visible_devices()):
            details = {"type": device.device_type, "device": device.name, "index": number}
            if device.device_type == "GPU":
                known = self.tf.config.experimental.get_device_details(device)
                capability = known.get("compute_capability")
                details["name"] = known.get("device_name", "")
                details["compute_capability"] = ".".join(map(str, capability)) if capability else ""
            found.append(details)
        return found


def onednn() -> Dict[str, Any]:
    """Whether TensorFlow's CPU kernels are oneDNN's here, and the switch in the environment ("" if unset)."""
    try:
        from tensorflow.python.util import _pywrap_util_port

        enabled = bool(_pywrap_util_port.IsMklEnabled())
    except (ImportError, AttributeError):
        enabled = None
    return {"enabled": enabled, "option": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "")}


def deterministic() -> Any:
    try:
        from tensorflow.python.framework.config import is_op_determinism_enabled
    except ImportError:
        return None
    return bool(is_op_determinism_enabled())
