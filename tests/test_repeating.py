"""Runs of the same pass: a layer that does not repeat its bits is flagged, and judged in every run."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from support.framework import framework, trace_of

from refconv.cli import main
from refconv.compare.again import others, variation
from refconv.formats import load
from refconv.frameworks.worker.capture import Session, capture, same_bits
from refconv.frameworks.worker.channel import Channel
from refconv.ops.registered import forget
from refconv.pipeline import Options, verify
from refconv.result import Variation
from refconv.trace import Again, Call, Trace

X = np.random.default_rng(3).normal(size=(3, 6)).astype(np.float32)

# In eager mode the layer's own Python runs at every call, so that later ones can be told from earlier ones.
CODE = """
import keras
import tensorflow as tf

calls = []

@keras.saving.register_keras_serializable("mine")
class Wobbly(keras.layers.Layer):
    def __init__(self, step=0.0, after=0, **rest):
        super().__init__(**rest)
        self.step, self.after = step, after

    def call(self, x):
        if tf.executing_eagerly():
            calls.append(1)
        return x * (3.0 + (self.step if len(calls) > self.after else 0.0))

    def get_config(self):
        return {**super().get_config(), "step": self.step, "after": self.after}
"""
REFERENCE = """
import numpy as np, refconv

def forward(config, weights, inputs, ops):  # as a sum, whose rounding may be seen
    return ops.matmul(inputs[0], 3 * np.eye(inputs[0].mid.shape[-1], dtype=np.float32))

