"""What differs between the frameworks: devices, switches and what is missing, on stand-ins for machines with GPUs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.backends import each
from support.captured import capture
from support.framework import framework

from refconv.errors import BadInput, FrameworkError
from refconv.frameworks import keras_for
from refconv.frameworks.worker import nvidia
from refconv.frameworks.worker.backends import BACKENDS, NoDevice, load_backend
from refconv.frameworks.worker.backends.jax import Jax
from refconv.frameworks.worker.backends.tensorflow import TensorFlow
from refconv.frameworks.worker.backends.torch import Torch
from refconv.frameworks.worker.environment import switches

NOWHERE = "no NVIDIA driver is loaded on this machine"


@pytest.fixture(autouse=True)
def no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "driver", lambda: "")
    monkeypatch.setattr(nvidia, "loadable", lambda name: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def with_driver(monkeypatch: pytest.MonkeyPatch, *libraries: str) -> None:
    monkeypatch.setattr(nvidia, "driver", lambda: "580.65.06")
    monkeypatch.setattr(nvidia, "loadable", lambda name: name in (nvidia.DRIVER_LIBRARY, *libraries))


class Tf:
    """As much of TensorFlow as choosing a device asks for."""

    __version__ = "2.21.0"

    def __init__(self, gpus: int = 0, cuda: bool = True) -> None:
        self.done: list[Any] = []
        experimental = SimpleNamespace(
            enable_tensor_float_32_execution=lambda on: self.done.append(("tf32", on)),
            enable_op_determinism=lambda: self.done.append("deterministic"),
        )
        self.config = SimpleNamespace(
            set_visible_devices=lambda devices, kind: self.done.append((devices, kind)),
            list_physical_devices=lambda kind: [f"GPU {number}" for number in range(gpus)],
            experimental=experimental,
        )
        self.test = SimpleNamespace(is_built_with_cuda=lambda: cuda)
        build = {"cuda_version": "12.5.1", "cudnn_version": "9"} if cuda else {}
        self.sysconfig = SimpleNamespace(get_build_info=lambda: build)
        self.random = SimpleNamespace(set_seed=lambda seed: self.done.append("seed"))


def prepared(tf: Tf, *how: Any) -> list[Any]:
    TensorFlow(tf).prepare(*how)
    return tf.done


def test_tensorflow_is_shown_the_devices_that_were_asked_for() -> None:
    assert prepared(Tf(2), "auto") == []
    assert prepared(Tf(2), "cpu") == [([], "GPU")]
    assert prepared(Tf(2), "gpu") == [(["GPU 0"], "GPU")]
    assert prepared(Tf(2), "gpu:1") == [(["GPU 1"], "GPU")]
    assert prepared(Tf(2), "cpu", "on") == [([], "GPU"), ("tf32", True)]
    assert prepared(Tf(2), "auto", "off", True) == [("tf32", False), "seed", "deterministic"]


def refusal(tf: Tf, device: str = "gpu") -> tuple[str, str]:
    with pytest.raises(NoDevice) as caught:
        TensorFlow(tf).prepare(device)
    return str(caught.value), caught.value.hint


def test_tensorflow_without_a_gpu_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    what, hint = refusal(Tf(2), "gpu:2")
    assert what == "TensorFlow sees 2 GPU(s), and --device gpu:2 is none of them"
    what, hint = refusal(Tf(0, cuda=False))
    assert what == "TensorFlow 2.21.0 sees no GPU: it was built without CUDA" and "tensorflow[and-cuda]" in hint
    what, hint = refusal(Tf())
    assert what.startswith(f"TensorFlow 2.21.0 sees no GPU: {NOWHERE}; cannot load libcudart.so.12, ")
    assert what.endswith("libcudnn.so.9") and hint == "pip install 'tensorflow[and-cuda]'"
    with_driver(monkeypatch, "libcudart.so.12", "libcublas.so.12", "libcufft.so.11", "libcusolver.so.11")
    what, _ = refusal(Tf())
    assert what == "TensorFlow 2.21.0 sees no GPU: cannot load libcusparse.so.12, libcudnn.so.9"


def test_an_old_tensorflow_has_no_deterministic_mode() -> None:
    tf = Tf()
    del tf.config.experimental.enable_op_determinism
    with pytest.raises(NoDevice, match="no deterministic mode"):
        TensorFlow(tf).prepare("auto", "", True)


class JaxStandIn:
    __version__ = "0.10.2"

    def __init__(self, gpus: int = 0) -> None:
        self.gpus, self.updates = gpus, {}
        self.config = SimpleNamespace(update=self.updates.__setitem__, jax_default_matmul_precision=None)

    def devices(self, kind: str = "cpu") -> list[str]:
        if kind == "gpu" and not self.gpus:
            raise RuntimeError("Unknown backend: 'gpu' requested, but no platforms that are instances of gpu are there")
        return [f"{kind} {number}" for number in range(self.gpus if kind == "gpu" else 1)]


def jax_of(stand_in: JaxStandIn, monkeypatch: pytest.MonkeyPatch) -> Jax:
    monkeypatch.setattr(Jax, "_trace", lambda self: None)
    return Jax(stand_in, SimpleNamespace(__version__="0.10.2"))


def test_jax_is_given_a_device_and_a_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    for device, chosen in (("cpu", "cpu 0"), ("gpu", "gpu 0"), ("gpu:1", "gpu 1")):
        jax_of(jax := JaxStandIn(2), monkeypatch).prepare(device)
        assert jax.updates == {"jax_default_device": chosen}
    for switch, precision in (("on", "tensorfloat32"), ("off", "float32")):
        jax_of(jax := JaxStandIn(), monkeypatch).prepare("auto", switch)
        assert jax.updates == {"jax_default_matmul_precision": precision}
    monkeypatch.setenv("XLA_FLAGS", "--xla_a=1")
    jax_of(JaxStandIn(), monkeypatch).prepare("auto", "", True)
    assert __import__("os").environ["XLA_FLAGS"] == "--xla_a=1 --xla_gpu_deterministic_ops=true"


@pytest.mark.parametrize(
    ("precision", "on"), [(None, True), ("tensorfloat32", True), ("high", True), ("float32", False), ("highest", False)]
)
def test_jax_takes_tf32_unless_told_otherwise(precision: str | None, on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = JaxStandIn()
    stand_in.config.jax_default_matmul_precision = precision
    assert jax_of(stand_in, monkeypatch).tf32() == {"convolution": on, "matmul": on}


def test_jax_without_a_gpu_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Jax, "_plugins", lambda self: [])
    with pytest.raises(NoDevice, match="JAX 0.10.2 sees no GPU: its CUDA plugin is not installed, and no NVIDIA") as e:
        jax_of(JaxStandIn(), monkeypatch).prepare("gpu")
    assert "jax[cuda13]" in e.value.hint
    monkeypatch.setattr(Jax, "_plugins", lambda self: ["jax_cuda13_plugin"])
    with pytest.raises(NoDevice, match=f"{NOWHERE}; Unknown backend"):
        jax_of(JaxStandIn(), monkeypatch).prepare("gpu")
    with pytest.raises(NoDevice, match="JAX sees 2 GPU"):
        jax_of(JaxStandIn(2), monkeypatch).prepare("gpu:2")


class TorchStandIn:
    __version__ = "2.14.1"

    def __init__(self, gpus: int = 0, cuda: str | None = "13.0") -> None:
        self.version = SimpleNamespace(cuda=cuda)
        self.placed: list[str] = []
        self.deterministic = False
        self.cuda = SimpleNamespace(
            is_available=lambda: gpus > 0, device_count=lambda: gpus, set_device=self.placed.append
        )
        self.backends = SimpleNamespace(
            cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False)), cudnn=SimpleNamespace(allow_tf32=True)
        )

    def use_deterministic_algorithms(self, on: bool) -> None:
        self.deterministic = on


def test_torch_has_a_switch_for_convolutions_and_one_for_products() -> None:
    torch = TorchStandIn()
    assert Torch(torch).tf32() == {"convolution": True, "matmul": False}
    Torch(torch).prepare("auto", "on")
    assert Torch(torch).tf32() == {"convolution": True, "matmul": True}
    Torch(torch).prepare("auto", "off", True)
    assert Torch(torch).tf32() == {"convolution": False, "matmul": False} and torch.deterministic


def test_torch_without_a_gpu_says_what_is_missing() -> None:
    with pytest.raises(NoDevice, match=r"PyTorch 2.14.1 sees no GPU: it was built without CUDA"):
        Torch(TorchStandIn(cuda=None)).prepare("gpu")
    with pytest.raises(NoDevice, match=f"{NOWHERE}; cannot load libcudart.so.13, "):
        Torch(TorchStandIn()).prepare("gpu")
    with pytest.raises(NoDevice, match="PyTorch sees 1 GPU"):
        Torch(TorchStandIn(1)).prepare("gpu:1")


def test_a_device_that_is_no_number() -> None:
    with pytest.raises(NoDevice, match="gpu:x names no GPU"):
        TensorFlow(Tf(1)).prepare("gpu:x")


def test_versions_of_cuda_and_cudnn() -> None:
    assert [nvidia.cuda_version(n) for n in (12080, 13000, 11020, 0)] == ["12.8", "13.0", "11.2", ""]
    assert [nvidia.cudnn_version(n) for n in (91002, 8907, 90100, 0)] == ["9.10.2", "8.9.7", "9.1.0", ""]


def test_what_keeps_a_framework_from_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert nvidia.libraries("10.1", "7") == []
    assert nvidia.libraries("13.0", "9.24")[:2] == ["libcudart.so.13", "libcublas.so.13"]
    assert nvidia.driver_said() == NOWHERE
    with_driver(monkeypatch)
    assert nvidia.missing(()) == "the driver 580.65.06 and CUDA's libraries can be loaded"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert nvidia.missing(()) == "CUDA_VISIBLE_DEVICES='-1' says which it may see"
    monkeypatch.setattr(nvidia, "loadable", lambda name: False)
    assert nvidia.missing(()).startswith("libcuda.so.1 cannot be loaded, though the driver 580.65.06 is")


def test_nvidia_s_variable_forbids_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    assert switches({"convolution": True, "matmul": False}) == {"convolution": True, "matmul": False}
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    assert switches({"convolution": True, "matmul": False}) == {"convolution": False, "matmul": False}


@pytest.mark.parametrize(
    ("written", "keras", "backend", "found"),
    [(2, "auto", "tensorflow", 2), (2, "3", "tensorflow", 3), (2, "auto", "jax", 3), (3, "3", "torch", 3)],
)
def test_which_keras_runs(written: int, keras: str, backend: str, found: int) -> None:
    assert keras_for(written, keras, backend) == found


def test_keras_2_and_qkeras_know_tensorflow_alone() -> None:
    with pytest.raises(BadInput, match="Keras 2 runs on TensorFlow alone, not on jax"):
        keras_for(3, "2", "jax")
    with pytest.raises(BadInput, match="QKeras runs on TensorFlow alone, not on torch"):
        keras_for(2, "auto", "torch", qkeras=True)
    with pytest.raises(ImportError, match="not on 'openvino'"):
        load_backend("openvino")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_missing_backend_is_one_line_with_its_pip_name(
    backend: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = f"raise ModuleNotFoundError(\"No module named '{backend}'\", name='{backend}')"
    (tmp_path / f"{backend}.py").write_text(lacking)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(FrameworkError) as caught:
        capture("model.keras", [np.zeros((1, 2), np.float32)], keras=3, backend=backend)
    on = "" if backend == "tensorflow" else f" on {backend}"
    assert str(caught.value).endswith(f"needs Keras 3{on}: No module named '{backend}' (pip install {backend})")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("backend", ["tensorflow", *each("jax", "torch")])
def test_a_tensor_of_each_framework(backend: str) -> None:
    """Without Keras on it: what this process's Keras runs on is fixed."""
    own = framework(None).backend if backend == "tensorflow" else load_backend(backend)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    tensor = own.torch.as_tensor(x) if backend == "torch" else own.constant(x)
    assert own.is_tensor(tensor) and not own.is_tensor(x) and not own.is_tensor(None)
    assert own.size(tensor) == 24
    np.testing.assert_array_equal(own.array(own.concat([tensor, tensor])), np.concatenate([x, x], axis=-1))
    half = tensor.to(own.torch.bfloat16) if backend == "torch" else own.cast(x, "bfloat16")
    assert own.array(half).dtype.name == "bfloat16" and own.size(half) == 12
    np.testing.assert_array_equal(own.array(half).astype(np.float32), x)
    assert own.graph() is None
    assert set(own.tf32()) == {"convolution", "matmul"}
    found = own.describe()
    assert found[backend] and found["devices"][0]["type"] == "CPU" and set(found["cuda"]) == {"cuda", "cudnn", "driver"}
