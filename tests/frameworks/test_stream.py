"""A trace that arrives pass by pass: what is there when, what is forgotten, and what a failure leaves."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from support.framework import record, trace_of

from refconv import formats
from refconv.errors import FrameworkError
from refconv.frameworks import stream as module
from refconv.frameworks.failure import LayerFailed, as_error
from refconv.frameworks.process import Frame
from refconv.frameworks.stream import Stream
from refconv.pipeline import Options, verify
from refconv.pipeline.calls import Calls
from refconv.trace import read_frames

X = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)


def model() -> Any:
    layers = keras.layers
    shared = layers.Dense(4, name="shared")
    x = keras.Input((8, 8, 3))
    y = layers.Conv2D(4, 3, name="conv")(x)
    y = shared(shared(layers.ReLU(name="relu")(y)))
    return keras.Model(x, layers.Dense(2, name="head")(layers.Flatten(name="flat")(y)))


def frames(budget: int) -> list[Frame]:
    stream = io.BytesIO()
    record(keras, model(), X, budget=budget, stream=stream)
    return list(read_frames(io.BytesIO(stream.getvalue())))


def streamed(sent: Iterator[Frame]) -> Stream:
    return Stream(sent, lambda header, trace: as_error(header, "model", 3, trace), lambda what, share: None)


def tensors(stream: Stream) -> int:
    return len(stream.trace.tensors)


def test_all_passes_together_are_the_trace():
    sent = frames(budget=1)
    whole = io.BytesIO()
    live = model()
    trace = record(keras, live, X, budget=1, stream=whole)
    found = streamed(iter([*read_frames(io.BytesIO(whole.getvalue())), ({"kind": "done"}, None)])).all()
    assert [c.layer for c in found.calls] == [c.layer for c in trace.calls] == [c.layer for c in trace_of(whole).calls]
    assert found.planned == {"conv": 1, "relu": 1, "shared": 2, "flat": 1, "head": 1}
    assert sum(header["kind"] == "passed" for header, _ in sent) == 6


def test_a_pass_is_read_when_it_is_asked_for_and_forgotten_afterwards():
    stream = streamed(iter(frames(budget=1)))
    assert stream.more()
    first = [call.layer for call in stream.trace.calls]
    assert first == ["conv"]
    held = tensors(stream)
    stream.forget(stream.trace.calls[0])
    assert tensors(stream) < held
    most = 0
    while stream.more():
        most = max(most, tensors(stream))
        stream.forget(stream.trace.calls[-1])
    assert most <= 3
    assert len(stream.trace.calls) == 6


def test_calls_of_one_pass_arrive_one_by_one_where_they_are_large(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "AT_ONCE", 0)
    stream = streamed(iter(frames(budget=1 << 30)))
    met, held = [], []
    while stream.more():
        if len(stream.trace.calls) > len(met):
            call = stream.trace.calls[-1]
            assert all(key in stream.trace.tensors for key in call.keys)  # what came before it is still there
            held.append(tensors(stream))
            stream.forget(call)
            met.append(call.layer)
    assert met == ["conv", "relu", "shared", "shared", "flat", "head"]
    assert held == [2] * 6
    assert tensors(stream) == 0


def test_a_tensor_that_another_call_needs_is_kept():
    stream = streamed(iter(frames(budget=1 << 30)))
    stream.more()
    conv, relu = stream.trace.calls[:2]
    assert set(conv.outputs) == set(relu.inputs)
    stream.forget(conv)
    assert set(relu.inputs) <= set(stream.trace.tensors)
    assert not set(conv.inputs) & set(stream.trace.tensors)
    stream.forget(relu)
    assert not set(relu.inputs) & set(stream.trace.tensors)


def test_nothing_beyond_the_first_pass_is_read_unasked():
    taken: list[str] = []

    def sent() -> Iterator[Frame]:
        for frame in frames(budget=1):
            taken.append(frame[0]["kind"])
            yield frame

    stream = streamed(sent())
    stream.more()
    assert taken.count("passed") == 1


def test_a_parent_may_compute_while_the_first_pass_is_awaited():
    go_on = threading.Event()

    def sent() -> Iterator[Frame]:
        go_on.wait(10)
        yield from frames(budget=1 << 30)

    stream = streamed(sent())
    assert not stream.ready()
    go_on.set()
    stream.more()
    assert stream.ready()


ERROR = {"kind": "error", "reason": "layer", "layer": "relu", "what": "no such kernel", "missing": ""}


def test_a_layer_that_fails_leaves_what_came_before_it():
    sent = frames(budget=1)
    ends = [i for i, (header, _) in enumerate(sent) if header["kind"] == "passed"]
    again = [frame for frame in sent[: ends[0] + 1] if frame[0]["kind"] != "plain"]  # the passes start anew
    stream = streamed(iter([*sent[: ends[1] + 1], *again, (ERROR, None)]))
    trace = stream.all()
    assert [call.layer for call in trace.calls] == ["conv", "relu"]
    assert "cannot run layer relu: no such kernel" in str(stream.failure)


@pytest.mark.parametrize("reason", ["layer", "load"])
def test_a_failure_with_nothing_before_it_is_raised(reason: str):
    stream = streamed(iter([({**ERROR, "reason": reason}, None)]))
    with pytest.raises(LayerFailed if reason == "layer" else FrameworkError, match="no such kernel"):
        stream.more()


def test_a_call_of_a_shared_layer_waits_for_all_of_them(tmp_path: Any):
    model().save(tmp_path / "model.keras")
    graph = formats.load(tmp_path / "model.keras")
    stream = streamed(iter(frames(budget=1)))
    calls = Calls(graph, stream)
    found = {}
    for node in graph.nodes[1:]:
        call = found[node.name] = calls.of(node)
        assert set(call.outputs) <= set(stream.trace.tensors)
        if node.name == "shared":
            assert [c.layer for c in stream.trace.calls].count("shared") == 2
        calls.forget(call)
    assert found["shared"].call == 0
    assert found["shared#1"].call == 1


def test_pass_by_pass_gives_the_verdicts_of_the_whole(tmp_path: Any):
    live = model()
    live.save(tmp_path / "model.keras")
    graph = formats.load(tmp_path / "model.keras")
    verdicts = [
        [layer.verdict for layer in verify(graph, record(keras, live, X, budget=budget), [X], Options()).layers]
        for budget in (1, 1 << 30)
    ]
    assert verdicts[0] == verdicts[1]
