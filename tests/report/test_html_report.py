"""The page: what it says, that nothing in it is taken for markup, and that tensors do not make it large."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from support.pages import ATTRIBUTE, SCRIPT, hostile, layer, model
from support.results import RESULTS, result

from refconv.report.html_report import render
from refconv.report.text import printable
from refconv.result import Finding, Tried, Verdict

VOID = {"meta", "link", "br", "input", "image", "img", "source"}


class Parsed(HTMLParser):
    """Elements, attributes and text of a page, whose elements must close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.said.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.said).split())

    def count(self, tag: str) -> int:
        return sum(found == tag for found, _ in self.found)


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_is_a_page(name: str) -> None:
    found = Parsed(render(RESULTS[name]))
    assert found.count("tbody") == len(RESULTS[name].layers)
    assert found.count("script") == 1
    assert RESULTS[name].verdict.upper() in found.text


def test_what_is_on_it() -> None:
    found = Parsed(render(model(9, wrong=(4,)), "refconv check model.h5 --seed 3"))
    for said in (
        "FAIL model.h5",
        "9 layers: 1 mismatch, 5 within, 3 exact (3 certified)",
        "RC101 SAME is on the other side",
        "it explains 16 of 16 elements",
        "pad it yourself",
        "at [0,3,4,0] expected 1.5 got 1.500025 allowed ±5.0e-06",
        "the frame is the worst element, [0,3,4,0]",
        "tensorflow 2.21.0; oneDNN on",
        "refconv check model.h5 --seed 3",
        "predict, not recorded: agrees",
        "500%",
    ):
        assert said in found.text, said
    assert found.count("image") == 6  # a map of every layer that is not equal everywhere
    opened = [attrs for tag, attrs in found.found if tag == "details" and "open" in attrs]
    assert len(opened) == 1  # of the layer that fails


def test_what_is_not_known_is_not_shown() -> None:
    found = Parsed(render(result(layer(0))))
    assert "drift" in found.text
    found = Parsed(render(result(replace(layer(0), chained=None, outputs=(), verdict=Verdict.UNVERIFIED))))
    heads = [attrs.get("data-key") for tag, attrs in found.found if tag == "th" and "data-key" in attrs]
    assert heads == ["number", "name", "type", "output", "error", "used", "verdict"]
    assert found.count("svg") == 0


def test_layers_with_one_reason_stand_together() -> None:
    layers = [replace(layer(n), verdict=Verdict.UNVERIFIED, outputs=(), reason="no reference") for n in range(3)]
    found = render(result(*layers))
    assert Parsed(found).text.count("no reference") == 4  # once for all, and once in the row of each


def test_a_finding_that_says_more_is_shown_whole() -> None:
    tried = (Tried("RC2", "one", 12.345678), Tried("RC3", "other", math.inf))
    more = Finding("RC1", "title", "e", "", command="refconv check\nsecond line \x1b[0m", before=0.0, tried=tried)
    text = render(result(replace(layer(0), findings=(more,))))
    said = re.findall(r"<dt>(.*?)</dt><dd><pre>(.*?)</pre>", text, re.DOTALL)
    assert said == [
        ("evidence", "e"),
        ("largest error, times the bound", "0"),
        ("to see it again", "refconv check\nsecond line \\x1b[0m"),
        ("excluded, with the error that is left, times the bound", "RC2 one 12.3\nRC3 other inf"),
    ]


def test_nothing_hostile_is_markup() -> None:
    text = render(hostile(), f"refconv check '{SCRIPT}'")
    found = Parsed(text)
    assert found.count("script") == 1 and found.count("img") == 0 and found.count("style") == 1
    assert not [name for _, attrs in found.found for name in attrs if name.startswith("on")]
    assert "\x1b" not in text
    assert SCRIPT in found.text
    assert printable(ATTRIBUTE) in found.text
    assert "{{ 7*7 }}" in found.text


def test_nothing_is_fetched() -> None:
    found = Parsed(render(model(6, wrong=(3,))))
    links = [
        value or "" for _, attrs in found.found for name, value in attrs.items() if name in ("src", "href", "srcset")
    ]
    assert links and all(link.startswith(("#", "data:")) for link in links)
    policy = next(attrs["content"] for _, attrs in found.found if attrs.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none'") and "unsafe-inline'; script" in policy


def test_tensors_do_not_make_it_large() -> None:
    small, large = (len(render(model(3, wrong=(0,), shape=shape))) for shape in ((1, 32, 32, 1), (4, 256, 256, 8)))
    assert abs(large - small) < 1000
    assert len(render(model(400, wrong=(200,)))) < 900_000


def test_links_lead_somewhere() -> None:
    found = Parsed(render(model(5, wrong=(2,))))
    ids = {attrs.get("id") for _, attrs in found.found}
    targets = {(attrs.get("href") or "")[1:] for tag, attrs in found.found if tag == "a"}
    assert targets <= ids and "l3" in targets
