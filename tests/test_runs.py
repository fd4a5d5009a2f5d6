"""The reference's own runs: ahead of the framework or beside it, they are the same."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from refconv import formats
from refconv.graph import Graph
from refconv.ops.base import Context
from refconv.primitives.numpy_engine import ENGINE
from refconv.reference import runs as module
from refconv.reference.forward import weights_of
from refconv.reference.runs import Runs

X = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    layers = keras.layers
    x = keras.Input((8, 8, 3))
    y = layers.Add(name="sum")([layers.Conv2D(3, 3, padding="same", name="conv")(x), x])
    model = keras.Model(x, layers.Dense(2, name="head")(layers.Flatten(name="flat")(y)))
    path = tmp_path_factory.mktemp("runs") / "model.keras"
    model.save(path)
    return formats.load(path)


def finish(graph: Graph, found: Runs, sigma: float) -> dict[str, Any]:
    values = {}
    for node in graph.nodes[1:]:
        weights = weights_of(node).applied
        values[node.name] = found.values(node, weights).values
        found.go_on(node, weights, values[node.name], (sigma,))
    return values


def runs(graph: Graph) -> Runs:
    return Runs(graph, [X], Context(ENGINE), shadows=True)


def test_ahead_and_beside_give_the_same_values(graph: Graph):
    early, late = runs(graph), runs(graph)
    early.ahead(lambda node: True, lambda: False)
    a, b = finish(graph, early, 0.0), finish(graph, late, 0.0)
    for name in a:
        np.testing.assert_array_equal(a[name][0], b[name][0])
    np.testing.assert_array_equal(early.results()[0][0], late.results()[0][0])


def test_runs_ahead_are_disturbed_by_the_layers_own_bounds(graph: Graph):
    early = runs(graph)
    early.ahead(lambda node: True, lambda: False)
    finish(graph, early, 1e9)  # of what was computed ahead nothing is disturbed again
    exact, rounding = early.results()
    errors = [np.abs(outputs[0] - exact[0]).max() for outputs in rounding]
    assert len(errors) == module.SHADOWS
    assert all(1e-9 < error < 1e-4 for error in errors)


def test_ahead_stops_where_the_framework_is_needed_or_has_come(graph: Graph, monkeypatch: pytest.MonkeyPatch):
    for ready, stop in ((lambda node: node.name != "sum", lambda: False), (lambda node: True, lambda: True)):
        found = runs(graph)
        found.ahead(ready, stop)
        assert set(found._ahead) == ({1} if not stop() else set())
        assert set(finish(graph, found, 0.0)) == {"conv", "sum", "flat", "head"}
    monkeypatch.setattr(module, "AHEAD", 1)
    found = runs(graph)
    found.ahead(lambda node: True, lambda: False)
    assert len(found._ahead) == 1
