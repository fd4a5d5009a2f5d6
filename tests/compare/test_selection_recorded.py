"""Which layers are judged, and why one is not, from the trace alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from refconv.compare.declared import SINGLE, Declared
from refconv.compare.recorded import judge_call, seen_of
from refconv.compare.selection import select
from refconv.errors import BadInput
from refconv.graph import Ref
from refconv.ops.base import Context
from refconv.primitives import engines
from refconv.reference.forward import NodeWeights
from refconv.result import Verdict
from refconv.trace import Call, Trace

CONTEXT = Context(engines.get("numpy"))
WEIGHTS = NodeWeights({}, {})
FLATTEN: Any = SimpleNamespace(type="Flatten", attrs=SimpleNamespace(data_format="channels_last"), inputs=(Ref(0),))


def graph(*kinds: str) -> Any:
    def node(index: int, kind: str) -> Any:
        origin = SimpleNamespace(class_name=kind)
        return SimpleNamespace(index=index, name=f"{kind.lower()}_{index}", type=kind, origin=origin)

    return SimpleNamespace(nodes=[node(i, k) for i, k in enumerate(kinds)], inputs=(0,), path="m.h5")


def test_globs_select_layers_and_no_inputs() -> None:
    model = graph("InputLayer", "Conv2D", "Dense", "Dense")
    assert select(model, ()) == {1, 2, 3}
    assert select(model, ["dense*"]) == {2, 3}
    assert select(model, ["conv2d_1", "*_3"]) == {1, 3}


def test_a_glob_that_matches_nothing_is_told_with_the_names() -> None:
    for glob in ("lstm*", "inputlayer*"):
        with pytest.raises(BadInput, match="no layer matches"):
            select(graph("InputLayer", "Dense"), ["dense*", glob])


def trace(*inputs: str) -> tuple[Call, Trace]:
    call = Call("flatten", 0, "Flatten", inputs, ("y",))
    x = np.arange(8, dtype=np.float32).reshape(1, 2, 4)
    return call, Trace(calls=[call], tensors={"x": x, "y": x.reshape(1, 8)})


def judged(call: Call | None, given: Trace, declared: Declared) -> tuple[Verdict, str]:
    found = judge_call(FLATTEN, call, WEIGHTS, declared, given, CONTEXT)
    return found.verdict, found.reason


def test_a_recorded_call_is_judged_on_its_own_tensors() -> None:
    known, unknown = Declared("float32", (SINGLE,)), Declared("", (), "it ran on a toaster")
    call, given = trace("x")
    assert seen_of(FLATTEN, call, given).outputs[0] is given.tensors["y"]
    assert judged(call, given, known)[0] is Verdict.EXACT
    given.tensors["y"] = given.tensors["y"][:, ::-1]
    assert judged(call, given, known)[0] is Verdict.MISMATCH
    assert judged(call, given, unknown) == (Verdict.UNVERIFIED, "it ran on a toaster")
    assert judged(None, given, known) == (Verdict.UNVERIFIED, "the framework gave no output for this layer")
    assert "could not be matched" in judged(*trace(), known)[1]
