"""What a worker inherits of this process's environment: what decides how frameworks run, and no secrets."""

from __future__ import annotations

import os
from collections.abc import Mapping

NAMES = {
    "APPDATA", "COMSPEC", "CONDA_PREFIX", "DISPLAY", "GOTO_NUM_THREADS", "HOME", "HOMEDRIVE", "HOMEPATH",
    "KERAS_HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LD_PRELOAD", "LOCALAPPDATA", "LOGNAME",
    "MALLOC_ARENA_MAX", "MKL_NUM_THREADS", "NUMBER_OF_PROCESSORS", "NVIDIA_DRIVER_CAPABILITIES",
    "NVIDIA_TF32_OVERRIDE", "NVIDIA_VISIBLE_DEVICES", "OPENBLAS_NUM_THREADS", "PATH", "PATHEXT",
    "PROCESSOR_ARCHITECTURE", "SHELL", "SYSTEMDRIVE", "SYSTEMROOT", "TERM", "TZ", "USER", "USERNAME", "USERPROFILE",
    "VECLIB_MAXIMUM_THREADS", "VIRTUAL_ENV", "WINDIR",
}  # fmt: skip
# TF_ alone would let Terraform's tokens through.
PREFIXES = (
    "CUDA_", "CUDNN_", "DNNL_", "DYLD_", "HIP_", "KMP_", "LC_", "MKL_", "OMP_", "ONEDNN_", "PYTHON", "REFCONV_",
    "ROCM_", "TF_ALLOW_", "TF_CPP_", "TF_CUBLAS", "TF_CUDNN_", "TF_DETERMINISTIC_", "TF_DISABLE_", "TF_ENABLE_",
    "TF_FORCE_", "TF_FP16_", "TF_GPU_", "TF_MKL_", "TF_NUM_", "TF_ONEDNN_", "TF_USE_", "TF_XLA_", "XLA_",
)  # fmt: skip
SECRET = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "KEY")


def inherited(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that a worker gets; what sounds like a secret is none of them, whatever it begins with."""
    return {name: value for name, value in environment.items() if _known(name.upper())}


def _known(name: str) -> bool:
    return (name in NAMES or name.startswith(PREFIXES)) and not any(word in name for word in SECRET)
