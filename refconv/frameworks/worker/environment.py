"""What decides the bits: versions, devices, instruction set, switches, global state."""

import os
import platform
import sys
from typing import Any, Dict, List

import h5py
import numpy as np

INSTRUCTION_SETS = (
    "sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512vl", "avx512_vnni", "avx_vnni", "avx512_bf16",
    "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8", "amx_fp16", "asimd", "asimdhp", "asimddp", "bf16", "i8mm", "sve",
)  # fmt: skip


def describe(framework: Any) -> Dict[str, Any]:
    """Everything about this process that a result may depend on, as JSON values."""
    tf = framework.tf
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "tensorflow": tf.__version__,
        "keras": framework.keras.__version__,
        "keras_package": framework.package,
        "h5py": h5py.__version__,
        "backend": "tensorflow",
        "devices": devices(tf),
        "onednn": onednn(),
        "cpu": {"name": cpu_name(), "instruction_sets": instruction_sets()},
        "threads": {
            "intra_op": tf.config.threading.get_intra_op_parallelism_threads(),
            "inter_op": tf.config.threading.get_inter_op_parallelism_threads(),
            "cpus": os.cpu_count(),
        },  # 0: TensorFlow's own choice, as many as there are CPUs
        "deterministic_ops": deterministic(tf),
        "machine": platform.machine(),
        "system": platform.platform(),
        "executable": sys.executable,
    }


def global_state(framework: Any) -> Dict[str, Any]:
    """The process-wide settings that loading a file must not change."""
    keras, tf = framework.keras, framework.tf
    policies = keras.mixed_precision
    policy = policies.dtype_policy() if hasattr(policies, "dtype_policy") else policies.global_policy()
    return {
        "floatx": keras.backend.floatx(),
        "image_data_format": keras.backend.image_data_format(),
        "dtype_policy": policy.name,
        "tf32": bool(tf.config.experimental.tensor_float_32_execution_enabled()),
    }


def devices(tf: Any) -> List[Dict[str, Any]]:
    """The visible devices: type, index, and for a GPU its name and compute capability."""
    found = []
    for number, device in enumerate(tf.config.get_visible_devices()):
        details = {"type": device.device_type, "device": device.name, "index": number}
        if device.device_type == "GPU":
            known = tf.config.experimental.get_device_details(device)
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


def deterministic(tf: Any) -> Any:
    try:
        from tensorflow.python.framework.config import is_op_determinism_enabled
    except ImportError:
        return None
    return bool(is_op_determinism_enabled())


def instruction_sets() -> List[str]:
    """Those of INSTRUCTION_SETS that the CPU has; empty where the system does not tell."""
    flags = set(_cpuinfo("flags").split() or _cpuinfo("Features").split())
    return [name for name in INSTRUCTION_SETS if name in flags]


def cpu_name() -> str:
    return _cpuinfo("model name") or platform.processor()


def _cpuinfo(field: str) -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            lines = [line.partition(":") for line in file]
    except OSError:
        return ""
    return next((value.strip() for name, _, value in lines if name.strip() == field), "")
