"""JUnit XML: one case per layer, valid whatever the layers are called."""

from xml.etree import ElementTree as xml

import pytest
from support.results import RESULTS

from refconv.report.junit import legal, render


def cases(name: str) -> tuple[xml.Element, list[xml.Element]]:
    suite = xml.fromstring(render(RESULTS[name]))[0]
    return suite, suite.findall("testcase")


@pytest.mark.parametrize("name", RESULTS)
def test_is_well_formed_and_counts_add_up(name: str) -> None:
    suite, found = cases(name)
    assert int(suite.get("tests", "")) == len(found)
    assert int(suite.get("failures", "")) == sum(c.find("failure") is not None for c in found)
    assert int(suite.get("skipped", "")) == sum(c.find("skipped") is not None for c in found)


@pytest.mark.parametrize(
    ("name", "failures", "skipped"),
    [("pass", 0, 0), ("fail", 1, 0), ("suspect", 1, 0), ("incomplete", 0, 1), ("vacuous", 0, 1), ("plain wrong", 1, 0)],
)
def test_what_fails_and_what_is_skipped(name: str, failures: int, skipped: int) -> None:
    suite, _ = cases(name)
    assert (int(suite.get("failures", "")), int(suite.get("skipped", ""))) == (failures, skipped)


def test_the_failure_names_the_element() -> None:
    text = render(RESULTS["fail"])
    assert "[0,2,1]" in text
    assert "1.75" in text


def test_power_is_a_property() -> None:
    assert '<property name="power" value="2/4" />' in render(RESULTS["power"])
    assert 'name="power"' not in render(RESULTS["pass"])


def test_characters_that_xml_has_not() -> None:
    assert "\x00" not in legal("a\x00b")
    assert "\x1b" not in render(RESULTS["hostile names"])
