"""Keras 3 on JAX and PyTorch: layers judged there, and one model on several backends side by side."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import keras
import numpy as np
import pytest
from rich.console import Console
from support.backends import each
from support.models import model_path, needs_models
from support.results import RESULTS

import refconv
from refconv import pipeline
from refconv.cli import main
from refconv.compare.declared import declare, half_sums, unrounded
from refconv.compare.deviating import deviating
from refconv.errors import BadInput, FrameworkError
from refconv.numerics.formats import BFLOAT16
from refconv.pipeline import check_backends
from refconv.report import backends as report
from refconv.report import summary
from refconv.result import BackendsResult, Verdict

SAMPLES = Path(__file__).resolve().parents[1] / "refconv" / "samples"
DIGITS = str(SAMPLES / "digits.keras")
SCHEMA = json.loads((files("refconv.report") / "check.schema.json").read_text())
RIGHT = (Verdict.WITHIN, Verdict.EXACT)
OTHERS = each("jax", "torch")


@pytest.mark.parametrize("backend", OTHERS)
def test_the_sample_passes(backend: str) -> None:
    result = refconv.check(DIGITS, backend=backend, thorough=True)
    assert result.verdict == "pass", [(layer.name, layer.verdict, layer.reason) for layer in result.layers]
    assert result.environment["backend"] == backend and result.environment[backend]
    assert result.plain is not None and result.plain.ok
    assert [layer.probe.verdict for layer in result.layers if layer.probe] == [Verdict.EXACT] * 7
    assert not result.counts["nondeterministic"]


@pytest.mark.slow  # starts a framework for each of three models
@needs_models
@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.parametrize(
    "name", ["float/mlperf_tiny_resnet_keras3.h5", "float/tiny_mnist.h5", "float/tiny_mnist.keras"]
)
def test_real_models_pass(backend: str, name: str) -> None:
    assert refconv.check(model_path(name), backend=backend).verdict == "pass"


@pytest.mark.slow  # starts a framework for each
@pytest.mark.parametrize("backend", OTHERS)
def test_a_file_of_keras_2_is_rebuilt(backend: str) -> None:
    with pytest.raises(FrameworkError, match=rf"Keras 3 on {backend} cannot load this file.*--rebuild"):
        refconv.check(SAMPLES / "digits.h5", backend=backend)
    assert refconv.check(SAMPLES / "digits.h5", backend=backend, rebuild=True).verdict == "pass"


def mixed_model() -> Any:
    """Recurrent layers, a nested and shared one, two outputs, one of them in bfloat16."""
    layers = keras.layers
    x = keras.Input((5, 4), name="x")
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True, name="lstm"), name="both")(x)
    y = layers.GRU(4, return_sequences=True, name="gru")(y)
    block = keras.Sequential([keras.Input((5, 4)), layers.Conv1D(4, 3, padding="same", name="conv")], name="block")
    y = block(block(y))
    y = layers.LayerNormalization(name="norm")(y)
    y = layers.SimpleRNN(6, name="simple")(y)
    return keras.Model(x, [layers.Dense(2, name="left")(y), layers.Dense(3, name="right", dtype="mixed_bfloat16")(y)])


@pytest.mark.slow  # compiles loops of recurrent layers, or runs their operations one by one
@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_steps_nested_models_and_narrow_formats(backend: str, mode: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(5)
    model = mixed_model()
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in model.get_weights()])
    model.save(tmp_path / "model.keras")
    result = refconv.check(tmp_path / "model.keras", backend=backend, mode=mode)
    assert result.verdict == "pass", [(layer.name, layer.verdict, layer.reason) for layer in result.layers]
    steps = {o.name for layer in result.layers if layer.name == "both" for o in layer.outputs}
    assert {"forward h", "forward c", "backward h", "backward c"} <= steps
    assert [layer.call if hasattr(layer, "call") else layer.path for layer in result.layers].count("block/conv") == 2


@pytest.mark.parametrize("backend", each("jax"))
def test_a_layer_that_the_backend_cannot_run_is_named_and_those_before_it_are_judged(
    backend: str, tmp_path: Path
) -> None:
    """JAX has no product of float16 with float32 sums on a CPU, which Keras's attention asks for."""
    layers = keras.layers
    x = keras.Input((6, 4))
    attention = layers.MultiHeadAttention(2, 3, dtype="mixed_float16", name="attention")
    y = layers.Dense(4, name="before")(x)
    keras.Model(x, layers.Dense(2, name="after")(attention(y, y))).save(tmp_path / "model.keras")
    result = refconv.check(tmp_path / "model.keras", backend=backend)
    before, unrun, after = result.layers
    assert before.verdict in RIGHT and result.exit_code == 3
    assert unrun.verdict is after.verdict is Verdict.UNVERIFIED
    assert any("cannot run layer attention" in note for note in result.notes)


