"""The other policies, the intervals, the summary, and rows on disk, on examples worked by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from detection import report, summary  # noqa: E402
from detection.baselines import POLICIES, Expected, score_all, terms_of  # noqa: E402
from detection.lines import append, read  # noqa: E402
from detection.statistics import Paired, Share  # noqa: E402
from detection.summary import Faults, as_it_is, found_by, goals, reason  # noqa: E402

U = 2.0**-24


def scores(expected: Any, got: Any, **more: Any) -> dict[str, float | None]:
    return score_all(Expected(np.float32(expected), **more), np.float32(got))


def test_relative_and_absolute_tolerances() -> None:
    """Off by 2e-5 at 1: twice 1e-5 + 1e-8, less than 5e-4 + 5e-4, and a fiftieth of 1e-3 + 1e-7."""
    found = scores([1.0, 0.0], [1.0 + 2e-5, 0.0])
    assert found["np.testing"] == pytest.approx(200, rel=1e-2)
    assert found["np.allclose"] == pytest.approx(2, rel=1e-2)
    assert found["torch"] == pytest.approx(2e-5 / 1.13e-5, rel=1e-2)
    assert found["Keras 5e-4"] == pytest.approx(0.02, rel=1e-2)
    assert found["onnx"] == pytest.approx(0.02, rel=1e-2)


def test_polygraphy_wants_both_exceeded() -> None:
    assert scores([1e3], [1e3 + 5e-3])["Polygraphy"] == pytest.approx(0.5, rel=0.05)  # absolute only
    assert scores([1e-6], [5e-6])["Polygraphy"] == pytest.approx(0.4, rel=0.05)  # relative only
    assert scores([1.0], [1.0001])["Polygraphy"] > 1


def test_tosa_by_element_and_by_variance() -> None:
    """KS = 9 with bias, ksb = 10: an element may be off by 20 units, all together by 1.6·10 in the mean of squares."""
    one = {"magnitude": np.array([1.0, 1.0]), "terms": 9, "biased": True}
    single = score_all(Expected(np.float64([1, 1]), **one), np.array([1 + 40 * U, 1.0]))["TOSA"]
    assert single == pytest.approx(np.sqrt(1600 / (16 * 2)), rel=1e-6)
    every = score_all(Expected(np.float64([1, 1]), **one), np.array([1 + 5 * U, 1 - 5 * U]))["TOSA"]
    assert every == pytest.approx(5 / 4, rel=1e-6)  # each a quarter of its own bound, together too much
    zero = {"magnitude": np.zeros(1), "terms": 9}
    assert scores([0.0], [0.0], **zero)["TOSA"] == 0
    assert scores([0.0], [1e-30], **zero)["TOSA"] > 1
    assert scores([1.0], [2.0])["TOSA"] is None  # no dot product


def test_nan_and_infinity_agree_only_with_themselves() -> None:
    assert all(value in (0.0, None) for value in scores([np.nan, np.inf], [np.nan, np.inf]).values())
    for got in ([0.0, np.inf], [np.nan, -np.inf], [np.nan, 1.0]):
        assert all(value in (np.inf, None) for value in scores([np.nan, np.inf], got).values())
    assert set(scores([1.0], [[1.0]]).values()) == {np.inf}  # another shape


def test_terms_of_an_element() -> None:
    assert terms_of("Conv2D", (3, 3, 8, 16)) == 72
    assert terms_of("QDepthwiseConv2D", (3, 3, 8, 2)) == 9
    assert terms_of("Conv2DTranspose", (3, 3, 16, 8)) == 72
    assert terms_of("Dense", (64, 10)) == 64


def test_intervals() -> None:
    assert Share(8, 10).interval == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert Share(0, 427).interval == pytest.approx((0.0, 0.00892), abs=1e-5)
    assert Share(0, 0).interval == (0.0, 1.0)
    assert Paired(5, 1, 20).difference == pytest.approx(0.2)
    low, high = Paired(5, 1, 20).interval
    assert (low + high) / 2 == pytest.approx(4 / 22)
    assert (high - low) / 2 == pytest.approx(1.959964 * np.sqrt(7 - 16 / 22) / 22)


def row(operator: str = "one channel", scope: str = "channel", size: float = 1e-5, found: bool = True, **more: Any):
    common = {
        "model": "m",
        "layer": "l",
        "seed": 0,
        "mode": "graph",
        "sloped": False,
        "equivalent": False,
        "signed_zero": False,
        "verdict": "mismatch",
    }
    numbers = {"bound_used": 2.0, "ratio": 3.0, "explained": 0, "scores": dict.fromkeys(POLICIES, 0.5)}
    verdict = {} if found else {"verdict": "within", "bound_used": 0.5, "ratio": 0.1}
    return {**common, **numbers, "operator": operator, "scope": scope, "size": size, "found": found, **verdict, **more}


CLEAN_ROW = row("none", "", 0.0, found=False)


def test_goals_are_missed_by_one_fault_too_many() -> None:
    found, missed = [row() for _ in range(99)], [row(found=False)]
    assert goals(Faults([*found, *missed]))[0].met
    assert not goals(Faults([*found[:98], *missed]))[0].met
    small = [row(size=1e-6, found=False)] * 50
    assert goals(Faults([*found, *missed, *small]))[0].share == Share(99, 100)  # below 1e-5 nothing is promised


def test_structural_faults_count_beyond_two_radii() -> None:
    near = row("SAME side", "structure", 0.0, found=False, ratio=1.9)
    beyond = row("SAME side", "structure", 0.0, found=False, ratio=2.1)
    assert {g.what: g for g in goals(Faults([near, row("SAME side", "structure", 0.0)]))}[
        "structural faults beyond 2 worst-case radii"
    ].met
    assert summary.near(Faults([near, beyond])) == [near]
    assert not all(goal.met for goal in goals(Faults([near, beyond])))


def test_scaled_layers_are_counted_apart_where_outputs_are_judged_together() -> None:
    clean = [{**CLEAN_ROW, "layer": "wide", "sloped": True}, {**CLEAN_ROW, "layer": "narrow"}]
    mutants = [row("all weights", "tensor", 1e-6, found, layer=name) for name, found in (("wide", 1), ("narrow", 0))]
    every, together = goals(Faults([*clean, *mutants]))[-2:]
    assert (every.share, together.share) == (Share(1, 2), Share(1, 1))


def test_equivalent_mutants_count_nowhere() -> None:
    faults = Faults([CLEAN_ROW, row(), row(equivalent=True, found=False)])
    assert len(faults.mutants) == len(faults.equivalent) == 1
    assert faults.misses == []


def test_policies_are_compared_at_no_false_alarm() -> None:
    """A clean layer uses 4 of np.allclose's tolerance: with 4 times as much it finds the mutant at 5, not that at 3."""
    clean = {**CLEAN_ROW, "scores": {**CLEAN_ROW["scores"], "np.allclose": 4.0}}
    five, three = (row(scores={**CLEAN_ROW["scores"], "np.allclose": s}) for s in (5.0, 3.0))
    faults = Faults([clean, five, three])
    assert faults.false_alarms["np.allclose"].hits == 1
    assert faults.false_alarms["refconv"].hits == 0
    assert found_by(faults.mutants, "np.allclose") == Share(2, 2)
    assert faults.paired(faults.at_no_alarm("np.allclose"), faults.mutants) == Paired(1, 0, 2)
    assert faults.paired(as_it_is("np.allclose"), faults.mutants) == Paired(0, 0, 2)


