"""Whatever the layer: rules can be asked of it, none speaks where it is right, and none raises where it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from compare.test_power_laws import CASES, WHOLE
from hypothesis import given, settings
from hypothesis import strategies as st
from support.laws import CONTEXT, draw_inputs, run_row
from support.laws import Case as Drawn

from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.engine import diagnose
from refconv.diagnose.observation import Observation
from refconv.diagnose.rule import Question
from refconv.graph import Node, Origin
from refconv.ops.slots import quantizers
from refconv.reference.forward import NodeWeights, step_shapes, stepwise


@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=1)
@given(data=st.data())
def test_any_layer_can_be_asked(name: str, data: st.DataObject) -> None:
    drawn = data.draw(CASES[name])
    question = right(name, drawn, data.draw(st.integers(0, 2**16)), data.draw(st.sampled_from(drawn.majors)))
    if question is not None:
        speaks_only_where_it_is_wrong(question)


UNITS = {"units": 4, "return_sequences": True}
FILTERS = {"filters": 2, "kernel_size": [3], "padding": "same"}


def both_ways(name: str) -> dict[str, Any]:
    inner = {"module": "keras.layers", "class_name": name, "config": {"name": "one", **UNITS}, "registered_name": None}
    return {"layer": inner}


# Of QKeras, tests/ops/test_qkeras_recurrent.py asks.
STEPWISE = {
    **{name: Drawn(UNITS, ((2, 5, 3),)) for name in ("LSTM", "GRU", "SimpleRNN")},
    **{f"Bidirectional {name}": Drawn(both_ways(name), ((2, 5, 3),)) for name in ("LSTM", "GRU")},
    "ConvLSTM1D": Drawn(FILTERS, ((2, 3, 6, 2),)),
}


@pytest.mark.parametrize("name", STEPWISE)
@pytest.mark.parametrize("keras", [2, 3])
def test_any_layer_made_of_steps_can_be_asked(name: str, keras: int) -> None:
    question = right(name.split()[0], STEPWISE[name], 7, keras)
    assert question is not None and len(question.observed) > 1
    speaks_only_where_it_is_wrong(question)


def right(name: str, drawn: Drawn, seed: int, keras: int) -> Question | None:
    """Of a call that gives what the reference does; None where it draws numbers."""
    run = run_row(name, drawn.config, draw_inputs(drawn, seed), keras, seed, drawn.package)
    if any(q.random for q in quantizers(run.attrs).values()):
        return None
    slots = run.row.slots(run.attrs, run.weights) if run.row.slots else {}
    held = NodeWeights(run.weights, {n: slot.effective for n, slot in slots.items()})
    node = Node(1, "layer", name, run.attrs, (), Origin(name, "keras3", drawn.config))
    case = Case(node, held.applied, run.inputs, run.weights)
    if run.row.steps:
        case = replace(case, steps=own_steps(case))
    observed = [e.mid.astype(np.float32) if e.mid.dtype.kind == "f" else e.mid for e in case.enclose(CONTEXT)]
    return Question(
        case, tuple(map(Observation, observed)), effective=held.effective, recorded=held.applied if slots else {}
    )


def own_steps(case: Case) -> dict[str, np.ndarray]:
    """What the reference's steps leave: from zeros on, each pass makes one more of them right."""
    steps = {n: np.zeros(shape, np.float32) for n, shape in step_shapes(case.node, case.inputs[0]).items()}
    while True:
        found = stepwise(case.node, case.weights, case.inputs, steps, CONTEXT).steps
        after = {name: found[name].mid.astype(np.float32) for name in steps}
        if all(np.array_equal(after[name], steps[name], equal_nan=True) for name in steps):
            return steps
        steps = after


def speaks_only_where_it_is_wrong(question: Question) -> None:
    answer = diagnose(question, CONTEXT, seconds=0.5)
    assert answer.before.good and not answer.found
    values = [observation.values for observation in question.observed]
    wrong = [np.where(y != 0, y * 3 + 1, 7).astype(y.dtype) for y in values]
    answer = diagnose(replace(question, observed=tuple(map(Observation, wrong))), CONTEXT, seconds=0.2)
    assert all(one.fit.good for one in answer.found)
    assert all(attempt.left > 1 for attempt in answer.tried)
