"""scripts/gpu_check, run on a CPU; and traces that were recorded on a real GPU, checked wherever the tests run."""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from support.models import MODELS

import refconv
from refconv.formats.traced import open_trace
from refconv.graph import checksum

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "refconv" / "samples"
RECORDED = sorted((ROOT / "tests" / "data" / "gpu").glob("*.trace.h5"))
NONE_YET = "no trace was recorded on a real GPU yet"


@pytest.fixture(scope="module")
def script() -> Any:
    spec = spec_from_file_location("gpu_table", ROOT / "scripts" / "gpu_table.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["gpu_table"] = module
    spec.loader.exec_module(module)
    return module


def test_on_a_cpu_the_table_says_so(script: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(SAMPLES / "digits.keras"), "--device", "cpu", "--modes", "graph", "--tf32", "off,on"]
    assert script.main([*given, "-o", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "table.md").read_text()
    assert text in capsys.readouterr().out
    assert "; CPU, " in text and "GPU" not in text
    assert "| digits.keras | graph | off | pass | 13 |" in text and "| digits.keras | graph | on | pass | 13 |" in text
    rows = json.loads((tmp_path / "out" / "table.json").read_text())["rows"]
    assert [row["counts"]["mismatch"] for row in rows] == [0, 0] and 0 < rows[0]["most"] < 1
    kept = sorted((tmp_path / "out" / "traces").iterdir())
    assert [path.name for path in kept] == [row["trace"] for row in rows]
    assert all(path.stat().st_size <= 400_000 for path in kept)
    assert refconv.check(SAMPLES / "digits.keras", trace=str(kept[0])).verdict == "pass"


def test_without_a_gpu_it_ends_with_one_line(script: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main(["-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("gpu_check: TensorFlow ") and " sees no GPU: " in said and len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("verdicts", "status"), [(["pass"], 0), (["pass", "fail", "error"], 1), (["pass", "error"], 3), (["incomplete"], 3)]
)
def test_the_worst_row_decides(
    script: Any, verdicts: list[str], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [script.Row("m", "graph", "on", verdict, reason="why") for verdict in verdicts]
    monkeypatch.setattr(script, "_no_device", lambda arguments: "")
    monkeypatch.setattr(script, "_all", lambda arguments: rows)
    assert script.main(["-o", str(tmp_path)]) == status
    assert "- m, graph, TF32 on: why" in (tmp_path / "table.md").read_text()


def test_a_table_of_a_gpu_names_it(script: Any) -> None:
    device = {"type": "GPU", "name": "NVIDIA X", "compute_capability": "9.0"}
    found = {
        "backend": "jax",
        "jax": "0.10.2",
        "devices": [device],
        "tf32": True,
        "cuda": {"driver": "580", "cuda": "13.0"},
    }
    row = script.Row("m.keras", "xla", "on", "pass", 3, most=0.5, environment=found)
    text = script.markdown([row])
    assert text.startswith(
        "`scripts/gpu_check`: jax 0.10.2; GPU NVIDIA X (compute capability 9.0, driver 580, CUDA 13.0)."
    )
    assert "| m.keras | xla | on | pass | 3 | 50% | – | – |" in text


def model_of(trace: Path) -> Path | None:
    """The file that was captured: a sample, or a real model where they are."""
    with open_trace(trace) as file:
        wanted = file.about.sha256
    candidates = [*SAMPLES.glob("digits*"), *(MODELS.glob("float/*keras3.h5") if MODELS else ())]
    return next((path for path in candidates if checksum(str(path)) == wanted), None)


@pytest.mark.skipif(not RECORDED, reason=NONE_YET)
@pytest.mark.parametrize("trace", RECORDED, ids=lambda path: path.name)
def test_what_a_real_gpu_computed_passes(trace: Path) -> None:
    model = model_of(trace)
    if model is None:
        pytest.skip("the model of this trace is not in the repository, and no folder of real models is here")
    result = refconv.check(model, trace=str(trace))
    assert result.environment["devices"][-1]["type"] == "GPU"
    assert result.verdict == "pass", [(layer.name, layer.verdict, layer.reason) for layer in result.layers]