def test_a_policy_with_as_few_alarms_that_finds_more_is_named() -> None:
    better = row(found=False, scores={**CLEAN_ROW["scores"], "torch": 2.0})
    assert [(operator, name) for operator, _, name, _ in Faults([CLEAN_ROW, better]).beaten()] == [
        ("one channel", "torch")
    ]
    alarming = {**CLEAN_ROW, "scores": {**CLEAN_ROW["scores"], "torch": 2.0}}
    assert Faults([alarming, better]).beaten() == []
    assert Faults([alarming, better]).beaten_at_no_alarm() == []  # 2 is allowed now, and 2 is what the mutant has
    further = row(found=False, scores={**CLEAN_ROW["scores"], "torch": 2.1})
    assert [name for _, _, name, _ in Faults([alarming, further]).beaten_at_no_alarm()] == ["torch"]


def test_reasons() -> None:
    assert reason(row(found=False)) == "inside the probable bound of every element"
    assert reason(row(found=False, verdict="vacuous")) == "vacuous"
    assert reason(row(found=False, signed_zero=True)) == "only signs of zeros differ"
    assert reason(row(found=False, explained=2, bound_used=1.5)).startswith("explained by stage 2")


def clean_run(**more: Any) -> dict[str, Any]:
    where = {"model": "m", "mode": "graph", "seed": 0, "onednn": True, "threads": 1}
    figures = {"plain_ok": True, "failure": "", "explained": 1, "bound_used": 0.4, "where": "conv"}
    return {**where, "counts": {"layers": 3, "verified": 3, "within": 2, "exact": 1}, "alarms": [], **figures, **more}


def test_clean_runs_are_counted_and_alarms_named() -> None:
    alarm = {"layer": "conv", "type": "Conv2D", "verdict": "suspect", "reason": "", "used": 1.2}
    found = summary.clean_summary(
        [clean_run(), clean_run(seed=1, alarms=[alarm]), clean_run(seed=2, failure="conv: cannot", plain_ok=False)]
    )
    assert (found["runs"], found["checks"]) == (3, 9)
    assert found["alarms_by_verdict"] == {"suspect": 1}
    assert (found["alarms"][0]["seed"], found["alarms"][0]["layer"]) == (1, "conv")
    assert [run["seed"] for run in found["plain_alarms"]] == [run["seed"] for run in found["not_run"]] == [2]


def test_the_report_says_what_was_found_and_what_was_missed() -> None:
    faults = Faults([CLEAN_ROW, row(), row(found=False, layer="hidden"), row("SAME side", "structure", 0.0)])
    text = report.markdown(faults, summary.clean_summary([clean_run()]))
    assert "| one channel | 1e-05 | 2 | 0 | 50.0% |" in text
    assert "| SAME side | 1 | 0 | 100.0% |" in text
    assert "| one channel | 1e-05 | m | hidden | 0.5 | 0.1 |" in text
    assert "1 runs, 3 layer checks" in text
    assert "| refconv | 0 of 1 | 50.0% | – | 100.0% | – |" in text
    told = report.as_json(faults, summary.clean_summary([]))
    assert [miss["layer"] for miss in told["misses"]] == ["hidden"]


def test_rows_go_on_after_an_interruption(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "rows.jsonl"
    assert read(path) == []
    append(path, {"a": 1}, {"a": 2})
    with path.open("a") as file:
        file.write('{"a": 3')
    assert read(path) == [{"a": 1}, {"a": 2}]
    append(path, {"a": 4})
    assert read(path) == [{"a": 1}, {"a": 2}, {"a": 4}]
