"""README, "In CI": its files are read, and what they have refconv do is asked of the program itself."""

from __future__ import annotations

import ast
import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from refconv.cli import COMMANDS, program, settings
from refconv.cli.check import command
from refconv.pipeline.accepting import read_entries
from refconv.testing.checking import parameters

README = Path(__file__).resolve().parents[1] / "README.md"
SECTION = README.read_text(encoding="utf-8").partition("## In CI\n")[2].partition("\n## ")[0]
# An indented block: from its first line to the last before one that is not indented.
BLOCKS = [textwrap.dedent(found) for found in re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", SECTION, re.MULTILINE)]
REFCONV = re.compile(r"\brefconv [a-z]+ [^;\n]*")


def block(words: str) -> str:
    (found,) = [block for block in BLOCKS if words in block]
    return found


def yaml_block(words: str) -> Any:
    yaml = pytest.importorskip("yaml", reason="PyYAML, of the extra `test`, is not installed")
    return yaml.safe_load(block(words))


def commands(value: Any) -> Iterator[str]:
    """Every `refconv …` in the texts of a document."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from commands(item)
    elif isinstance(value, str):
        yield from (text.partition("||")[0].strip() for text in REFCONV.findall(value))


def understood(text: str) -> click.Context:
    """The command with its arguments; raises where the program would not take them."""
    _, name, *arguments = shlex.split(text)
    found = program.get_command(click.Context(program), name)
    assert found is not None, name
    return click.Command.make_context(found, name, arguments, default_map={})


def test_the_actions_job_holds_commands_that_the_program_takes():
    found = yaml_block("jobs:")
    assert list(found["jobs"]) == ["check", "record", "check-gpu"]
    assert found["jobs"]["check-gpu"]["needs"] == "record"
    texts = list(commands(found["jobs"]))
    assert [text.split()[1] for text in texts] == ["check", "capture", "check"]
    if "capture" not in COMMANDS:
        pytest.skip("this refconv has no command `capture` yet: its options are not looked at")
    assert [understood(text).params["model"] for text in texts] == ["models/net.keras"] * 3


def test_the_job_s_first_command_is_taken():
    assert understood(next(commands(yaml_block("jobs:")))).params["junit_file"] == "report.xml"


def test_the_hook_holds_a_command_that_the_program_takes():
    (text,) = commands(yaml_block("hooks:"))
    found = understood(text).params
    assert (found["model"], found["quiet"], found["samples"]) == ("$model", True, 1)
    assert re.search(yaml_block("hooks:")["repos"][0]["hooks"][0]["files"], "a/b.keras")


def test_a_command_that_the_program_does_not_take_would_be_seen():
    with pytest.raises(click.NoSuchOption):
        understood("refconv check model.h5 --html-report x")
    assert list(commands({"run": "pip install x; refconv check a --junt b || exit"})) == ["refconv check a --junt b"]


def test_the_settings_are_options_of_check():
    values = tomllib.loads(block("[tool.refconv]"))["tool"]["refconv"]
    read = settings.defaults(settings.Settings(Path("/project/pyproject.toml"), values), command)
    assert read == {"samples": 4, "strict": True, "accepted": "/project/refconv-accepted.toml"}


def test_the_accepted_finding_is_read(tmp_path):
    (tmp_path / "known.toml").write_text(block("[[accepted]]"))
    (entry,) = read_entries(tmp_path / "known.toml")
    assert entry.of("models/legacy/net.h5") and entry.expires.year == 2027


def test_the_tests_use_options_that_there_are():
    tree = ast.parse(block("refconv_check("))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [{k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg != "inputs"} for call in calls]
    assert {"samples": 4} in named and {"mode": "eager", "device": "cpu"} in named
    for options in named:
        parameters(options, "README")


def test_exit_codes_are_those_of_the_program():
    told = re.findall(r"^\| (\d) \| ([^|,:]+)", SECTION, re.MULTILINE)
    assert [code for code, _ in told] == ["0", "1", "2", "3"]
    assert all(f"{code}  " in str(command.epilog) for code, _ in told)
