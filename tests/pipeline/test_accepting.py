"""Findings that are known: which they are, when they pass, and what is said of them."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from support.results import FINDINGS, layer, result

from refconv.errors import BadInput
from refconv.pipeline.accepting import accepted, read_entries
from refconv.report import details, html_report, json_report, junit, summary
from refconv.result import Policy, Verdict

TODAY = date(2026, 6, 15)
KNOWN = """
[[accepted]]
model = "*.h5"
layer = "conv*"
verdict = "mismatch"
reason = "the old kernel, see #12"
expires = 2026-06-15
"""


def entries(tmp_path: Path, text: str = KNOWN):
    path = tmp_path / "accepted.toml"
    path.write_text(text)
    return read_entries(path)


def wrong(name: str = "conv1", verdict: Verdict = Verdict.MISMATCH, **more):
    return layer(verdict, name=name, **more)


RIGHT = layer(Verdict.WITHIN, 2, "dense")


def test_a_known_finding_passes_on_its_last_day_and_says_why(tmp_path):
    found = accepted(result(wrong(), RIGHT), entries(tmp_path), TODAY)
    assert (found.verdict, found.exit_code) == ("pass", 0)
    assert list(details.acceptance(found.layers[0])) == [
        "accepted until 2026-06-15: the old kernel, see #12",
        "  accepted.toml, entry 1",
    ]
    assert found.layers[0].verdict is Verdict.MISMATCH and found.layers[1].accepted is None
    assert found.counts["accepted"] == found.counts["mismatch"] == 1
    assert "1 mismatch (1 accepted)" in summary.counts(found)
    assert found.notes == ()


def test_an_expired_one_fails_and_says_so(tmp_path):
    found = accepted(result(wrong(), RIGHT), entries(tmp_path), TODAY + timedelta(days=1))
    assert (found.verdict, found.counts["accepted"]) == ("fail", 0)
    assert next(details.details(found.layers[0], False)).startswith("NO LONGER accepted since 2026-06-15: the old")
    assert "1 no longer accepted" in summary.counts(found)


@pytest.mark.parametrize(
    "other",
    [
        wrong("dense"),
        wrong(verdict=Verdict.SUSPECT),
        wrong(verdict=Verdict.UNVERIFIED),
    ],
)
def test_another_layer_or_another_verdict_still_fails(tmp_path, other):
    found = accepted(result(wrong(), other), entries(tmp_path), TODAY)
    assert found.layers[0].forgiven and not found.layers[1].forgiven
    assert found.verdict != "pass"


def test_another_model_is_not_meant_and_its_entries_are_not_called_unused(tmp_path):
    known = entries(tmp_path, KNOWN.replace("*.h5", "other.h5"))
    found = accepted(result(wrong(), RIGHT), known, TODAY)
    assert (found.verdict, found.notes) == ("fail", ())


@pytest.mark.parametrize(
    ("glob", "meant"),
    [
        ("*", True),
        ("model.h5", True),
        ("a/model.h5", True),
        ("deep/a/*.h5", True),
        ("b/*.h5", False),
        ("odel.h5", False),
    ],
)
def test_a_model_is_named_by_any_end_of_its_path(tmp_path, glob, meant):
    found = result(wrong(), RIGHT)
    found = replace(found, model=replace(found.model, path="/deep/a/model.h5"))
    known = entries(tmp_path, KNOWN.replace("*.h5", glob))
    assert accepted(found, known, TODAY).layers[0].forgiven is meant


def test_an_entry_that_fits_no_layer_is_told(tmp_path):
    found = accepted(result(RIGHT), entries(tmp_path), TODAY)
    assert found.notes == ("accepted.toml, entry 1 is not needed: no layer 'conv*' of this model has mismatch",)
    assert accepted(result(RIGHT, partial=True), entries(tmp_path), TODAY).notes == ()


def test_a_rule_stands_for_the_findings_it_explains(tmp_path):
    known = entries(tmp_path, KNOWN.replace('verdict = "mismatch"', 'rule = "rc201"'))
    explained = wrong(verdict=Verdict.SUSPECT, findings=FINDINGS)
    assert accepted(result(explained), known, TODAY).verdict == "pass"
    together = wrong(findings=(replace(FINDINGS[0], code="RC203+RC201"),))
    assert accepted(result(together), known, TODAY).verdict == "fail"  # another fault beside the known one
    pair = entries(tmp_path, KNOWN.replace('verdict = "mismatch"', 'rule = "RC201+rc203"'))
    assert accepted(result(together), pair, TODAY).verdict == "pass"
    assert accepted(result(explained), pair, TODAY).verdict == "fail"
    assert accepted(result(wrong()), known, TODAY).verdict == "fail"
    both = entries(tmp_path, KNOWN.replace("reason", 'rule = "RC201"\nreason'))
    assert accepted(result(explained), both, TODAY).verdict == "fail"


def test_what_is_only_incomplete_may_be_accepted_too(tmp_path):
    known = entries(tmp_path, KNOWN.replace('"mismatch"', '"unverified"'))
    found = accepted(result(wrong(verdict=Verdict.UNVERIFIED), RIGHT), known, TODAY)
    assert found.verdict == "pass"
    assert accepted(result(wrong(verdict=Verdict.UNVERIFIED)), known, TODAY).verdict == "incomplete"  # nothing compared
    strict = result(wrong(verdict=Verdict.VACUOUS), RIGHT, policy=Policy(strict=True))
    known = entries(tmp_path, KNOWN.replace('"mismatch"', '"vacuous"'))
    assert accepted(strict, known, TODAY).verdict == "pass"


def test_of_two_that_fit_the_one_that_is_valid_longest_counts(tmp_path):
    later = KNOWN.replace("conv*", "conv1").replace("2026-06-15", '"2026-12-31"')
    found = accepted(result(wrong()), entries(tmp_path, KNOWN + later), TODAY + timedelta(days=9))
    assert found.layers[0].accepted.expires == "2026-12-31" and found.notes == ()
    assert found.verdict == "pass"


def test_reports_say_which_and_why(tmp_path):
    found = accepted(result(wrong(), RIGHT), entries(tmp_path), TODAY)
    assert json_report.document(found)["layers"][0]["accepted"] == {
        "reason": "the old kernel, see #12",
        "expires": "2026-06-15",
        "entry": "accepted.toml, entry 1",
        "expired": False,
    }
    assert 'failures="0" errors="0" skipped="1"' in (text := junit.render(found))
    assert 'message="mismatch: accepted until 2026-06-15: the old kernel, see #12' in text
    assert "accepted until 2026-06-15: the old kernel, see #12" in html_report.render(found)
    expired = accepted(result(wrong()), entries(tmp_path), TODAY + timedelta(days=1))
    assert 'failures="1"' in junit.render(expired) and "NO LONGER accepted" in junit.render(expired)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("reason = ", "# "), r"accepted.toml, entry 1: reason is missing"),
        (("expires = ", "# "), r"entry 1: expires is missing \(the last day"),
        (("2026-06-15", '"soon"'), "entry 1: expires = 'soon' is no day"),
        (("2026-06-15", "2026-06-15T12:00:00"), "is no day"),
        (("2026-06-15", "20260615"), "expires = 20260615 is no day"),
        (("verdict = ", "# "), "entry 1: says neither a verdict nor a rule"),
        (('"mismatch"', '"within"'), "verdict = 'within' is not known .*mismatch, degraded"),
        (('verdict = "mismatch"', 'rule = "RC999"'), "rule = 'RC999' is not known"),
        (('verdict = "mismatch"', "rule = 201"), "rule = 201 is not known"),
        (("layer = ", "layers = "), r"'layers' is not known \(layer\)"),
        (('"conv*"', "3"), "layer = 3 is no text"),
        (('"the old kernel, see #12"', '" "'), "reason = ' ' is no text"),
        (("[[accepted]]", "[[known]]"), r"'known' is not known \(each finding is a table"),
        (("[[accepted]]", "[accepted]"), "'accepted' is no array of tables"),
        (("[[accepted]]", "[[accepted"), "no TOML"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name_and_number(tmp_path, change, message):
    with pytest.raises(BadInput, match=message):
        entries(tmp_path, KNOWN.replace(*change))


def test_the_same_finding_twice_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"entry 2: says of the same finding what .*entry 1 says"):
        entries(tmp_path, KNOWN + KNOWN.replace("2026", "2027"))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        read_entries(tmp_path / "none.toml")
