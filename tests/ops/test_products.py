"""EinsumDense, Dot and TimeDistributed by hand: equations, biases, axes, unit vectors, steps; and wrong products."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.laws import CONTEXT
from support.one import holds, run

from refconv.compare.declared import declare
from refconv.compare.operands import enclose, prepare
from refconv.errors import UnreadableModel
from refconv.graph import Node, Origin
from refconv.numerics.enclosure import Enclosure, bounded, point
from refconv.ops.attributes import Unknown, build
from refconv.ops.base import ANY
from refconv.ops.contraction import Labels, einsum, element
from refconv.ops.einsum_dense import equation, shapes
from refconv.ops.table import TABLE

RNG = np.random.default_rng(3)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def attrs(**config: Any) -> Any:
    return build(TABLE["EinsumDense"].attributes, {"output_shape": 1, **config}, "x")


def test_einsum_dense_by_hand() -> None:
    x, kernel = [[[1.0, 2.0], [3.0, 4.0]]], [[[1.0, 10.0]], [[100.0, 1000.0]]]
    config = {"equation": "abc,cde->adbe", "output_shape": [1, 2, 2], "bias_axes": "e"}
    found = run("EinsumDense", config, np.float32(x), kernel=np.float32(kernel), bias=np.float32([0.5, -0.5]))
    assert found.mid.tolist() == [[[[201.5, 2009.5], [403.5, 4029.5]]]]
    assert found.exact


def test_a_bias_of_two_axes_lies_along_both() -> None:
    config = {"equation": "ab,bcd->acd", "output_shape": [2, 3], "bias_axes": "c"}
    bias = np.float32([[1], [2]])
    found = run("EinsumDense", config, np.zeros((1, 4), np.float32), kernel=floats(4, 2, 3), bias=bias)
    assert found.mid.tolist() == [[[1, 1, 1], [2, 2, 2]]]


def test_shapes_of_its_weights() -> None:
    assert shapes(attrs(equation="abc,cde->abde", bias_axes="d")) == {"kernel": (None,) * 3, "bias": (None, 1)}
    assert shapes(attrs(equation="abc,cde->abde")) == {"kernel": (None,) * 3}
    assert shapes(attrs(equation="ab...,bc->ac...", bias_axes="c")) == {"kernel": (None,) * 2, "bias": ANY}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("ab->ac", "an equation such as"),
        (3, "an equation such as"),
        ("...ab,bc->ac", "same side"),
        ("...ab...,bc->...ac...", "same side"),
        ("aab,bc->ac", "twice"),
        ("ab,bc->ad", "size of its own"),
        ("ab,bcd->ac", "size of its own"),
    ],
)
def test_equations_that_are_none(text: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        equation(text)


@pytest.mark.parametrize(
    ("config", "x", "kernel", "bias", "match"),
    [
        ({"equation": "ab,bc->ac", "output_shape": 3}, (2, 4), (5, 3), None, "axis 'b' differs"),
        ({"equation": "ab,bc->ac", "output_shape": 4}, (2, 4), (4, 3), None, r"output_shape \(4,\) does not fit"),
        ({"equation": "ab,bc->ac", "output_shape": 3}, (2, 2, 4), (4, 3), None, "3 dimensions"),
        ({"equation": "ab,bc->ac", "output_shape": 3, "bias_axes": "c"}, (2, 4), (4, 3), (2,), "bias of shape"),
    ],
)
def test_what_does_not_fit_is_named(config: Any, x: Any, kernel: Any, bias: Any, match: str) -> None:
    weights = {"kernel": floats(*kernel), **({"bias": floats(*bias)} if bias else {})}
    with pytest.raises(UnreadableModel, match=match):
        run("EinsumDense", config, floats(*x), **weights)


def test_a_kernel_read_the_other_way_round_is_outside() -> None:
    x, kernel = floats(2, 3, 4), floats(4, 5, 5)
    config = {"equation": "abc,cde->abde", "output_shape": [None, 5, 5]}
    found = run("EinsumDense", config, x, kernel=kernel)
    assert holds(found, np.einsum("abc,cde->abde", x, kernel))
    assert not holds(found, np.einsum("abc,ced->abde", x, kernel))


def test_dot_by_hand() -> None:
    assert run("Dot", {"axes": 1}, [[1.0, 2.0]], [[3.0, 4.0]]).mid.tolist() == [[11]]
    a, b = [[[1.0, 2.0], [3.0, 4.0]]], [[10.0, 100.0]]
    assert run("Dot", {"axes": (1, 1)}, a, b).mid.tolist() == [[310, 420]]
    assert run("Dot", {"axes": (2, -1)}, a, b).mid.tolist() == [[210, 430]]
    assert run("Dot", {"axes": (1, 1)}, b, a).mid.tolist() == [[310, 420]]


def test_unit_vectors() -> None:
    found = run("Dot", {"axes": 1, "normalize": True}, [[3.0, 4.0]], [[0.0, 7.0]])
    assert found.mid[0, 0] == pytest.approx(0.8, abs=1e-15)
    assert 1e-8 < float(np.asarray(found.limit).max()) < 1e-5
    assert not holds(found, [[0.80001]])
    assert not run("Dot", {"axes": 1, "normalize": True}, [[0.0, 0.0]], [[1.0, 1.0]]).mid.any()


def test_a_tiny_vector_may_keep_either_version_s_least_norm() -> None:
    """‖x‖ = 3e-7: Keras 2 divides by 1e-6, Keras 3 by the norm."""
    found = run("Dot", {"axes": 1, "normalize": True}, [[3e-7]], [[1.0]])
    assert holds(found, [[1.0]]) and holds(found, [[0.3]])


@pytest.mark.parametrize(
    ("axes", "shapes", "match"),
    [(1, [(2, 3)], "takes 2 inputs"), (0, [(2, 3), (2, 3)], "no batch"), (1, [(2, 3), (2, 4)], "differs")],
)
def test_dots_that_are_none(axes: int, shapes: Any, match: str) -> None:
    with pytest.raises(UnreadableModel, match=match):
        run("Dot", {"axes": axes}, *(floats(*shape) for shape in shapes))


def test_errors_of_both_operands_reach_the_sum() -> None:
    """0.1·(|3| + |4|) + 0.2·(|1| + |2|) + 2·0.1·0.2, and no more than rounding beside."""
    a, b = (bounded(np.array([row]), r) for row, r in (([1.0, 2.0], 0.1), ([3.0, 4.0], 0.2)))
    found = einsum(Labels("ab", "ab", "a"), a, b, CONTEXT)
    assert found.mid.item() == 11
    assert found.worst.item() == pytest.approx(1.34, rel=1e-5)
    terms, widen = element(Labels("ab", "ab", "a"), a, b, (0,), CONTEXT.arithmetic)
    assert terms.tolist() == [3, 8]
    assert float(widen(Enclosure(np.asarray(11.0))).worst) == pytest.approx(1.34, rel=1e-5)


def test_an_overflow_spreads_to_every_sum() -> None:
    a = Enclosure(np.ones((1, 2)), overflow=np.array([[True, False]]))
    found = einsum(Labels("ab", "bc", "ac"), a, point(np.ones((2, 3))), CONTEXT)
    assert np.all(found.overflow)


def dense_at_every_step(**config: Any) -> dict[str, Any]:
    return {"layer": {"class_name": "Dense", "config": {"units": 1, **config}}}


def test_time_distributed_by_hand() -> None:
    x = np.float32([[[1, 2], [3, 4]], [[5, 6], [7, 8]]])
    found = run("TimeDistributed", dense_at_every_step(), x, kernel=np.float32([[10], [1]]), bias=np.float32([0.5]))
    assert found.mid.tolist() == [[[12.5], [34.5]], [[56.5], [78.5]]]
    assert found.exact


@pytest.mark.parametrize("name", ["LSTM", "Embedding", "QDense", "TimeDistributed", "Functional", "Snowman"])
def test_what_cannot_stand_inside_time_distributed(name: str) -> None:
    with pytest.raises(Unknown, match=f"no reference for {name} inside TimeDistributed"):
        build(TABLE["TimeDistributed"].attributes, {"layer": {"class_name": name, "config": {}}}, "x")


def test_time_distributed_computes_as_the_layer_inside_does() -> None:
    """BatchNormalization keeps float32 weights under a 16-bit policy; only a Dense has terms."""
    row = TABLE["TimeDistributed"]
    dense = build(row.attributes, dense_at_every_step(activation="relu"), "x")
    norm = build(row.attributes, {"layer": {"class_name": "BatchNormalization", "config": {}}}, "x")
    assert row.core(norm)[0].wide and not row.core(dense)[0].wide
    assert row.explained(dense) is row.terms and row.explained(norm) is None
    node = Node(1, "layer", "TimeDistributed", norm, (), Origin("TimeDistributed", "keras3"), dtype="mixed_float16")
    half = declare(node, {}, "graph").candidates[0]
    weights = {"gamma": np.float32([1 / 3])}
    kept, _ = prepare(node, weights, [np.float32([1 / 3])], half)
    assert kept["gamma"][0] == weights["gamma"][0]
    assert prepare(replace(node, attrs=dense), weights, [], half)[0]["gamma"][0] != weights["gamma"][0]


def test_a_sequence_of_numbers_is_no_sequence_of_tensors() -> None:
    with pytest.raises(UnreadableModel, match="a sequence is wanted"):
        run("TimeDistributed", dense_at_every_step(), floats(2, 3), kernel=floats(3, 1), bias=floats(1))


def test_no_element_has_a_sum_of_its_own_behind_a_softmax_inside() -> None:
    for activation, has in (("relu", True), ("softmax", False)):
        attrs = build(TABLE["TimeDistributed"].attributes, dense_at_every_step(activation=activation), "x")
        node = Node(1, "layer", "TimeDistributed", attrs, (), Origin("TimeDistributed", "keras3"))
        explain = enclose(node, {"kernel": floats(3, 1), "bias": floats(1)}, [floats(2, 2, 3)], CONTEXT)[1]
        assert (explain is not None) is has
