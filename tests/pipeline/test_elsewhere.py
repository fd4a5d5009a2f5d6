"""A failure that no rule explains is run again and another way; what is right there is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
from support.results import RESULTS

import refconv
from refconv.errors import FrameworkError
from refconv.ops.registered import forget
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


def test_a_way_in_which_the_framework_cannot_run_explains_nothing() -> None:
    def again(options: Options, switches: Mapping[str, str]) -> CheckResult:
        raise FrameworkError("it died")

    given = result(WRONG)
    assert explained(given, Options(), again, lambda what, share: None) == given
    plain = result(RIGHT, plain=PlainResult(1.0, 99.0, ok=False))
    assert explained(plain, Options(), again, lambda what, share: None) == plain


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


CODE = """
import os
from pathlib import Path
import keras, tensorflow as tf

@keras.saving.register_keras_serializable("mine")
class Odd(keras.layers.Layer):
    def call(self, x):
        right = {
            "switch": os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1",
            "eager": tf.executing_eagerly(),
            "never": False,
        }[Path(__file__).with_name("right.txt").read_text()]
        return x * (2.0 if right else 3.0)
"""


@pytest.mark.slow  # each runs the framework up to four times, in a process of its own
@pytest.mark.parametrize(("right", "code"), [("switch", "RC604"), ("eager", "RC603"), ("never", "")])
def test_a_layer_that_is_right_in_another_run_alone(
    right: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A layer of the user's own whose values depend on how it is run, beside its reference."""
    import keras

    (tmp_path / "right.txt").write_text(right)
    (tmp_path / "odd.py").write_text(CODE)
    spec = spec_from_file_location("odd", tmp_path / "odd.py")
    assert spec is not None and spec.loader is not None
    odd = module_from_spec(spec)
    spec.loader.exec_module(odd)
    keras.Sequential([keras.Input((4,)), odd.Odd(name="odd")]).save(tmp_path / "model.keras")
    monkeypatch.setenv(SWITCH, "0")
    refconv.register("Odd", lambda config, weights, inputs, ops: ops.multiply(inputs[0], np.float32(2)))
    try:
        found = refconv.check(tmp_path / "model.keras", trust_code=(str(tmp_path / "odd.py"),))
    finally:
        forget("Odd")
    assert found.verdict == "fail"
    codes = [finding.code for finding in found.layers[0].findings]
    assert codes[:1] == [code] if code else not {"RC601", "RC603", "RC604"} & set(codes)