def deviating_model() -> Any:
    layers = keras.layers
    x = keras.Input((7, 7, 2))
    one = layers.Resizing(5, 11, interpolation="bicubic", name="cubic")(x)
    two = layers.AveragePooling2D(4, strides=1, padding="same", name="mean")(x)
    return keras.Model(x, [one, two, layers.AdaptiveMaxPooling2D((7, 7), name="adaptive")(x)])


@pytest.mark.parametrize(
    ("backend", "names", "said"),
    [
        pytest.param(*case, marks=parameter.marks)
        for parameter, case in zip(
            OTHERS,
            [
                ("jax", {"cubic", "adaptive"}, ["a table of 1024 steps", "in float32"]),
                ("torch", {"cubic", "mean"}, ["another one", "repeats the edge"]),
            ],
            strict=True,
        )
    ],
)
def test_what_a_backend_computes_otherwise_is_found_and_named(
    backend: str, names: set[str], said: list[str], tmp_path: Path
) -> None:
    deviating_model().save(tmp_path / "model.keras")
    result = check_backends(tmp_path / "model.keras", backends=["tensorflow", backend])
    assert result.results["tensorflow"].verdict == "pass" and result.exit_code == 1
    layers = {layer.name: layer for layer in result.results[backend].layers}
    assert {name for name, layer in layers.items() if layer.verdict is Verdict.MISMATCH} == names
    assert all(any(words in layers[name].reason for name in names) for words in said)
    assert {layers[name].index for name in names} == set(result.differing)


@pytest.mark.parametrize("backend", each("torch"))
def test_a_mode_that_a_backend_has_not_is_refused(backend: str) -> None:
    with pytest.raises(FrameworkError, match=r"PyTorch has no xla mode \(--mode graph\)"):
        refconv.check(DIGITS, backend=backend, mode="xla")


