"""A graph without some of its layers: what is left of it, in which order, and what it asks for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.crafted import called, dense, functional, layer, source, write_h5

import refconv
from refconv.errors import UnreadableModel
from refconv.formats import load
from refconv.formats.cut import cut
from refconv.graph import Graph


def graph_of(folder: Path) -> Graph:
    """a → first → middle → last, and first + last; b beside the last one's input."""
    layers = [
        called(source("a")),
        called(source("b")),
        called(dense("first", 4), [["a", 0, 0, {}]]),
        called(dense("middle", 4), [["first", 0, 0, {}]]),
        called(layer("Multiply", "last"), [["middle", 0, 0, {}], ["b", 0, 0, {}]]),
        called(layer("Add", "sum"), [["first", 0, 0, {}], ["last", 0, 0, {}]]),
    ]
    eye, zero = np.eye(4, dtype=np.float32), np.zeros(4, np.float32)
    weights = {n: {f"{n}/kernel:0": k * eye, f"{n}/bias:0": zero} for n, k in (("first", 2), ("middle", 3))}
    config = functional(layers, [["a", 0, 0], ["b", 0, 0]], [["sum", 0, 0], ["middle", 0, 0]])
    return load(write_h5(folder / "m.h5", config, weights))


def index(graph: Graph, name: str) -> int:
    return next(node.index for node in graph.nodes if node.name == name)


def outputs(graph: Graph) -> list[str]:
    return [graph.nodes[ref.node].name for ref in graph.outputs]


def test_what_stood_behind_is_an_input_and_what_stood_before_an_output(tmp_path: Path) -> None:
    graph = graph_of(tmp_path)
    left = cut(graph, {index(graph, "middle"): (None, 4)})
    assert [spec.name for spec in left.graph.specs] == ["a", "b", "middle"]
    assert outputs(left.graph) == ["sum", "first"]
    assert [node.name for node in left.removed] == ["middle"] and left.entries == {"middle": "middle"}
    assert [node.index for node in left.graph.nodes] == list(range(len(left.graph.nodes)))
    a, b, behind = (np.full((1, 4), v, np.float32) for v in (1, 10, 7))
    run = refconv.run(left.graph, [a, b, behind])
    assert run["sum"].mid.tolist() == [[72] * 4]  # 2·1 + 7·10


def test_an_input_that_leads_nowhere_goes_with_the_layer(tmp_path: Path) -> None:
    graph = graph_of(tmp_path)
    left = cut(graph, {index(graph, "first"): (None, 4)})
    assert [spec.name for spec in left.graph.specs] == ["b", "first"]
    assert outputs(left.graph) == ["sum", "middle"]


def test_a_last_layer_has_nothing_behind_it(tmp_path: Path) -> None:
    graph = graph_of(tmp_path)
    left = cut(graph, {index(graph, "sum"): (None, 4)})
    assert [spec.name for spec in left.graph.specs] == ["a", "b"] and left.entries == {}
    assert outputs(left.graph) == ["middle", "first", "last"]


def test_layers_one_behind_the_other(tmp_path: Path) -> None:
    graph = graph_of(tmp_path)
    gone = {index(graph, name): (None, 4) for name in ("first", "middle")}
    left = cut(graph, gone)
    assert [spec.name for spec in left.graph.specs] == ["b", "first", "middle"]
    assert outputs(left.graph) == ["sum"] and [node.name for node in left.removed] == ["first", "middle"]


def test_nothing_taken_out_leaves_the_graph_itself(tmp_path: Path) -> None:
    graph = graph_of(tmp_path)
    assert cut(graph, {}).graph is graph


def test_all_taken_out_leaves_nothing(tmp_path: Path) -> None:
    graph = graph_of(tmp_path)
    with pytest.raises(UnreadableModel, match="nothing is left"):
        cut(graph, {node.index: (None, 4) for node in graph.nodes if node.index not in graph.inputs})
