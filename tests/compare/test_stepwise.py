"""Recorded steps that contradict the layer are no state of it: nothing is computed from them, and no file is blamed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from refconv.compare.layer import Judgement, judge
from refconv.graph import Node, Origin
from refconv.ops.attributes import build
from refconv.ops.base import Context
from refconv.ops.table import TABLE
from refconv.primitives import engines
from refconv.reference.forward import NodeWeights, forward, step_shapes
from refconv.result import Verdict

CONTEXT = Context(engines.get("numpy"))
RNG = np.random.default_rng(4)
X = RNG.normal(size=(2, 6, 3)).astype(np.float32)
ONE = {"units": 4, "return_sequences": True}


def layer(kind: str) -> tuple[Node, dict[str, np.ndarray]]:
    config: dict[str, Any] = {**ONE, "activation": "tanh", "recurrent_activation": "sigmoid"}
    if kind == "SimpleRNN":
        del config["recurrent_activation"]
    if kind == "Bidirectional":
        config = {"layer": {"class_name": "LSTM", "config": config}, "merge_mode": "concat"}
    attrs = build(TABLE[kind].attributes, config, kind)
    node = Node(1, "layer", kind, attrs, (), Origin(kind, "keras3"))
    shapes = {"kernel": (3, 16), "recurrent_kernel": (4, 16), "bias": (16,)}
    if kind == "SimpleRNN":
        shapes = {"kernel": (3, 4), "recurrent_kernel": (4, 4), "bias": (4,)}
    sides = ("forward_", "backward_") if kind == "Bidirectional" else ("",)
    return node, {
        side + name: RNG.normal(0, 0.4, shape).astype(np.float32) for side in sides for name, shape in shapes.items()
    }


def run(kind: str) -> tuple[Node, dict[str, np.ndarray], tuple[np.ndarray, ...], dict[str, np.ndarray]]:
    """The layer, what it gives, and what its steps leave: the reference's own, in float32."""
    node, weights = layer(kind)
    (e,) = forward(node, weights, [X], CONTEXT)
    y = e.mid.astype(np.float32)
    if kind == "SimpleRNN":
        return node, weights, (y,), {"h": y}
    return node, weights, (y,), {name: np.zeros(shape, np.float32) for name, shape in step_shapes(node, X).items()}


def judged(kind: str, change: Any = None, outputs: Any = None) -> Judgement:
    node, weights, got, steps = run(kind)
    if change:
        name = next(iter(steps))
        steps = {**steps, name: change(steps[name])}
    got = tuple(outputs(y) for y in got) if outputs else got
    return judge(node, NodeWeights(weights, {}), {}, [X], got, CONTEXT, steps=steps)


WRONG = {
    "a unit less": lambda s: s[..., 1:],
    "a step less": lambda s: s[:, 1:],
    "one unit for all": lambda s: s[..., :1],  # which would broadcast
    "one step for all": lambda s: s[:, :1],
    "a sample less": lambda s: s[1:],
    "an axis less": lambda s: s[0],
}


def test_steps_that_fit_are_judged() -> None:
    assert judged("SimpleRNN").verdict in (Verdict.WITHIN, Verdict.EXACT)
    wrong = judged("SimpleRNN", lambda s: s + np.float32(1e-3))
    assert wrong.verdict is Verdict.MISMATCH and wrong.outputs


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "Bidirectional"])
@pytest.mark.parametrize("wrong", WRONG)
def test_steps_of_another_shape_leave_the_layer_unverified(kind: str, wrong: str) -> None:
    found = judged(kind, WRONG[wrong])
    assert found.verdict is Verdict.UNVERIFIED
    assert "have shape" in found.reason and "steps (" in found.reason


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "Bidirectional"])
def test_where_the_outputs_have_another_shape_too_it_is_a_mismatch(kind: str) -> None:
    """As if the framework's layer had fewer units than the file's."""
    found = judged(kind, WRONG["a unit less"], lambda y: y[..., 1:])
    assert found.verdict is Verdict.MISMATCH
    assert "outputs have shapes [(2, 6, " in found.reason


def test_outputs_of_another_shape_are_a_mismatch_where_the_steps_fit() -> None:
    found = judged("SimpleRNN", None, lambda y: y[..., 1:])
    assert found.verdict is Verdict.MISMATCH and "shape" in found.reason


def test_widths_are_those_of_each_direction() -> None:
    node, _ = layer("Bidirectional")
    attrs = node.attrs
    wider = replace(attrs.layer, attrs=replace(attrs.layer.attrs, units=7, go_backwards=True))
    other = replace(node, attrs=replace(attrs, backward_layer=wider))
    assert {name: shape[2] for name, shape in step_shapes(other, X).items()} == {
        "forward h": 4,
        "forward c": 4,
        "backward h": 7,
        "backward c": 7,
    }
