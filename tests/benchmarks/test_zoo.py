"""benchmarks/zoo.py: which models, what a row says, going on where it stopped; and memory of a command."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

import pytest
import zoo
from speed.watched import watched


def result(*verdicts: str) -> dict[str, Any]:
    layers = [{"name": f"l{i}", "type": "Dense", "verdict": v, "reason": "why"} for i, v in enumerate(verdicts)]
    verified = len(layers) - verdicts.count("unverified")
    return {
        "layers": layers,
        "counts": {"layers": len(layers), "verified": verified, **{v: verdicts.count(v) for v in set(verdicts)}},
        "verdict": "pass" if {*verdicts} <= {"exact", "within"} else "incomplete",
        "plain": {"ok": True, "reason": ""},
    }


def row(name: str, *verdicts: str) -> dict[str, Any]:
    found = result(*verdicts)
    return zoo.row(name, "8×8×3", found, zoo.problems(found), 1.234, 99.6)


def test_names_are_chosen_by_globs() -> None:
    assert len(zoo.selected(None, [])) == 40
    assert zoo.selected(["VGG*", "Xception"], ["*19"]) == ["VGG16", "Xception"]


def test_a_row_counts_and_names_what_does_not_pass() -> None:
    found = row("VGG16", "exact", "within", "unverified")
    assert zoo.cells(found) == ["VGG16", "8×8×3", "3", "2", "1", "1", "1", "incomplete", "1.2", "100"]
    assert found["problems"] == ["l2 (Dense): unverified why"]
    assert zoo.problems({"layers": [], "plain": {"ok": False, "reason": "drifts"}}) == ["predict: drifts"]


def test_the_table_counts_models_and_layers() -> None:
    text = zoo.markdown([row("VGG16", "exact"), row("VGG19", "exact", "unverified")])
    assert text.endswith("1 of 2 models pass; 2 of 3 layers are verified")
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    asked: list[str] = []

    def check(name: str, *_: Any) -> dict[str, Any]:
        asked.append(name)
        if name == "VGG19" and asked.count(name) == 1:
            raise KeyboardInterrupt
        return row(name, "exact")

    monkeypatch.setattr(zoo, "check", check)
    arguments = ["--only", "VGG*", "--json", str(tmp_path / "zoo.json")]
    with pytest.raises(KeyboardInterrupt):
        zoo.main(arguments)
    assert zoo.main(arguments) == 0
    assert asked == ["VGG16", "VGG19", "VGG19"]
    assert [one["model"] for one in json.loads((tmp_path / "zoo.json").read_text())["models"]] == ["VGG16", "VGG19"]
    assert "2 of 2 models pass" in capsys.readouterr().out


def test_the_exit_status_tells_of_a_model_that_does_not_pass(monkeypatch: Any) -> None:
    monkeypatch.setattr(zoo, "check", lambda name, *_: row(name, "exact", "unverified"))
    assert zoo.main(["--only", "VGG16"]) == 1


def test_a_model_that_cannot_be_made_is_a_row_that_says_so(tmp_path: Path) -> None:
    found = zoo.check("NoSuchNet", tmp_path, tmp_path, zoo.parse(["--timeout", "300"]))
    assert found["verdict"] == "none"
    assert "NoSuchNet" in found["problems"][0]


@pytest.mark.skipif(not Path("/proc").exists(), reason="memory is read from /proc")
def test_memory_is_that_of_the_command_and_its_children(tmp_path: Path) -> None:
    hold = "import time; held = bytes([1]) * (150 << 20); time.sleep(1.5)"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}]); print('done')"
    ran = watched([sys.executable, "-c", child], 60, tmp_path)
    assert (ran.status, ran.output) == (0, "done\n")
    assert 150 < ran.peak < 400
    with pytest.raises(TimeoutExpired):
        watched([sys.executable, "-c", "import time; time.sleep(30)"], 0.5, tmp_path)
