"""Whatever the layer: rules can be asked of it, none speaks where it is right, and none raises where it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from compare.test_power_laws import CASES, WHOLE
from hypothesis import given, settings
from hypothesis import strategies as st
from support.laws import CONTEXT, draw_inputs, run_row

from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.engine import diagnose
from refconv.diagnose.observation import Observation
from refconv.diagnose.rule import Question
from refconv.graph import Node, Origin
from refconv.ops.slots import quantizers
from refconv.reference.forward import NodeWeights


@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=1)
@given(data=st.data())
def test_any_layer_can_be_asked(name: str, data: st.DataObject) -> None:
    drawn = data.draw(CASES[name])
    seed, keras = data.draw(st.integers(0, 2**16)), data.draw(st.sampled_from(drawn.majors))
    run = run_row(name, drawn.config, draw_inputs(drawn, seed), keras, seed, drawn.package)
    if any(q.random for q in quantizers(run.attrs).values()):
        return
    slots = run.row.slots(run.attrs, run.weights) if run.row.slots else {}
    held = NodeWeights(run.weights, {n: slot.effective for n, slot in slots.items()})
    node = Node(1, "layer", name, run.attrs, (), Origin(name, "keras3", drawn.config))
    case = Case(node, held.applied, run.inputs, run.weights)
    right = [e.mid.astype(np.float32) if e.mid.dtype.kind == "f" else e.mid for e in case.enclose(CONTEXT)]
    question = Question(case, tuple(map(Observation, right)), effective=held.effective, recorded=held.applied)
    answer = diagnose(question, CONTEXT, seconds=0.5)
    assert answer.before.good and not answer.found
    wrong = [np.where(y != 0, y * 3 + 1, 7).astype(y.dtype) for y in right]
    answer = diagnose(replace(question, observed=tuple(map(Observation, wrong))), CONTEXT, seconds=0.2)
    assert all(one.fit.good for one in answer.found)
    assert all(attempt.left > 1 for attempt in answer.tried)
