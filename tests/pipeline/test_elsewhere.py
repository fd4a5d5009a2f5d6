"""A failure that no rule explains is run again and another way; what is right there is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from support.results import RESULTS

from refconv.pipeline import Options
from refconv.pipeline.elsewhere import SWITCH, Way, explained, ways
from refconv.result import CheckResult, Comparison, Finding, LayerResult, PlainResult, Verdict

RIGHT = Comparison((2, 3), Verdict.WITHIN, False, 1e-7, 1.0, 0.2)
WRONG = Comparison((2, 3), Verdict.MISMATCH, False, 1.0, np.inf, 1e6)
ON = {"onednn": {"enabled": True}}


def result(comparison: Comparison, *findings: Finding, plain: PlainResult | None = None) -> CheckResult:
    layer = LayerResult(1, "conv", "conv", "Conv2D", comparison.verdict, (comparison,), findings=findings)
    return replace(RESULTS["pass"], layers=(layer,), plain=plain, environment=ON)


class Framework:
    """Right only where `right` says so; remembers how it was run."""

    def __init__(self, right: str) -> None:
        self.right, self.ran = right, list[str]()

    def __call__(self, options: Options, switches: Mapping[str, str]) -> CheckResult:
        self.ran.append(f"{options.mode}{switches.get(SWITCH, '')}")
        assert options.layers == ("conv",)
        return result(RIGHT if self.ran[-1] == self.right else WRONG)


def told(framework: Framework, given: CheckResult, mode: str = "graph") -> list[str]:
    found = explained(given, Options(mode=mode), framework, lambda what, share: None)
    return [f"{f.code}: {f.evidence}" for f in found.layers[0].findings]


@pytest.mark.parametrize(
    ("mode", "right", "said"),
    [
        ("graph", "graph", "RC601: run again in the same way, the layer is within"),
        ("graph", "eager", "RC603: run in eager mode, the layer is within"),
        ("xla", "graph", "RC603: run in graph mode, the layer is within"),
        ("graph", "graph0", "RC604: run without oneDNN, the layer is within"),
        ("eager", "eager0", "RC604: run without oneDNN, the layer is within"),
    ],
)
def test_the_first_way_in_which_it_is_right_is_named(mode: str, right: str, said: str) -> None:
    assert told(Framework(right), result(WRONG), mode) == [said]


def test_what_is_wrong_everywhere_is_the_layers_own() -> None:
    framework = Framework("nowhere")
    assert told(framework, result(WRONG)) == []
    assert framework.ran == ["graph", "eager", "graph0"]


def test_what_a_rule_explains_or_what_is_right_is_not_run_again() -> None:
    framework = Framework("graph")
    assert told(framework, result(WRONG, Finding("RC203", "kernel flipped", ""))) == ["RC203: "]
    assert told(framework, result(RIGHT)) == []
    assert not framework.ran
    assert told(framework, result(WRONG, Finding("RC901", "nothing", "")))[1:] == ["RC901: "]


def test_only_the_plain_graph_is_wrong() -> None:
    wrong = PlainResult(1.0, 99.0, ok=False, reason="only predict is wrong")

    def again(options: Options, switches: Mapping[str, str]) -> CheckResult:
        assert options.mode == "eager"
        return result(RIGHT, plain=PlainResult(0.0, 0.0, ok=True))

    found = explained(result(RIGHT, plain=wrong), Options(), again, lambda what, share: None).plain
    assert found is not None and found.reason == "only predict is wrong; in eager mode it agrees (RC602)"


def test_every_way_speaks_for_a_rule() -> None:
    from refconv.diagnose.rules.table import rule

    found: list[Way] = list(ways(Options(), ON))
    assert [way.code for way in found] == ["RC601", "RC603", "RC604"]
    assert all(rule(way.code) for way in found)
    assert [way.switches for way in ways(Options(mode="eager"), {"onednn": {"enabled": False}})] == [{}, {SWITCH: "1"}]


@pytest.mark.slow  # four runs of the framework, each in a process of its own
def test_a_kernel_of_onednn_that_leaves_rows_unwritten(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Conv2D to one column: TensorFlow 2.21 with oneDNN writes the first row alone."""
    import keras

    import refconv

    model = keras.Sequential([keras.Input((2, 3, 1)), keras.layers.Conv2D(1, (1, 2), strides=(1, 2), name="conv")])
    model.set_weights([np.float32([10, 1]).reshape(1, 2, 1, 1), np.float32([0.5])])
    path = f"{tmp_path}/model.keras"
    model.save(path)
    monkeypatch.setenv(SWITCH, "1")
    found = refconv.check(path)
    assert found.verdict == "fail" and found.layers[0].findings[0].code in ("RC603", "RC604")
    monkeypatch.setenv(SWITCH, "0")
    assert refconv.check(path).verdict == "pass"
