"""The whole program on one sample: a clean run, planted faults, and the report of both."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("keras")

import faults  # noqa: E402
from detection import clean  # noqa: E402
from detection.models import SAMPLES  # noqa: E402


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["faults.py", *map(str, arguments)])
    faults.main()


def test_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(clean, "limit_threads", lambda threads: None)  # fixed in this process
    model, out = SAMPLES / "digits.keras", ("--out", tmp_path)
    run(monkeypatch, "clean", model, *out, "--quick", "--environment", "onednn1-threads1")
    operators = ("--operator", "kernel flipped", "--operator", "all weights")
    run(monkeypatch, "faults", *operators, *out, model, "--quick")
    run(monkeypatch, "report", *out)
    told = json.loads((tmp_path / "faults.json").read_text())
    assert (told["clean_runs"]["runs"], told["clean_runs"]["checks"], told["clean_runs"]["alarms"]) == (1, 13, [])
    assert [o["found"]["refconv"] for o in told["operators"] if o["operator"] == "kernel flipped"] == [4]
    assert told["in_short"]["structural"]["refconv"]["share"] == 1.0
    printed = capsys.readouterr().out
    assert "| kernel flipped | 4 | 0 | 100.0% |" in printed
    assert printed.endswith((tmp_path / "faults.md").read_text() + "\n")


def test_a_process_of_another_environment_is_started_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr(clean, "start", lambda environment, command: started.append((environment, command)) or 0)
    run(monkeypatch, "clean", "--quick")
    assert [environment for environment, _ in started] == list(clean.ENVIRONMENTS)
    assert all(command[-2:] == ["--environment", environment.name] for environment, command in started)


def test_a_child_that_fails_ends_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clean, "start", lambda environment, command: 3)
    with pytest.raises(SystemExit, match="3"):
        run(monkeypatch, "clean")
