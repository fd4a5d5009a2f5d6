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
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "keras": framework.keras.__version__,
        "keras_package": framework.package,
        "h5py": h5py.__version__,
        "backend": framework.backend.name,
        **framework.backend.describe(),
        "tf32_of": switches(framework.backend.tf32()),
        "cpu": {"name": cpu_name(), "instruction_sets": instruction_sets()},
        "machine": platform.machine(),
        "system": platform.platform(),
        "executable": sys.executable,
    }


def global_state(framework: Any) -> Dict[str, Any]:
    """The process-wide settings that loading a file must not change."""
    keras = framework.keras
    policies = keras.mixed_precision
    policy = policies.dtype_policy() if hasattr(policies, "dtype_policy") else policies.global_policy()
    return {
        "floatx": keras.backend.floatx(),
        "image_data_format": keras.backend.image_data_format(),
        "dtype_policy": policy.name,
        "tf32": any(switches(framework.backend.tf32()).values()),
    }


def switches(tf32: Dict[str, bool]) -> Dict[str, bool]:
    """The framework's own, unless NVIDIA's variable forbids TF32 to all of its libraries."""
    forbidden = os.environ.get("NVIDIA_TF32_OVERRIDE") == "0"
    return {name: switch and not forbidden for name, switch in tf32.items()}


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