refconv.register("Wobbly", forward)
"""
LAST_BITS, WRONG = 2.0**-22, 1e-3  # 3 + 2⁻²² is the next float32 after 3


@pytest.fixture
def code(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "mine_wobbly.py"
    path.write_text(CODE)
    (tmp_path / "reference_wobbly.py").write_text(REFERENCE)
    yield path
    forget("Wobbly")


def saved(code: Path, step: float, after: int) -> Path:
    """Dense, the layer that is another one after some calls, and a Dense that is fed what it gives."""
    space: dict[str, Any] = {}
    exec(code.read_text(), space)
    x = keras.Input(X.shape[1:])
    y = space["Wobbly"](step, after, name="wobbly")(keras.layers.Dense(5, name="before")(x))
    model = keras.Model(x, keras.layers.Dense(2, name="after")(y))
    path = code.parent / "model.keras"
    model.save(path)
    return path


def checked(
    code: Path, capsys: pytest.CaptureFixture[str], step: float, after: int, *options: str
) -> tuple[Any, str, dict[str, Any]]:
    """Exit status, what was printed and the JSON report; in each run `predict` comes before what is recorded."""
    report = code.parent / "report.json"
    given = [
        "check",
        str(saved(code, step, after)),
        "--mode",
        "eager",
        "--trust-code",
        str(code),
        "--json",
        str(report),
    ]
    reference = ["--reference", str(code.parent / "reference_wobbly.py")]
    with pytest.raises(SystemExit) as ended:
        main([*given, *reference, *options])
    return ended.value.code, capsys.readouterr().out, json.loads(report.read_text()) if report.exists() else {}


def test_a_layer_with_noise_in_its_last_bits_is_flagged_and_passes(
    code: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, text, report = checked(code, capsys, LAST_BITS, 4, "--repeat", "3")
    assert status == 0, text
    before, wobbly, after = report["layers"]
    assert (before["nondeterministic"], wobbly["nondeterministic"], after["nondeterministic"]) == (False, True, False)
    assert wobbly["variation"]["runs"] == 2 and 0 < wobbly["variation"]["largest"] < 1e-5
    assert not after["variation"]["own"]  # it was fed other numbers
    assert "* not deterministic: " in text and "1 nondeterministic" in text and "3 runs" in text


def test_one_run_does_not_tell(code: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text, report = checked(code, capsys, LAST_BITS, 1)
    assert status == 0, text
    assert not any(layer["nondeterministic"] or "variation" in layer for layer in report["layers"])


def test_a_run_that_leaves_the_bound_fails_although_the_first_is_right(
    code: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, text, report = checked(code, capsys, WRONG, 3, "--repeat", "2")
    assert status == 1, text
    wobbly = report["layers"][1]
    assert wobbly["verdict"] == "mismatch" and wobbly["nondeterministic"]
    assert "run 2 of the same pass, not the first" in wobbly["reason"]


def recorded(model: Any, repeat: int, budget: int = 1 << 30) -> Trace:
    stream = io.BytesIO()
    session = Session(framework(keras), model, [X], "eager")
    capture(session, budget, Channel(stream), repeat=repeat)
    return trace_of(stream)


def plain_model() -> Any:
    layers = keras.layers
    return keras.Sequential([keras.Input(X.shape[1:]), layers.Dense(5, name="a"), layers.ReLU(name="b")])


def wobble(layer: Any, every: int = 1) -> None:
    """From now on each call of the live layer, `every` of them counted, gives other last bits."""
    original, calls = layer.call, []

    def call(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        return original(*args, **kwargs) * (1.0 + 2.0**-22 * (len(calls) // every % 2))

    vars(layer)["call"] = call


def test_where_all_runs_agree_nothing_more_is_sent() -> None:
    model = plain_model()
    once, thrice = recorded(model, 1), recorded(model, 3)
    assert thrice.again == [] and thrice.plain_again == {}
    assert set(thrice.tensors) == set(once.tensors)


@pytest.mark.parametrize("budget", [1, 1 << 30])
def test_what_differs_is_sent_with_keys_of_its_own(budget: int) -> None:
    model = plain_model()
    wobble(model.get_layer("a"))
    trace = recorded(model, 2, budget)
    assert {(again.run, again.call.layer) for again in trace.again} == {(1, "a"), (1, "b")}
    again = {a.call.layer: a.call for a in trace.again}
    first = {call.layer: call for call in trace.calls}
    assert again["a"].inputs == first["a"].inputs  # the same bits: sent once
    for layer in "ab":
        one, other = (trace.tensors[calls[layer].outputs[0]] for calls in (first, again))
        assert not same_bits(one, other) and np.allclose(one, other, rtol=1e-6)
    found = {call.layer: variation(call, others(call, trace), trace) for call in trace.calls}
    assert found["a"].own and (budget == 1 or not found["b"].own)


def test_the_plain_run_that_drifts_farthest_is_judged(tmp_path: Path) -> None:
    model = plain_model()
    model.save(tmp_path / "model.keras")
    trace = recorded(model, 1)
    graph = load(tmp_path / "model.keras")
    right = verify(graph, trace, [X], Options()).plain
    trace.plain_again[1] = [trace.plain[0] + np.float32(0.5)]
    wrong = verify(graph, trace, [X], Options()).plain
    assert right is not None and right.ok
    assert wrong is not None and not wrong.ok and wrong.max_abs_difference == pytest.approx(0.5)


def test_a_variation_is_the_layer_s_own_only_where_it_was_fed_the_same() -> None:
    one, two = np.zeros(3, np.float32), np.array([0, 0, 0.5], np.float32)
    call = Call("a", 0, "Dense", ("x",), ("y",))
    trace = Trace(tensors={"x": one, "x~1": two, "y": one, "y~1": two, "y~2": two + 1})

    def other(run: int, inputs: str, outputs: str) -> Again:
        return Again(run, Call("a", 0, "Dense", (inputs,), (outputs,)))

    assert variation(call, [], trace) is None
    assert variation(call, [other(1, "x~1", "y")], trace) is None
    assert variation(call, [other(1, "x~1", "y~1")], trace) == Variation(1, 0.5, own=False)
    assert variation(call, [other(1, "x", "y~1"), other(2, "x~1", "y~2")], trace) == Variation(2, 1.5, own=True)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [([0.0], [-0.0], False), ([np.nan], [np.nan], True), ([1.0], [1.0], True), ([1.0], [[1.0]], False)],
)
def test_bits(one: Any, other: Any, same: bool) -> None:
    assert same_bits(np.array(one, np.float32), np.array(other, np.float32)) is same
    assert not same_bits(np.array(one, np.float32), np.array(one, np.float64))
