"""The program as a user meets it: exit codes, one line per error, reports, and what reaches the screen."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

import jsonschema
import pytest
from support.results import RESULTS

from refconv import pipeline
from refconv.cli import main
from refconv.cli.arguments import inputs, shapes
from refconv.compare.declared import NAMED
from refconv.errors import BadInput

SAMPLES = Path(__file__).resolve().parents[2] / "refconv" / "samples"
SCHEMA = json.loads((files("refconv.report") / "check.schema.json").read_text())


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def program(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from refconv.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=cwd, check=False)


@pytest.mark.parametrize(
    ("name", "code"),
    [("pass", 0), ("fail", 1), ("suspect", 1), ("incomplete", 3), ("vacuous", 3), ("plain wrong", 1), ("selection", 0)],
)
def test_exit_codes(name: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "check", lambda *_, **__: RESULTS[name])
    assert run("check", "model.h5") == code


def test_options_reach_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(pipeline, "check", lambda *a, **k: seen.update(k) or RESULTS["pass"])
    assert run("check", "m.h5", "--seed", "7", "--layer", "a*", "--layer", "b", "--lenient", "--shape", "x=4,5") == 0
    found = seen["options"]
    assert found.arithmetic == "" and not found.power
    assert (found.seed, found.layers, found.policy.lenient, found.shapes) == (7, ("a*", "b"), True, {"x": (4, 5)})


def test_every_arithmetic_that_may_be_allowed_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(pipeline, "check", lambda *a, **k: seen.update(k) or RESULTS["pass"])
    for name in NAMED:
        assert run("check", "m.h5", "--arithmetic", name) == 0
        assert seen["options"].arithmetic == name


def test_limits_reach_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(pipeline, "check", lambda *a, **k: seen.update(k) or RESULTS["pass"])
    digits = str(SAMPLES / "digits.h5")
    assert run("check", digits, "--memory", "1.5GiB", "--timeout", "7", "--no-framework") == 0
    assert (seen["options"].memory, seen["options"].timeout) == (3 << 29, 7.0)
    assert run("check", digits, "--memory", "much") == 2
    monkeypatch.undo()
    assert run("check", digits, "--sha256", "0" * 64) == 2
    assert run("weights", digits, "--sha256", "0" * 64) == 2


def test_power_reaches_the_pipeline(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(pipeline, "check", lambda *a, **k: seen.update(k) or RESULTS["power"])
    assert run("check", "m.h5", "--power") == 0
    assert seen["options"].power
    assert "2/3" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("check", "m.h5", "--mode", "fast"),
        ("check", "m.h5", "--samples", "0"),
        ("check", "m.h5", "--arithmetic", "float8"),
        ("check", "m.h5", "-q", "-v"),
        ("check", "absent.h5"),
        ("check", "m.h5", "--json", "absent/r.json"),
        ("check", "m.h5", "--shape", "4,x"),
        ("nonsense",),
    ],
)
def test_usage_errors_are_one_line_and_exit_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1].startswith("refconv: ")
    assert "Traceback" not in captured.err


def test_a_bug_is_called_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(pipeline, "check", broken)
    assert run("check", "m.h5", "--no-progress") == 2
    assert "this is a bug in refconv" in capsys.readouterr().err


def test_a_whole_check_with_all_reports(tmp_path: Path) -> None:
    reports = ("--json", "r.json", "--junit", "r.xml", "--html", "r.html")
    done = program("check", str(SAMPLES / "digits.keras"), *reports, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2].startswith("PASS  13 layers")
    assert "tensorflow" in done.stdout.splitlines()[-1]
    assert "oneDNN" not in done.stderr  # TensorFlow's chatter stays away
    found = json.loads((tmp_path / "r.json").read_text())
    jsonschema.validate(found, SCHEMA)
    assert (found["verdict"], found["counts"]["verified"]) == ("pass", 13)
    assert xml.parse(tmp_path / "r.xml").getroot().get("failures") == "0"
    page = (tmp_path / "r.html").read_text()
    assert page.count("<tbody ") == 13 and page.count('class="strip"') == 13
    assert page.count('class="map"') == 8  # of the layers that round
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html", "r.json", "r.xml"]


def test_how_errors_are_spread_is_asked_for_only_by_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(pipeline, "check", lambda *a, **k: seen.update(k) or RESULTS["pass"])
    assert run("check", "m.h5", "--json", str(tmp_path / "r.json")) == 0
    assert not seen["options"].spread
    page = tmp_path / "r.html"
    assert run("check", "my model.h5", "--html", str(page), "--layer", "a*", "--seed", "3", "--lenient", "-q") == 0
    assert seen["options"].spread
    assert "<pre>refconv check &#39;my model.h5&#39; --seed 3 --layer &#39;a*&#39; --lenient</pre>" in page.read_text()


def test_two_reports_have_two_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same = str(tmp_path / "r")
    assert run("check", "m.h5", "--json", same, "--html", same) == 2
    assert "two reports are to go to one file" in capsys.readouterr().err


def test_wrong_input_leaves_no_report(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1,2,3\n")
    done = program("check", str(SAMPLES / "digits.h5"), "--input", "x.csv", "--json", "r.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "x.csv" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "r.json").exists()


def test_names_of_inputs_and_shapes() -> None:
    assert shapes(["32,32", "tokens=16"]) == {"": (32, 32), "tokens": (16,)}
    assert inputs([], None) is None
    assert set(inputs(["a=x.npy", "b=y.npy"], None)) == {"a", "b"}
    for wrong in (["a=x.npy", "y.npy"], ["a=x.npy", "a=y.npy"]):
        with pytest.raises(BadInput):
            inputs(wrong, None)
    with pytest.raises(BadInput):
        shapes(["0,4"])
