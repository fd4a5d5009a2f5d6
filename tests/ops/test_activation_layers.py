"""ReLU, LeakyReLU, ELU, PReLU, Softmax and Activation as layers."""

from __future__ import annotations

import numpy as np
import pytest
from support.one import holds, run

from refconv.errors import UnreadableModel
from refconv.ops.attributes import Unknown, build
from refconv.ops.base import ANY
from refconv.ops.table import TABLE

X = [[-2.0, 0.0, 3.0]]


def test_relu() -> None:
    assert run("ReLU", {}, X).mid.tolist() == [[0, 0, 3]]
    assert run("ReLU", {"max_value": 2.0, "negative_slope": 0.5, "threshold": 1.0}, X).mid.tolist() == [[-1.5, -0.5, 2]]
    assert run("ReLU", {"max_value": 6.0}, X).exact
    assert not run("ReLU", {"negative_slope": 0.1}, X).exact


def test_leaky_relu_has_a_default_of_its_own() -> None:
    """The layer's slope is 0.3 where the function's is 0.2."""
    assert run("LeakyReLU", {}, X).mid == pytest.approx(np.array([[-0.6, 0, 3]]), rel=1e-6)
    assert not holds(run("LeakyReLU", {}, X), run("Activation", {"activation": "leaky_relu"}, X).mid)


def test_elu() -> None:
    assert run("ELU", {"alpha": 0.5}, [[-np.log(2.0), 1.0]]).mid == pytest.approx(np.array([[-0.25, 1]]))


def test_prelu() -> None:
    x = [[[-1.0, 2.0], [-3.0, -4.0]]]
    assert run("PReLU", {}, x, alpha=[[0.5, 9], [2, 0.25]]).mid.tolist() == [[[-0.5, 2], [-6, -1]]]
    assert run("PReLU", {"shared_axes": [1]}, x, alpha=[[0.5, 0.25]]).mid.tolist() == [[[-0.5, 2], [-1.5, -1]]]


def test_prelu_wants_an_alpha_that_fits() -> None:
    with pytest.raises(UnreadableModel, match="alpha of shape"):
        run("PReLU", {"shared_axes": [1]}, [[[-1.0, 2.0]]], alpha=[[0.5], [0.25]])
    assert TABLE["PReLU"].weights(build(TABLE["PReLU"].attributes, {}, "x")) == {"alpha": ANY}


def test_prelu_with_a_negative_or_steep_slope_carries_radii() -> None:
    from refconv.numerics.enclosure import Enclosure

    incoming = Enclosure(np.array([[0.5, 0.5]]), 0.1, 1.0)
    result = run("PReLU", {}, incoming, alpha=[-1.0, 3.0])
    assert result.mid.tolist() == [[0.5, 0.5]]
    assert result.limit == pytest.approx(np.array([[1.0, 2.0]]), rel=1e-5)  # −1·(−0.5) and 0, 1.5; 3·(−0.5) = −1.5


def test_softmax_axes() -> None:
    x = np.log([[[1.0, 3.0], [4.0, 12.0]]])
    assert run("Softmax", {}, x).mid == pytest.approx(np.array([[[0.25, 0.75], [0.25, 0.75]]]))
    assert run("Softmax", {"axis": 1}, x).mid == pytest.approx(np.array([[[0.2, 0.2], [0.8, 0.8]]]))
    assert run("Softmax", {"axis": [1, 2]}, x).mid == pytest.approx(np.array([[[0.05, 0.15], [0.2, 0.6]]]))


def test_activation() -> None:
    assert run("Activation", {"activation": "relu"}, X).mid.tolist() == [[0, 0, 3]]
    with pytest.raises(Unknown, match="snowman"):
        run("Activation", {"activation": "snowman"}, X)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("ReLU", {"max_value": -1.0}),
        ("ReLU", {"threshold": "high"}),
        ("LeakyReLU", {"negative_slope": -0.1}),
        ("ELU", {"alpha": None}),
        ("Softmax", {"axis": []}),
        ("PReLU", {"shared_axes": [1.5]}),
    ],
)
def test_wrong_attributes_are_named(name: str, config: dict[str, object]) -> None:
    with pytest.raises(UnreadableModel, match=next(iter(config))):
        run(name, config, X)
