"""What a user's reference is written with: values by NumPy, bounds that hold float32 and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.laws import CONTEXT
from support.one import holds

from refconv.errors import BadInput, UnreadableModel
from refconv.formats.architecture import Layer
from refconv.formats.resolve import resolve
from refconv.numerics.enclosure import Enclosure, bounded
from refconv.ops.registered import forget, register
from refconv.ops.toolkit import Toolkit

OPS, RNG = Toolkit(CONTEXT), np.random.default_rng(4)
A, B, C = (RNG.normal(size=shape).astype(np.float32) for shape in ((3, 4), (3, 4), (4, 5)))
V = B[0]


@pytest.mark.parametrize(
    ("op", "by_numpy"),
    [
        (lambda: OPS.add(A, V), lambda: A + V),
        (lambda: OPS.subtract(A, B), lambda: A - B),
        (lambda: OPS.multiply(A, V), lambda: A * V),
        (lambda: OPS.matmul(A, C), lambda: A @ C),
        (lambda: OPS.einsum("ni, nj -> nij", A, B), lambda: A[:, :, None] * B[:, None, :]),
        (lambda: OPS.activation("leaky_relu", A, negative_slope=0.5), lambda: np.where(A > 0, A, A / 2)),
        (lambda: OPS.sum(A, -1), lambda: A.sum(-1)),
        (lambda: OPS.mean(A, 0), lambda: A.mean(0)),
        (lambda: OPS.concatenate([A, B], 0), lambda: np.concatenate([A, B])),
        (lambda: OPS.move(np.transpose, A), lambda: A.T),
    ],
)
def test_values_and_bounds(op: Callable[[], Enclosure], by_numpy: Callable[[], np.ndarray]) -> None:
    found, got = op(), by_numpy()
    assert found.mid.shape == got.shape
    assert holds(found, got)
    assert not holds(found, got * np.float32(1 + 1e-4))


def test_errors_are_handed_on() -> None:
    one, other = bounded(np.array([1.0]), 0.1), bounded(np.array([-2.0]), 0.2)
    for found, radius in (
        (OPS.add(one, other), 0.3),
        (OPS.multiply(one, other), 0.42),
        (OPS.subtract(one, OPS.negative(other)), 0.3),
        (OPS.sum(one, 0), 0.1),
        (OPS.within(np.array([7]), 0.25), 0.25),
    ):
        assert np.max(found.limit) == pytest.approx(radius, rel=1e-5)


@pytest.mark.parametrize("equation", ["ij", "ij,jk", "ij,jk->i1", "ij,jkx->ik"])
def test_equations_that_are_none(equation: str) -> None:
    with pytest.raises(UnreadableModel, match="is no equation"):
        OPS.einsum(equation, A, C)


def call(forward: Any) -> Any:
    register("Snowman", forward)
    try:
        found = resolve(Layer("snow", "Snowman", {"flakes": 6}, (), {}), "snow", "keras2")
        assert found.row is not None and found.weights is None
        return found.row.forward(found.attrs, {}, (OPS.move(np.copy, A),), CONTEXT)
    finally:
        forget("Snowman")


def test_a_reference_gets_the_configuration_of_the_file() -> None:
    (found,) = call(lambda config, weights, inputs, ops: ops.multiply(inputs[0], config["flakes"]))
    assert np.array_equal(found.mid, A.astype(np.float64) * 6)
    assert len(call(lambda config, weights, inputs, ops: [inputs[0], inputs[0]])) == 2


def test_a_reference_that_fails_or_gives_no_enclosure_is_named() -> None:
    with pytest.raises(BadInput, match=r"registered for Snowman failed: KeyError\('ice'\)"):
        call(lambda config, weights, inputs, ops: config["ice"])
    with pytest.raises(BadInput, match="gave ndarray, and an Enclosure is wanted"):
        call(lambda config, weights, inputs, ops: [A])


def test_a_user_s_class_with_the_name_of_keras_s_is_not_keras_s() -> None:
    raw = {"module": None, "class_name": "Dense", "registered_name": "mine>Dense"}
    found = resolve(Layer("dense", "Dense", {"units": 3}, (), raw), "dense", "keras3")
    assert (found.type, found.row) == ("mine>Dense", None)
    keras = {"module": "keras.layers", "class_name": "Dense", "registered_name": None}
    assert resolve(Layer("dense", "Dense", {"units": 3}, (), keras), "dense", "keras3").row is not None
