"""Matching calls to nodes, drift in decibels, and the judgement of the plain run."""

import numpy as np
import pytest

from refconv.compare.drift import drift
from refconv.compare.match import match
from refconv.compare.plain import FACTOR, judge_plain
from refconv.graph import Graph, Node, Origin, Ref, TensorSpec
from refconv.trace import Call, Trace


def node(index, layer, *inputs, call=0):
    return Node(index, layer, "Dense", None, tuple(map(Ref, inputs)), Origin("Dense", "keras3"), call)


def graph(*nodes, outputs):
    specs = (TensorSpec("x", (None, 1)),)
    return Graph(nodes, (0,), tuple(map(Ref, outputs)), specs, "m.h5", "hdf5", "3", "tensorflow", "keras3")


def test_calls_of_a_shared_layer_are_told_apart_by_their_inputs():
    g = graph(node(0, "x"), node(1, "a", 0), node(2, "s", 0), node(3, "s", 1, call=1), outputs=(2, 3))
    calls = [
        Call("a", 0, "Dense", ("x",), ("a0",)),
        Call("s", 0, "Dense", ("a0",), ("sa",)),  # the framework ran the other call first
        Call("s", 1, "Dense", ("x",), ("sx",)),
    ]
    found = match(g, Trace(calls=calls, model_inputs=[("x",)]))
    assert (found[2].outputs, found[3].outputs) == (("sx",), ("sa",))


def test_without_known_producers_the_order_decides():
    g = graph(node(0, "x"), node(1, "s", 0), node(2, "s", 1, call=1), outputs=(2,))
    calls = [Call("s", 0, "Dense", ("p",), ("q",)), Call("s", 1, "Dense", ("r",), ("t",))]
    found = match(g, Trace(calls=calls, model_inputs=[("x",)]))
    assert (found[1].outputs, found[2].outputs) == (("q",), ("t",))


def test_a_layer_that_was_not_run_has_no_call():
    g = graph(node(0, "x"), node(1, "a", 0), outputs=(1,))
    assert match(g, Trace(model_inputs=[("x",)])) == {}


def test_drift_by_hand():
    # signal 9 + 16 = 25, noise 0.25: 20 dB
    found = drift([np.array([3.0, 4.0])], [np.array([3.0, 4.5])])
    assert (found.max_abs_error, found.sqnr_db) == (0.5, pytest.approx(20.0))
    assert drift([np.array([1.0])], [np.array([1.0])]).sqnr_db == np.inf
    assert drift([np.array([1.0])], [np.array([np.nan])]).max_abs_error == np.inf
    assert drift([np.array([np.nan])], [np.array([np.nan])]).max_abs_error == 0.0
    assert drift([], []) is None


def test_plain_may_drift_as_the_instrumented_run_does_and_no_more():
    reference, instrumented = [np.array([1.0])], [np.array([1.0 + 1e-7])]
    allowed = FACTOR * (1e-7 + 1e-8)
    assert judge_plain([np.array([1.0 + 0.9 * allowed])], [instrumented], reference, 1e-8).ok
    wrong = judge_plain([np.array([1.0 + 1.1 * allowed])], [instrumented], reference, 1e-8)
    assert not wrong.ok
    assert "predict" in wrong.reason


def test_plain_of_another_shape_or_with_nan_fails():
    reference = [np.array([1.0])]
    assert not judge_plain([np.array([1.0, 2.0])], [reference], reference, 1.0).ok
    assert not judge_plain([np.array([np.nan])], [reference], reference, 1.0).ok


def test_exact_everywhere_is_fine():
    one = [np.array([1.0])]
    assert judge_plain(one, [one], one, 0.0).ok
    assert not judge_plain([np.array([1.0 + 1e-9])], [one], one, 0.0).ok


def test_the_farthest_of_several_runs_counts():
    """By luck the instrumented run may have cancelled; a run with drawn errors has not."""
    reference, lucky, drawn = [np.array([1.0])], [np.array([1.0 + 1e-9])], [np.array([1.0 - 1e-6])]
    plain = [np.array([1.0 + 5e-7])]
    assert not judge_plain(plain, [lucky], reference, 0.0).ok
    assert judge_plain(plain, [lucky, drawn], reference, 0.0).ok


def test_a_run_that_overflows_allows_nothing():
    reference, infinite, wrong = [np.array([1.0])], [np.array([np.inf])], [np.array([55.0])]
    assert not judge_plain(wrong, [infinite], reference, 0.0).ok
    assert not judge_plain(wrong, [reference], reference, np.inf).ok
