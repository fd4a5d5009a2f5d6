"""--rebuild, --no-framework and --architecture on the command line."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.crafted import dense, layer, sequential, source, write_h5
from support.results import RESULTS

from refconv import pipeline
from refconv.cli import main

SCHEMA = json.loads((files("refconv.report") / "check.schema.json").read_text())


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


@pytest.fixture
def with_lambda(tmp_path: Path) -> Path:
    code = layer("Lambda", "code", function=["4wE=", None, None], function_type="lambda")
    return write_h5(tmp_path / "model.h5", sequential(source(), dense(), code))


def test_options_reach_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(pipeline, "check", lambda *a, **k: seen.append(k["options"]) or RESULTS["pass"])
    assert run("check", "m.h5") == 0
    assert run("check", "m.h5", "--rebuild", "--architecture", "m.json") == 0
    assert run("check", "m.h5", "--no-framework") == 0
    assert [(o.rebuild, o.framework, o.architecture) for o in seen] == [
        (False, True, ""),
        (True, True, "m.json"),
        (False, False, ""),
    ]


def test_two_ways_of_running_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "m.h5", "--rebuild", "--no-framework") == 2
    assert "exclude each other" in capsys.readouterr().err


def test_a_lambda_ends_with_one_line_that_names_both(with_lambda: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", str(with_lambda), "--no-progress") == 2
    captured = capsys.readouterr()
    assert captured.out == "" and len(captured.err.splitlines()) == 1
    assert "layer code: a Lambda layer holds code from the file" in captured.err
    assert "--no-framework" in captured.err and "--rebuild" in captured.err


def test_the_reference_alone_is_reported(with_lambda: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = with_lambda.parent / "report.json"
    assert run("check", str(with_lambda), "--no-framework", "--no-progress", "--json", str(report)) == 3
    found = json.loads(report.read_text())
    jsonschema.validate(found, SCHEMA)
    assert [(item["name"], item["verdict"]) for item in found["layers"]] == [
        ("dense", "unverified"),
        ("code", "unverified"),
    ]
    shown = capsys.readouterr().out
    assert "computed: 2×3, " in shown and "INCOMPLETE  2 layers: 2 unverified" in shown
    assert "no framework was run" in shown
