"""What every report says of integer probes."""

from __future__ import annotations

import json
from xml.etree import ElementTree as xml

from support.results import RESULTS

from refconv.report import json_report, junit, summary
from refconv.report.details import details

WRONG = RESULTS["probe wrong"]


def test_text_shows_the_element_and_the_last_line_counts() -> None:
    shown = list(details(WRONG.layers[0], verbose=False))
    assert shown[0] == "its integer probe differs"
    assert shown[1].startswith("probe: at [0,2,1] expected 1.5 got 4.5")
    assert "probes: 1 of 3 exact, 1 mismatch, 1 not probed" in summary.counts(WRONG)
    assert "probe" not in summary.counts(RESULTS["pass"])
    assert any("probe exact" in line for line in details(WRONG.layers[1], verbose=True))


def test_json_has_the_comparison_or_the_reason() -> None:
    wrong, right, folded = json.loads(json_report.render(WRONG))["layers"]
    assert wrong["probe"]["worst"]["got"] == 4.5
    assert (right["probe"]["verdict"], right["probe_reason"]) == ("exact", "")
    assert (folded["probe"], folded["probe_reason"]) == (None, "not probed: folded")
    assert "probe" not in json.loads(json_report.render(RESULTS["pass"]))["layers"][0]


def test_junit_fails_the_layer_by_its_probe() -> None:
    suite = xml.fromstring(junit.render(WRONG)).find("testsuite")
    assert suite is not None
    failure = suite.find("testcase/failure")
    assert failure is not None and failure.get("message") == "Conv2D: its integer probe differs"
    properties = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert properties["probes"] == "probes: 1 of 3 exact, 1 mismatch, 1 not probed"
