"""NVIDIA's driver and libraries: which are here, in which versions, and which a framework would miss."""

import ctypes
import glob
import os
import re
import subprocess
import sys
from typing import Any, Dict, List, Sequence

# Library → the version in its file's name, by CUDA's major version.
SONAMES = {
    "11": {"cudart": "11.0", "cublas": "11", "cufft": "10", "cusolver": "11", "cusparse": "11"},
    "12": {"cudart": "12", "cublas": "12", "cufft": "11", "cusolver": "11", "cusparse": "12"},
    "13": {"cudart": "13", "cublas": "13", "cufft": "12", "cusolver": "12", "cusparse": "12"},
}
DRIVER_FILE = "/proc/driver/nvidia/version"
DRIVER_LIBRARY = "libcuda.so.1"


def describe(cuda: str, cudnn: str) -> Dict[str, str]:
    """Versions of CUDA and of cuDNN as the framework tells them, and of the driver; "" where there is none."""
    return {"cuda": cuda, "cudnn": cudnn, "driver": driver()}


def driver() -> str:
    """The driver's version by the first that tells it: the kernel, nvidia-smi, NVML; "" where none does."""
    return _of_kernel() or _of_command() or _of_library()


def driver_said() -> str:
    """Whether there is a driver, for a sentence."""
    found = driver()
    return "the driver is NVIDIA's " + found if found else "no NVIDIA driver is loaded on this machine"


def libraries(cuda: str, cudnn: str) -> List[str]:
    """What a framework of these versions loads: libcudart.so.12 …; none of a CUDA that is not known here."""
    named = SONAMES.get(cuda.split(".")[0], {})
    found = [f"lib{name}.so.{number}" for name, number in named.items()]
    return found + ([f"libcudnn.so.{cudnn.split('.')[0]}"] if found and cudnn else [])


def missing(names: Sequence[str]) -> str:
    """What keeps a framework from a GPU, in words: the driver first, then libraries, else what hides GPUs."""
    lacking = [name for name in names if not loadable(name)]
    said = ["no NVIDIA driver is loaded on this machine"] if not driver() else []
    if driver() and not loadable(DRIVER_LIBRARY):
        said.append(f"{DRIVER_LIBRARY} cannot be loaded, though the driver {driver()} is")
    if lacking:
        said.append("cannot load " + ", ".join(lacking))
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and driver():
        said.append(f"CUDA_VISIBLE_DEVICES={hidden!r} says which it may see")
    return "; ".join(said) or f"the driver {driver()} and CUDA's libraries can be loaded"


def loadable(name: str) -> bool:
    """Whether a library can be loaded: from where the system looks, or from pip's packages of NVIDIA."""
    for path in [name, *_packaged(name)]:
        try:
            ctypes.CDLL(path)
        except OSError:
            continue
        return True
    return False


def cuda_version(number: int) -> str:
    """12080 is 12.8; "" for 0."""
    return f"{number // 1000}.{number % 1000 // 10}" if number else ""


def cudnn_version(number: int) -> str:
    """91002 is 9.10.2, and 8907, as it was counted before version 9, 8.9.7; "" for 0."""
    scale = 10000 if number >= 10000 else 1000
    return f"{number // scale}.{number % scale // 100}.{number % 100}" if number else ""


def _packaged(name: str) -> List[str]:
    return [path for folder in sys.path for path in glob.glob(os.path.join(folder, "nvidia", "*", "lib", name))]


def _of_kernel() -> str:
    try:
        with open(DRIVER_FILE, encoding="utf-8", errors="replace") as file:
            found = re.search(r"Kernel Module\s+(?:for \S+\s+)?([\d.]+)", file.read())
    except OSError:
        return ""
    return found[1] if found else ""


def _of_command() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    lines = done.stdout.decode("utf-8", "replace").split()
    return lines[0] if done.returncode == 0 and lines else ""


def _of_library() -> str:
    try:
        nvml: Any = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return ""
    text = ctypes.create_string_buffer(96)
    if nvml.nvmlInit_v2() != 0 or nvml.nvmlSystemGetDriverVersion(text, 96) != 0:
        return ""
    return text.value.decode("ascii", "replace")
