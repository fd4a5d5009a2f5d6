"""[tool.refconv]: where it is found, what it sets, what wins over it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from refconv.cli import main, settings
from refconv.cli.check import asked, command
from refconv.errors import BadInput

MODEL = str(Path(__file__).resolve().parents[2] / "refconv" / "samples" / "digits.h5")


def write(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text)


def options(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str):
    monkeypatch.chdir(folder)
    return asked(command.make_context("check", ["model.h5", *arguments]).params)


def test_the_nearest_file_that_has_the_table_counts(tmp_path, monkeypatch):
    write(tmp_path, "[tool.refconv]\nsamples = 5\n")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    write(inner, "[tool.other]\nrefconv = 3\n")
    assert options(inner, monkeypatch).samples == 5
    write(inner, "[tool.refconv]\nseed = 7\n")
    assert (options(inner, monkeypatch).samples, options(inner, monkeypatch).seed) == (2, 7)


ALL = """
[tool.refconv]
samples = 3
mode = "eager"
layer = ["conv*", "dense"]
shape = "8,8"
timeout = 30
memory = "8GB"
lenient = true
power = false
accepted = "known.toml"
"""


def test_every_kind_of_option_is_set(tmp_path, monkeypatch):
    write(tmp_path, ALL)
    found = options(tmp_path, monkeypatch)
    assert (found.samples, found.mode, found.layers, found.timeout) == (3, "eager", ("conv*", "dense"), 30.0)
    assert (found.memory, found.shapes, found.policy.lenient, found.power) == (8 * 10**9, {"": (8, 8)}, True, False)


def test_paths_are_those_of_the_file_s_folder(tmp_path, monkeypatch):
    write(tmp_path, ALL)
    (tmp_path / "deep").mkdir()
    assert options(tmp_path / "deep", monkeypatch).accepted == str(tmp_path / "known.toml")


def test_the_command_line_wins(tmp_path, monkeypatch):
    write(tmp_path, ALL)
    found = options(tmp_path, monkeypatch, "--samples", "1", "--layer", "a", "--power")
    assert (found.samples, found.layers, found.power, found.mode) == (1, ("a",), True, "eager")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.refconv]\nsample = 4", r"pyproject.toml: \[tool.refconv\] sample: is no option (samples)"),
        ("[tool.refconv]\nsamples = '4'", "[tool.refconv] samples: '4' is not an integer"),
        ("[tool.refconv]\nsamples = true", "[tool.refconv] samples: True is not an integer"),
        ("[tool.refconv]\nsamples = 0", "[tool.refconv] samples: 0 is not in the range"),
        ("[tool.refconv]\nmode = 'fast'", "[tool.refconv] mode: 'fast' is not one of"),
        ("[tool.refconv]\nlenient = 1", "[tool.refconv] lenient: 1 is not true or false"),
        ("[tool.refconv]\nlayer = ['a', 3]", "[tool.refconv] layer: 3 is not a text, or a list of them"),
        ("[tool.refconv]\nmode = ['graph']", "[tool.refconv] mode: ['graph'] is not a text"),
        ("[tool.refconv]\ntrust-code = ['x.py']", "trust-code: runs code or writes a file, which only the command"),
        ("[tool.refconv]\nhtml = 'x.html'", "html: runs code or writes a file"),
        ("[tool]\nrefconv = 3", "[tool.refconv]: is no table"),
        ("[tool.refconv", "no TOML"),
    ],
)
def test_what_is_wrong_names_file_and_key(tmp_path, monkeypatch, capsys, text, message):
    write(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["check", "model.h5"])
    told = capsys.readouterr().err
    assert ended.value.code == 2 and message.replace("\\", "") in told
    assert len(told.splitlines()) == 1 and str(tmp_path / "pyproject.toml") in told


def test_help_answers_whatever_the_file_says(tmp_path, monkeypatch, capsys):
    write(tmp_path, "[tool.refconv]\nsample = 4")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["check", "--help"])
    assert ended.value.code == 0 and "[tool.refconv]" in capsys.readouterr().out


def test_no_option_of_check_runs_code_or_writes_from_a_file():
    """A new option that names a program or a file to write belongs in settings.TYPED."""
    known = {settings.long_name(p): p for p in command.params if p.param_type_name == "option"}
    writing = {name for name, p in known.items() if "Write" in (p.help or "") or "Run this" in (p.help or "")}
    assert writing <= set(settings.TYPED)
    assert {"trust-code", "reference", "json", "junit", "html"} == writing & set(known)


def test_what_the_file_sets_is_told_in_the_report_and_accepted_findings_are_read_first(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "[tool.refconv]\nno-framework = true\nsamples = 1\n")
    with pytest.raises(SystemExit) as ended:
        main(["check", MODEL, "--no-progress"])
    assert ended.value.code == 3
    assert "note: pyproject.toml says samples = 1, no-framework = True" in capsys.readouterr().out
    write(tmp_path, "[tool.refconv]\naccepted = 'none.toml'\n")
    with pytest.raises(SystemExit) as ended:
        main(["check", MODEL, "--no-progress"])
    assert ended.value.code == 2 and "none.toml: cannot be read" in capsys.readouterr().err


def test_a_folder_without_a_file_has_no_settings(tmp_path):
    assert settings.find(tmp_path).values == {}
    with pytest.raises(BadInput, match="no option"):
        settings.defaults(settings.Settings(tmp_path / "pyproject.toml", {"help-me": 1}), command)
