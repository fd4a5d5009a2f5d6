"""A batch in slices: how large they are, and that nothing of what they find is lost or moved."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from support.crafted import layer, sequential, source, write_h5
from support.framework import record

from refconv import formats
from refconv.frameworks.failure import as_error
from refconv.frameworks.stream import Stream
from refconv.graph import Graph
from refconv.ops.base import Context
from refconv.pipeline import Options
from refconv.pipeline.model import _result
from refconv.pipeline.slices import Slices
from refconv.primitives.numpy_engine import ENGINE
from refconv.reference import slicing
from refconv.reference.slicing import slice_size
from refconv.result import CheckResult, LayerResult, Verdict
from refconv.trace import read_frames

X = np.random.default_rng(0).normal(size=(5, 8, 8, 3)).astype(np.float32)
CONTEXT = Context(ENGINE)


def model() -> Any:
    layers = keras.layers
    x = keras.Input((8, 8, 3))
    y = layers.Conv2D(4, 3, name="conv")(x)
    y = layers.ReLU(name="relu")(y)
    return keras.Model(x, layers.Dense(2, name="head")(layers.Flatten(name="flat")(y)))


@pytest.fixture(scope="module")
def live() -> Any:
    return model()


@pytest.fixture(scope="module")
def graph(live: Any, tmp_path_factory: pytest.TempPathFactory) -> Graph:
    path = tmp_path_factory.mktemp("slices") / "model.keras"
    live.save(path)
    return formats.load(path)


Fault = Any


def frames(live: Any, size: int, mode: str, fault: Fault) -> list[Any]:
    """What the worker sends, with a fault in the tensors (slice, array) of the convolution's output."""
    stream, sent, number = io.BytesIO(), [], 0
    record(keras, live, X, stream=stream, size=size, mode=mode)
    for header, array in read_frames(io.BytesIO(stream.getvalue())):
        number += header["kind"] == "slice"
        if header["kind"] == "tensor" and array is not None and array.shape[1:] == (6, 6, 4):
            array = fault(number, array.copy())
        sent.append((header, array))
    return [*sent, ({"kind": "done"}, None)]


def check(
    graph: Graph,
    live: Any,
    size: int,
    *,
    mode: str = "graph",
    fault: Fault = lambda number, array: array,
    told: list[LayerResult] | None = None,
    **options: Any,
) -> CheckResult:
    sent = iter(frames(live, size, mode, fault))
    stream = Stream(sent, lambda header, trace: as_error(header, "model", 3, trace), lambda what, share: None)
    context = replace(CONTEXT, spread=options.get("spread", False))
    slices = Slices(graph, stream, [X], size or len(X), context, Options(mode=mode, **options), frozenset(range(9)))
    return _result(slices, lambda what, share: None, None if told is None else told.append)


@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_slices_together_are_the_whole(graph: Graph, live: Any, mode: str):
    told: list[LayerResult] = []
    whole, cut = check(graph, live, 0, mode=mode), check(graph, live, 2, mode=mode, told=told)
    assert cut.verdict == whole.verdict == "pass"
    assert [(r.name, r.shape, r.verdict) for r in cut.layers] == [(r.name, r.shape, r.verdict) for r in whole.layers]
    assert tuple(told) == cut.layers  # each is told once, for all samples
    assert cut.plain is not None
    assert whole.plain is not None
    assert cut.plain.max_abs_difference == pytest.approx(whole.plain.max_abs_difference, abs=1e-6)


def off(number: int, array: np.ndarray) -> np.ndarray:
    """Wrong in the last of three slices, which holds sample 4 alone."""
    if number == 2:
        array[0, 2, 3, 1] += 1.0
    return array


def test_a_fault_in_the_last_sample_is_found_in_its_place(graph: Graph, live: Any):
    result = check(graph, live, 2, fault=off)
    assert result.verdict == "fail"
    conv = result.layers[0]
    assert (conv.verdict, conv.shape) == (Verdict.MISMATCH, (5, 6, 6, 4))
    assert conv.worst.worst.index == (4, 2, 3, 1)
    assert conv.worst.failing == 1


def test_errors_of_all_slices_are_in_one_map(graph: Graph, live: Any):
    result = check(graph, live, 2, fault=off, spread=True)
    for found in result.layers:
        assert sum(found.outputs[0].spread.counts) == np.prod(found.shape)
    conv = result.layers[0].outputs[0]
    grid = np.array(conv.spread.grid)
    assert conv.spread.place(conv.worst.index) == np.unravel_index(grid.argmax(), (6, 6)) == (2, 3)
    assert grid.max() == conv.bound_used and np.sum(grid > 1) == conv.spread.counts[-1] == conv.failing == 1
    assert check(graph, live, 2).layers[0].outputs[0].spread is None


def test_no_more_is_judged_after_the_first_that_fails(graph: Graph, live: Any):
    told: list[LayerResult] = []
    result = check(graph, live, 2, fault=lambda number, array: array + 1.0, told=told, fail_fast=True)
    assert [r.name for r in result.layers] == [r.name for r in told] == ["conv"]
    assert result.partial
    assert result.plain is None


def test_power_is_that_of_the_first_samples(graph: Graph, live: Any):
    cut = check(graph, live, 2, power=True)
    assert cut.layers[0].power.caught
    assert cut.layers[0].verdict in (Verdict.WITHIN, Verdict.EXACT)


class TestSize:
    """conv and ReLU give 144 numbers each, flatten as many, head 2: 434 a sample."""

    @pytest.mark.parametrize(
        ("held", "expected"), [(1, 1), (433, 1), (2 * 434, 2), (3 * 434, 3), (4 * 434, 3), (5 * 434, 5), (1 << 30, 5)]
    )
    def test_slices_are_about_equal(self, graph: Graph, monkeypatch: pytest.MonkeyPatch, held: int, expected: int):
        monkeypatch.setattr(slicing, "HELD", held)
        assert slice_size(graph, [X], CONTEXT) == expected

    def test_one_sample_is_not_run_to_be_measured(self, graph: Graph, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(slicing, "HELD", 1)
        monkeypatch.setattr(slicing, "forward", None)
        assert slice_size(graph, [X[:1]], CONTEXT) == 1


def stored(tmp_path: Any, *layers: Any, fixed: int | None = None) -> Graph:
    """A QKeras file without weights."""
    batch = (fixed, 8, 8, 3)
    config = sequential(source(shape=batch), *layers)
    return formats.load(write_h5(tmp_path / "model.h5", config, {}))


@pytest.mark.parametrize(
    ("quantizer", "size"),
    [("quantized_bits(4,0,1,alpha=1.0)", 1), ("quantized_bits(4,0,1,alpha='auto')", 5), ("quantized_relu(4)", 1)],
)
def test_what_takes_its_scale_from_the_batch_stays_together(tmp_path, monkeypatch, quantizer: str, size: int):
    monkeypatch.setattr(slicing, "HELD", 1)
    graph = stored(tmp_path, layer("QActivation", "q", activation=quantizer))
    assert slice_size(graph, [X], CONTEXT) == size


def test_a_batch_that_the_file_fixes_stays_together(tmp_path, monkeypatch):
    monkeypatch.setattr(slicing, "HELD", 1)
    relu = layer("ReLU", "r")
    assert slice_size(stored(tmp_path, relu, fixed=5), [X], CONTEXT) == 5
    assert slice_size(stored(tmp_path, relu), [X], CONTEXT) == 1
