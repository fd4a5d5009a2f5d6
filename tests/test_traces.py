"""Captured in one process, checked in another that has no framework: the report of a check in one go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from support.models import model_path, needs_models

import refconv
from refconv.errors import BadInput, UnreadableTrace
from refconv.pipeline.replayed import NOT_AGAIN
from refconv.report.json_report import render

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "refconv" / "samples"
TIMES = ("seconds",)

WITHOUT_FRAMEWORKS = """
import sys

class Refuse:
    names = {"jax", "keras", "qkeras", "tensorflow", "tf_keras", "torch", "tensorflow_model_optimization"}
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ImportError(f"{name} is refused here")

sys.meta_path.insert(0, Refuse())
try:
    import tensorflow
except ImportError as error:
    assert "refused" in str(error)
else:
    raise SystemExit("TensorFlow was not refused")
from refconv.cli import main
main(sys.argv[1:])
"""


def without_times(text: str) -> Any:
    """The report; how long things took, and nothing else, is left out."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: clean(item) for name, item in value.items() if name not in TIMES}
        return [clean(item) for item in value] if isinstance(value, list) else value

    return clean(json.loads(text))


def elsewhere(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The program in a process in which no framework can be imported."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    command = [sys.executable, "-c", WITHOUT_FRAMEWORKS, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=folder, env=env)


def both(path: Path, folder: Path, inputs: Any = None, kept: tuple[str, ...] = (), **options: Any) -> tuple[Any, Any]:
    """The report of a check at once, and that of a check, without any framework, of what was captured."""
    at_once = refconv.check(path, inputs, **options)
    captured = refconv.capture(path, inputs, output=folder / "run.trace.h5", **options)
    assert captured.size == (folder / "run.trace.h5").stat().st_size
    report = folder / "report.json"
    done = elsewhere(
        "check", str(path), "--trace", str(folder / "run.trace.h5"), "--json", str(report), *kept, folder=folder
    )
    assert done.returncode == at_once.exit_code, done.stderr
    return without_times(render(at_once)), without_times(report.read_text())


def test_capture_and_check_are_a_check(tmp_path: Path) -> None:
    options = {"samples": 3, "seed": 5, "thorough": True, "device": "cpu"}
    at_once, later = both(SAMPLES / "digits.keras", tmp_path, **options)
    assert later == at_once
    assert at_once["verdict"] == "pass" and at_once["layers"][0]["probe"]["verdict"] == "exact"
    assert sorted(tmp_path.iterdir()) == [tmp_path / "report.json", tmp_path / "run.trace.h5"]


@pytest.mark.slow  # two starts of Keras 2 with QKeras
def test_quantized_with_given_inputs(tmp_path: Path) -> None:
    at_once, later = both(SAMPLES / "digits_qkeras.h5", tmp_path, SAMPLES / "digits.npy", ("--power",), power=True)
    assert later == at_once
    assert later["input"]["tensors"][0]["source"].endswith("digits.npy")


def test_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refconv.reference.slicing.HELD", 8000)
    at_once, later = both(SAMPLES / "digits.h5", tmp_path, samples=5)
    assert later == at_once
    with_slices = refconv.capture(SAMPLES / "digits.h5", output=tmp_path / "again.h5", samples=5)
    assert with_slices.slices > 1


@pytest.mark.slow
@needs_models
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("qkeras/svhn_quantized.h5", {"thorough": True}),
        ("qkeras/mnist_quantized_pruned.h5", {"samples": 5}),
        ("float/mlperf_tiny_resnet_keras3.h5", {"mode": "xla"}),
        ("float/vww_nested.h5", {}),
        ("float/eegnet_channels_first.h5", {"device": "cpu", "mode": "eager"}),
        ("legacy/carnd_keras1.h5", {"rebuild": True}),
        ("legacy/lenet5_theano_keras2.h5", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_real_models(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    """Slow: seven real models, each run twice by a framework of its own."""
    at_once, later = both(model_path(name), tmp_path, **options)
    at_once["notes"] = [*at_once["notes"], *([NOT_AGAIN] if NOT_AGAIN in later["notes"] else [])]
    assert later == at_once


FAILS = """
import keras

class Fails(keras.layers.Layer):
    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)

    def call(self, x):
        raise ValueError("no such kernel")
"""


def test_a_layer_that_cannot_run(tmp_path: Path) -> None:
    """The calls before it, and why: captured, kept, and told in the same words."""
    (tmp_path / "fails.py").write_text(FAILS)
    own: dict[str, Any] = {}
    exec(FAILS, own)
    layers = [keras.Input((4,)), keras.layers.Dense(3, name="first"), own["Fails"](name="fails")]
    keras.Sequential(layers).save(tmp_path / "m.keras")
    options = {"trust_code": (str(tmp_path / "fails.py"),)}
    at_once, later = both(tmp_path / "m.keras", tmp_path, **options)
    assert later == at_once
    assert any("cannot run layer fails: ValueError: no such kernel" in note for note in later["notes"])
    captured = refconv.capture(tmp_path / "m.keras", output=tmp_path / "again.h5", **options)
    assert captured.exit_code == 3 and "no such kernel" in captured.failure


def test_a_failure_that_another_run_would_explain_is_said_not_to_be(tmp_path: Path) -> None:
    """A planted fault in the recorded output of a layer: no rule explains it, and the framework is not there."""
    from refconv.formats.traced import open_trace
    from refconv.frameworks.keeping import keeping

    model = SAMPLES / "digits.keras"
    refconv.capture(model, output=tmp_path / "right.h5")
    with open_trace(tmp_path / "right.h5") as trace:
        inputs, frames = trace.inputs, [(dict(header), array) for header, array in trace.frames]
    wrong = next(
        i for i, (h, a) in enumerate(frames) if h["kind"] == "tensor" and a is not None and a.ndim == 4 and i > 8
    )
    array = frames[wrong][1]
    assert array is not None
    changed = array.copy()
    changed.flat[7] += 1.0
    frames[wrong] = (frames[wrong][0], changed)
    import h5py

    with h5py.File(tmp_path / "right.h5") as file:
        about = json.loads(file["frames"][()].tobytes().splitlines()[0])
    with keeping(tmp_path / "wrong.h5", about, inputs) as writer:
        for header, array in frames:
            writer.take({k: v for k, v in header.items() if k not in ("dtype", "shape", "crc32")}, array)
    assert refconv.check(model, trace=str(tmp_path / "right.h5")).verdict == "pass"
    found = refconv.check(model, trace=str(tmp_path / "wrong.h5"))
    assert found.verdict == "fail" and found.notes[-1] == NOT_AGAIN


def test_what_is_said_with_a_trace() -> None:
    done = elsewhere("check", "m.h5", "--trace", "t.h5", "--device", "cpu", folder=ROOT)
    assert done.returncode == 2
    assert "--device and --trace exclude each other: the trace holds what ran, and how" in done.stderr
    with pytest.raises(BadInput, match="a trace holds the inputs"):
        refconv.check(SAMPLES / "digits.h5", np.zeros((1, 8, 8, 1), np.float32), trace="t.h5")


def test_a_trace_of_another_model(tmp_path: Path) -> None:
    refconv.capture(SAMPLES / "digits.h5", output=tmp_path / "t.h5")
    with pytest.raises(UnreadableTrace, match="of a model with the SHA-256 [0-9a-f]{64}; .*digits.keras has [0-9a-f]"):
        refconv.check(SAMPLES / "digits.keras", trace=str(tmp_path / "t.h5"))


@pytest.mark.slow  # Keras is started twice, for a file that refconv writes
def test_a_model_that_begins_behind_code(tmp_path: Path) -> None:
    """Rebuilt without its Lambda, the model takes another shape than its file says."""
    x = keras.Input((8, 8))
    y = keras.layers.Lambda(lambda t: t[..., None], output_shape=(8, 8, 1), name="code")(x)
    keras.Model(x, keras.layers.Conv2D(2, 3, name="conv")(y)).save(tmp_path / "m.keras")
    at_once, later = both(tmp_path / "m.keras", tmp_path, rebuild=True)
    assert later == at_once and later["layers"][-1]["verdict"] in ("exact", "within")
