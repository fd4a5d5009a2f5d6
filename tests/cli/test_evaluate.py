"""refconv evaluate as a user meets it: options, exit codes, what is printed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from refconv import pipeline
from refconv.cli import main
from refconv.cli.evaluate import _named
from refconv.errors import BadInput
from refconv.result import Policy, Verdict
from refconv.scoring.result import EvaluateResult, PredictionsResult, Reading, Score

LOSS = Score("loss", "mean squared error", Verdict.WITHIN, 0.5, 0.499, 0.501, 0.5004)
OPEN = Score("accuracy", "categorical accuracy", Verdict.VACUOUS, 0.1, 0.0, 1.0, 0.1, "1 of 10 samples", "accuracy")
UNKNOWN = Score("AUC", "AUC", Verdict.UNVERIFIED, got=0.7, reason="metric 'AUC' has no reference")
READ = Reading("out", "accuracy", "binary accuracy", 0.999, "9990 of 10000 decisions", "an older sense")
AGREE = PredictionsResult("out", (10, 1000), 1e-9, 0.2)
PASS = EvaluateResult("m.keras", 3, "3.15.1", "file", 10, 32, (LOSS, OPEN), (READ,), (AGREE,))


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (PASS, 0),
        (replace(PASS, scores=(LOSS, UNKNOWN)), 3),
        (replace(PASS, scores=(LOSS, UNKNOWN), policy=Policy(allow_unverified=True)), 0),
        (replace(PASS, scores=(replace(LOSS, verdict=Verdict.MISMATCH),)), 1),
        (replace(PASS, predictions=(replace(AGREE, bound_used=1.5),)), 1),
        (replace(PASS, scores=()), 3),
    ],
)
def test_exit_codes(result: EvaluateResult, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "evaluate", lambda *_, **__: result)
    assert run("evaluate", "m.keras", "--data", "d.npz") == code


def test_what_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shown = replace(PASS, scores=(LOSS, OPEN, UNKNOWN), notes=("a note",))
    monkeypatch.setattr(pipeline, "evaluate", lambda *_, **__: shown)
    monkeypatch.setenv("COLUMNS", "100")
    assert run("evaluate", "m.keras", "--data", "d.npz", "--json", str(tmp_path / "out.json")) == 3
    text = " ".join(capsys.readouterr().out.split())
    for part in (
        "loss and metrics as the file says",
        "note: a note",
        "accuracy became categorical accuracy by the shapes: 1 of 10 samples",
        "as binary accuracy it would be 0.999: 9990 of 10000 decisions; an older sense",
        "metric 'AUC' has no reference",
        "loss 0.5004 0.5 ±1.0e-03 40% within",
        "INCOMPLETE 3 values: 1 unverified, 1 vacuous, 1 within",
    ):
        assert part in text
    found = json.loads((tmp_path / "out.json").read_text())
    assert (found["verdict"], found["scores"][2]["verdict"], found["predictions"][0]["ok"]) == (
        "incomplete",
        "unverified",
        True,
    )
    assert run("evaluate", "m.keras", "--data", "d.npz", "-q") == 3
    assert capsys.readouterr().out.count("\n") == 1


def test_options_reach_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(pipeline, "evaluate", lambda *a, **k: seen.update(k) or PASS)
    given = ("--loss", "a=mse", "--loss", "b=mae", "--metrics", "accuracy,AUC", "--batch", "7", "--samples", "9")
    assert run("evaluate", "m.keras", "--data", "d.npz", *given, "--preprocess", "unit") == 0
    assert (seen["loss"], seen["metrics"]) == ({"a": "mse", "b": "mae"}, ["accuracy", "AUC"])
    assert (seen["batch"], seen["first"], seen["options"].preprocess) == (7, 9, "unit")


@pytest.mark.parametrize(
    "arguments",
    [
        ("m.keras",),
        ("m.keras", "--data", "d.npz", "--batch", "0"),
        ("absent.keras", "--data", "d.npz"),
        ("m.keras", "--data", "d.npz", "--loss", "mse", "--loss", "mae"),
        ("m.keras", "--data", "d.npz", "--json", "absent/folder/out.json"),
    ],
)
def test_usage(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", "--no-progress", *arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_names_of_outputs() -> None:
    assert _named([], "--loss") is None
    assert _named(["a=x,y", "b=z"], "--metrics", several=True) == {"a": ["x", "y"], "b": ["z"]}
    with pytest.raises(BadInput, match="some do not"):
        _named(["a=mse", "mae"], "--loss")
