"""What a trace decided is not asked again, wherever it is said: on the command line, in pyproject.toml, in a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from refconv import pipeline
from refconv.cli import main
from refconv.cli.check import CAPTURED
from refconv.errors import BadInput

SETTINGS = '[tool.refconv]\nsamples = 7\nbackend = ["tensorflow", "jax"]\ninput = "x=x.npy"\nlenient = true\n'


class Asked(Exception):
    """The options that the pipeline was called with."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    def check(path: Any, inputs: Any, **given: Any) -> None:
        raise Asked(inputs, given["options"])

    monkeypatch.setattr(pipeline, "check", check)
    monkeypatch.setattr("refconv.formats.rehearsal.rehearse", lambda path: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    return tmp_path


def test_settings_of_a_capture_do_not_count_beside_a_trace(asked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["check", "m.h5", "--trace", "run.trace.h5", "-v"])
    told = capsys.readouterr().err
    assert "test_trace_options.Asked" in told or "Asked:" in told
    assert "(None, Options(samples=2, " in told and "backend='tensorflow'" in told and "lenient=True" in told


@pytest.mark.parametrize("name", ["samples", "mode", "device", "tf32", "repeat", "keras"])
def test_on_the_command_line_they_are_refused(asked: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    value = {"samples": "3", "mode": "eager", "device": "cpu", "tf32": "on", "repeat": "2", "keras": "3"}[name]
    with pytest.raises(SystemExit) as ended:
        main(["check", "m.h5", "--trace", "run.trace.h5", f"--{name}", value])
    assert ended.value.code == 2 and name in CAPTURED
    assert f"--{name} and --trace exclude each other" in capsys.readouterr().err


def test_several_backends_have_no_trace() -> None:
    with pytest.raises(BadInput, match="a trace is of one backend"):
        pipeline.check_backends("m.h5", backends=["tensorflow", "jax"], trace="run.trace.h5")
