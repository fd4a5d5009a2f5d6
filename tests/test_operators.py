"""Operators that a file holds as layers: each verified beside the framework, and each seen to fail."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
from support.live import capture_live
from support.operated import MAKERS, SHAPE, mixed

from refconv import formats, pipeline
from refconv.compare.counterfactuals.base import Case
from refconv.compare.counterfactuals.table import ROWS
from refconv.compare.layer import judge
from refconv.compare.power import measure
from refconv.graph import Graph
from refconv.ops.base import Context
from refconv.ops.operators.arithmetic import Binary
from refconv.ops.table import TABLE
from refconv.pipeline import Options
from refconv.primitives import engines
from refconv.reference.forward import NodeWeights
from refconv.result import FAILING, CheckResult, Verdict
from refconv.trace import Trace

CONTEXT = Context(engines.get("numpy"))

EVERY = pytest.mark.parametrize("name", MAKERS)
GOOD = (Verdict.EXACT, Verdict.WITHIN)
MODES = pytest.mark.parametrize("mode", ["graph", "eager", "xla"])


@cache
def made(name: str) -> tuple[Any, Graph]:
    """A model, and the graph of its file."""
    keras, make = MAKERS[name]
    model = make()
    with TemporaryDirectory() as folder:
        path = Path(folder) / ("model.keras" if keras == 3 else "model.h5")
        model.save(path)
        graph = formats.load(path)
        assert graph.sha256  # while the file is there
        return model, graph


@cache
def traced(name: str, mode: str) -> tuple[np.ndarray, Trace]:
    x = (np.random.default_rng(0).normal(size=(2, *SHAPE)) * 2).astype(np.float32)
    return x, capture_live(made(name)[0], [x], keras=MAKERS[name][0], mode=mode)


def judged(name: str, mode: str, trace: Trace | None = None) -> CheckResult:
    x, own = traced(name, mode)
    return pipeline.verify(made(name)[1], trace or own, [x], Options(mode=mode))


@EVERY
@MODES
def test_every_operator_is_verified(name: str, mode: str) -> None:
    result = judged(name, mode)
    wrong = {layer.name: layer.reason for layer in result.layers if layer.verdict not in GOOD}
    assert wrong == {}
    assert result.verdict == "pass"
    assert all(layer.type.startswith("ops.") for layer in result.layers)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("major", [2, 3])
@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_mixed_precision(major: int, policy: str, mode: str, tmp_path: Path) -> None:
    """Keras 2's GroupNormalization computes its statistics in 16 bits, of which there is no bound."""
    model = mixed(keras if major == 3 else tf_keras, policy)
    model.save(path := tmp_path / ("model.keras" if major == 3 else "model.h5"))
    x = np.random.default_rng(1).normal(size=(2, *SHAPE)).astype(np.float32)
    trace = capture_live(model, [x], keras=major, mode=mode)
    layers = pipeline.verify(formats.load(path), trace, [x], Options(mode=mode)).layers
    wrong = {layer.type: (layer.reason, layer.worst) for layer in layers if layer.verdict not in GOOD}
    assert set(wrong) == ({"GroupNormalization"} if major == 2 else set())
    assert all(layer.verdict is Verdict.UNVERIFIED for layer in layers if layer.type in wrong)


@EVERY
def test_every_operator_would_be_seen_to_fail(name: str) -> None:
    """Outputs scaled by 1.001, integers moved by 1, truths turned; one depth at a time, whose inputs stay right."""
    (_, graph), (_, trace) = made(name), traced(name, "graph")
    depths: dict[int, int] = {}
    for node in graph.nodes:
        depths[node.index] = 1 + max((depths[ref.node] for ref in node.inputs), default=-1)
    for depth in range(1, max(depths.values()) + 1):
        meant = {node.layer for node in graph.nodes if depths[node.index] == depth}
        keys = {key for call in trace.calls if call.layer in meant for key in call.outputs}
        keys -= {key for call in trace.calls if call.layer in meant for key in call.inputs}  # tf.identity's
        faulty = replace(trace, tensors={k: spoiled(v) if k in keys else v for k, v in trace.tensors.items()})
        found = {layer.name: layer.verdict for layer in judged(name, "graph", faulty).layers}
        assert {layer for layer in meant if found[layer] not in (Verdict.MISMATCH, Verdict.SUSPECT)} == set()


def spoiled(values: np.ndarray) -> np.ndarray:
    if values.dtype == bool:
        return ~values
    return values + 1 if values.dtype.kind in "iu" else values * values.dtype.type(1.001)


@pytest.mark.parametrize("name", ["other operand missing", "operands swapped"])
def test_what_would_have_been_caught_is(name: str) -> None:
    """Every operator of two operands with the fault, and its tensors as the framework gave them."""
    (_, graph), (_, trace) = made("keras3"), traced("keras3", "graph")
    (row,) = (row for row in ROWS if row.name == name and Binary in row.families)
    tried = 0
    for node in graph.nodes:
        call = next((call for call in trace.calls if call.layer == node.layer), None)
        given = tuple(trace.tensors[key] for key in call.inputs) if call else ()
        if not row.concerns(case := Case(node, {}, given)):
            continue
        found = measure(case, CONTEXT)
        got = tuple(e.mid.astype(np.float32) for e in row.alter(case).enclose(CONTEXT))
        if found is not None and name in found.caught:
            tried += 1
            assert judge(node, NodeWeights({}, {}), {}, given, got, CONTEXT).verdict in FAILING, node.name
    assert tried > 2


def test_every_row_of_an_operator_is_tried() -> None:
    used = {node.type for name in MAKERS for node in made(name)[1].nodes}
    assert {name for name in TABLE if name.startswith("ops.")} <= used
