"""What a reproducing script says differently on each backend: its import, its version, and the switches it ran with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from refconv.trace import accelerator

Found = Mapping[str, Any]


@dataclass(frozen=True)
class Lines:
    """Of one backend, for what its environment says.

    Attributes:
        title: as its makers spell it.
        imported: the statement, and `version` the expression behind it.
        variables: of the process, which are read when it is imported.
        switches: statements behind the import.
    """

    title: str
    imported: str
    version: str
    variables: Callable[[Found], Mapping[str, str]]
    switches: Callable[[Found], Iterator[str]]


def _tensorflow_variables(found: Found) -> Mapping[str, str]:
    onednn = (found.get("onednn") or {}).get("enabled")
    known = {} if onednn is None else {"TF_ENABLE_ONEDNN_OPTS": "1" if onednn else "0"}
    return {"TF_CPP_MIN_LOG_LEVEL": "2", **known}


def _tensorflow_switches(found: Found) -> Iterator[str]:
    if found.get("device") == "cpu":
        yield 'tf.config.set_visible_devices([], "GPU")'
    if accelerator(found) is not None and found.get("tf32") is not None:
        yield f"tf.config.experimental.enable_tensor_float_32_execution({bool(found['tf32'])})"
    if found.get("deterministic_ops"):
        yield "tf.config.experimental.enable_op_determinism()"


def _jax_variables(found: Found) -> Mapping[str, str]:
    platform = {"JAX_PLATFORMS": "cpu"} if found.get("device") == "cpu" else {}
    flags = {"XLA_FLAGS": "--xla_gpu_deterministic_ops=true"} if found.get("deterministic_ops") else {}
    return {**platform, **flags}


def _jax_switches(found: Found) -> Iterator[str]:
    if (precision := found.get("matmul_precision") or "default") != "default":
        yield f'jax.config.update("jax_default_matmul_precision", {str(precision)!r})'


def _torch_variables(found: Found) -> Mapping[str, str]:
    return {"KERAS_TORCH_DEVICE": "cpu"} if found.get("device") == "cpu" else {}


def _torch_switches(found: Found) -> Iterator[str]:
    if accelerator(found) is not None:
        of = found.get("tf32_of") or {}
        yield f"torch.backends.cudnn.allow_tf32 = {bool(of.get('convolution'))}"
        yield f"torch.backends.cuda.matmul.allow_tf32 = {bool(of.get('matmul'))}"
    if found.get("deterministic_ops"):
        yield "torch.use_deterministic_algorithms(True)"


BACKENDS = {
    "tensorflow": Lines(
        "TensorFlow", "import tensorflow as tf", "tf.__version__", _tensorflow_variables, _tensorflow_switches
    ),
    "jax": Lines("JAX", "import jax", "jax.__version__", _jax_variables, _jax_switches),
    "torch": Lines("PyTorch", "import torch", "torch.__version__", _torch_variables, _torch_switches),
}


def name_of(found: Found) -> str:
    """The backend of an environment, as KERAS_BACKEND spells it."""
    return str(found.get("backend") or "tensorflow")