@pytest.mark.parametrize("backend", OTHERS)
def test_two_backends_side_by_side(backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check", DIGITS, "--backend", "tensorflow", "--backend", backend, "--json", str(tmp_path / "r.json")])
    text = capsys.readouterr().out
    assert ended.value.code == 0, text
    assert "no layer differs between them" in text and f"PASS  {backend}: 13 layers" in text
    written = json.loads((tmp_path / "r.json").read_text())
    assert set(written["backends"]) == {"tensorflow", backend}
    for document in written["backends"].values():
        jsonschema.validate(document, SCHEMA)
    apart = {layer["name"]: layer["max_abs_difference"][backend] for layer in written["between"]["layers"]}
    assert apart["conv"] < 1e-5 and len(apart) == 13 and apart["classes"] > 0


def test_the_table_says_what_differs_and_ends_with_the_worst() -> None:
    both = BackendsResult({"tensorflow": RESULTS["pass"], "jax": RESULTS["fail"]}, {"jax": {0: 0.25, 1: np.inf}})
    assert (both.verdict, both.exit_code) == ("fail", 1)
    screen = Console(width=200)
    with screen.capture() as captured:
        report.render(both, screen)
    text = captured.get()
    failing = [layer for layer in RESULTS["fail"].layers if layer.verdict is Verdict.MISMATCH]
    assert failing and f"{failing[0].name} differs from the reference" in text or "differs between them" in text
    assert "FAIL  jax: " in text and "PASS  tensorflow: " in text
    document = json.loads(report.as_json(both))
    assert document["verdict"] == "fail" and document["between"]["first"] == "tensorflow"
    ranked = {"pass": 0, "incomplete": 3, "fail": 1}
    for one, code in ranked.items():
        assert BackendsResult({"a": RESULTS["pass"], "b": RESULTS[one]}, {"b": {}}).exit_code == code
    assert BackendsResult({"a": RESULTS["incomplete"], "b": RESULTS["fail"]}, {"b": {}}).exit_code == 1


def test_what_several_backends_cannot_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check", DIGITS, "--backend", "jax", "--backend", "tensorflow", "--html", "x.html"])
    assert ended.value.code == 2 and "by --json" in capsys.readouterr().err
    with pytest.raises(BadInput, match="one backend is named twice"):
        check_backends(DIGITS, backends=["jax", "jax"])


def test_options_reach_the_framework(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(pipeline, "check", lambda *a, **k: seen.update(k) or RESULTS["pass"])
    given = ["--device", "gpu:1", "--tf32", "off", "--deterministic", "--repeat", "3"]
    with pytest.raises(SystemExit) as ended:
        main(["check", DIGITS, *given, "--no-framework"])
    assert ended.value.code == 0
    found = seen["options"]
    assert (found.device, found.tf32, found.deterministic, found.repeat, found.runs) == ("gpu:1", "off", True, 3, 3)
    assert pipeline.Options(thorough=True).runs == 2 and pipeline.Options().runs == 1
    for wrong in ("gpu:x", "tpu", "gpu:"):
        with pytest.raises(SystemExit) as ended:
            main(["check", DIGITS, "--device", wrong])
        assert ended.value.code == 2
        assert "none of auto, cpu, gpu and gpu:N" in capsys.readouterr().err


def test_the_last_line_names_backend_device_and_switches() -> None:
    found = gpu("torch", True, False) | {"torch": "2.14.1", "keras": "3.15.1", "deterministic_ops": True}
    found |= {"cuda": {"driver": "580.65", "cuda": "13.0", "cudnn": "9.24.0"}}
    assert summary.environment(found) == (
        "torch 2.14.1, keras 3.15.1; GPU H (compute capability 9.0, driver 580.65, CUDA 13.0, cuDNN 9.24.0), "
        "TF32 on for convolution, deterministic operations"
    )
    assert "TF32 off" in summary.environment(gpu("jax", False, False))
    assert "TF32 on;" in summary.environment(gpu("jax", True, True)) + ";"
    cpu = {"backend": "jax", "jax": "0.10.2", "devices": [{"type": "CPU"}], "tf32": True, "cuda": {"cuda": ""}}
    assert summary.environment(cpu) == "jax 0.10.2; CPU"


def node(kind: str, dtype: str = "float32", **attrs: Any) -> Any:
    given = {"kernel_size": (3, 3), "strides": (1, 1), "dilation_rate": (1, 1), "groups": 1, **attrs}
    return SimpleNamespace(type=kind, dtype=dtype, attrs=SimpleNamespace(**given))


def gpu(backend: str, convolution: bool, matmul: bool) -> dict[str, Any]:
    device = {"type": "GPU", "name": "H", "compute_capability": "9.0"}
    of = {"convolution": convolution, "matmul": matmul}
    return {"backend": backend, "devices": [device], "tf32": convolution or matmul, "tf32_of": of}


def test_torch_declares_tf32_by_its_two_switches() -> None:
    usual = gpu("torch", True, False)
    assert [declare(node(kind), usual, "graph").name for kind in ("Conv2D", "Dense", "DepthwiseConv2D")] == [
        "tf32", "float32", "tf32",
    ]  # fmt: skip
    assert declare(node("Dense"), gpu("torch", True, True), "graph").name == "tf32"
    assert declare(node("Conv2D"), gpu("jax", False, False), "graph").name == "float32"


def test_jax_declares_what_xla_does_unless_it_is_eager() -> None:
    cpu = {"backend": "jax", "devices": [{"type": "CPU"}]}
    compiled, eager = (declare(node("Dense", "mixed_bfloat16"), cpu, mode).candidates for mode in ("graph", "eager"))
    assert unrounded(BFLOAT16) in compiled and half_sums(BFLOAT16) not in compiled
    assert unrounded(BFLOAT16) not in eager and half_sums(BFLOAT16) in eager


def test_a_known_deviation_is_of_one_backend_and_of_some_attributes() -> None:
    cubic = SimpleNamespace(type="Resizing", attrs=SimpleNamespace(interpolation="bicubic"))
    linear = SimpleNamespace(type="Resizing", attrs=SimpleNamespace(interpolation="bilinear"))
    assert "1024" in deviating(cubic, {"backend": "jax"}) and "0.75" in deviating(cubic, {"backend": "torch"})
    assert deviating(cubic, {}) == deviating(linear, {"backend": "jax"}) == ""
