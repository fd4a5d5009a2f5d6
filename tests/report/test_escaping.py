"""Text from a file in every report: nothing steers a terminal, ends a tag, or cannot be written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest
from rich.console import Console
from support.crafted import BIAS, KERNEL, dense, sequential, source, write_h5
from support.results import layer, result

from refconv import formats
from refconv.cli import main
from refconv.inventory.weights import of_graph
from refconv.report import json_report, junit, terminal
from refconv.report import weights as weights_report
from refconv.report.text import in_json, markup, printable
from refconv.result import CheckResult, Verdict

# A title, a cleared screen, another direction of writing, half a character, an XML end, a tag.
TEXT = "a\x1b]0;owned\x07\x1b[2J\x9b31m\u202eb\ud800\u2028]]><script>&\"'\x00\x7f\r\nz\U000e0041"
NAMED = result(layer(Verdict.MISMATCH, name=TEXT, reason=TEXT), layer(Verdict.UNVERIFIED, 2, TEXT, reason=TEXT))


def on_a_terminal(found: CheckResult) -> str:
    console = Console(width=200, highlight=False, markup=False, emoji=False, color_system=None)
    with console.capture() as captured:
        terminal.render(found, console, terminal.VERBOSE)
    return captured.get()


@pytest.mark.parametrize("render", [on_a_terminal, json_report.render, junit.render])
def test_every_report(render: Callable[[CheckResult], str]) -> None:
    text = render(NAMED)
    assert all(line.isprintable() for line in text.split("\n"))
    assert text.encode() and "owned" in text


def test_json_still_says_the_name() -> None:
    assert json.loads(json_report.render(NAMED))["layers"][0]["name"] == TEXT.replace("\ud800", r"\ud800")


def test_xml_holds_the_name_as_text() -> None:
    text = junit.render(NAMED)
    assert "<script>" not in text and "]]>" not in text
    assert "]]><script>" in str(xml.fromstring(text).find(".//testcase").get("name"))


def test_markup() -> None:
    assert markup("<script>'\"&\x1b") == "&lt;script&gt;&#x27;&quot;&amp;\\x1b"
    assert xml.fromstring(f"<a b='{markup(TEXT)}'>{markup(TEXT)}</a>").text == printable(TEXT)


def test_json_that_has_been_written() -> None:
    value = {"\u202e": ["\ud800", "é", "\U000e0041", "a\nb"]}
    text = in_json(json.dumps(value, indent=1, ensure_ascii=False))
    assert json.loads(text) == value and "é" in text
    assert all(line.isprintable() for line in text.split("\n"))


def test_the_list_of_weights(tmp_path: Path) -> None:
    name = TEXT.translate({0: "x", 0xD800: "x"}).replace("/", "")
    weights = {name: {f"{name}/kernel:0": KERNEL, f"{name}/bias:0": BIAS}}
    found = of_graph(formats.load(write_h5(tmp_path / "m.h5", sequential(source(), dense("dense")), _one(weights))))
    for text in (weights_report.listing(found), weights_report.as_json(found)):
        assert all(line.isprintable() for line in text.split("\n"))


def _one(weights: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    """Of a layer of another name, whose weights Keras takes by their order."""
    return {"dense": {name.replace("/", "", 0): value for name, value in next(iter(weights.values())).items()}}


def test_a_traceback_on_the_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_h5(tmp_path / "m.h5", sequential(source(), dense("\x1b[2J\u202e", units=7)))
    with pytest.raises(SystemExit) as ended:
        main(["weights", str(path), "-v"])
    captured = capsys.readouterr()
    assert ended.value.code == 2 and "Traceback" in captured.err
    assert all(line.isprintable() for line in captured.err.split("\n"))
