"""Activations: values worked by hand, ranges, and bounds measured against both Kerases in three modes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from hypothesis import given
from hypothesis import strategies as st
from support.laws import CONTEXT
from support.one import holds, run

from refconv.errors import UnreadableModel
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, Z, point
from refconv.ops.activations import LINEAR, Activation, activate, activation
from refconv.ops.attributes import Unknown
from refconv.ops.functions import elementwise
from refconv.ops.functions.axis import AXIS, repeats
from refconv.ops.functions.base import unknown
from refconv.ops.functions.table import FUNCTIONS

ARITHMETIC = CONTEXT.arithmetic
LN2 = math.log(2.0)


def apply(name: str, x: Any, **parameters: Any) -> Enclosure:
    described = activation({"name": name, "parameters": parameters})
    return activate(described, x if isinstance(x, Enclosure) else point(np.asarray(x, np.float32)), ARITHMETIC)


@pytest.mark.parametrize(
    ("name", "parameters", "x", "y"),
    [
        ("relu", {}, [-2, 0, 3], [0, 0, 3]),
        ("relu", {"max_value": 2}, [-2, 1, 3], [0, 1, 2]),
        ("relu", {"negative_slope": 0.5, "threshold": 1.0}, [-2, 1, 3], [-1.5, 0, 3]),
        ("relu", {"threshold": 1.5}, [1, 1.5, 2], [0, 0, 2]),
        ("relu6", {}, [-1, 2, 9], [0, 2, 6]),
        ("leaky_relu", {"negative_slope": 0.25}, [-2, 3], [-0.5, 3]),
        ("elu", {"alpha": 2.0}, [-LN2, 1], [-1, 1]),
        ("celu", {"alpha": 2.0}, [-2 * LN2, 1], [-1, 1]),
        ("selu", {}, [1, -LN2], [1.0507009873554805, -0.8790496704238684]),
        ("softplus", {}, [0, -1000, 1000], [LN2, 0, 1000]),
        ("log_sigmoid", {}, [0, 1000, -1000], [-LN2, 0, -1000]),
        ("softsign", {}, [-3, 1], [-0.75, 0.5]),
        ("sigmoid", {}, [0, math.log(3)], [0.5, 0.75]),
        ("silu", {}, [0, math.log(3)], [0, 0.75 * math.log(3)]),
        ("swish", {}, [math.log(3)], [0.75 * math.log(3)]),
        ("tanh", {}, [0, LN2], [0, 0.6]),
        ("tanh_shrink", {}, [LN2], [LN2 - 0.6]),
        ("exponential", {}, [0, LN2], [1, 2]),
        ("mish", {}, [0, 1], [0, 0.8650983882673103]),
        ("gelu", {}, [0, 1, -1], [0, 0.8413447460685429, -0.15865525393145707]),
        ("gelu", {"approximate": True}, [1], [0.841191990607477]),
        ("hard_sigmoid", {}, [-3, 0, 1.5, 4], [0, 0.5, 0.75, 1]),
        ("hard_sigmoid_keras2", {}, [-2.5, 0, 1, 3], [0, 0.5, 0.7, 1]),
        ("hard_silu", {}, [-4, -1.5, 3], [0, -0.375, 3]),
        ("hard_swish", {}, [-1.5], [-0.375]),
        ("hard_tanh", {}, [-2, 0.5, 2], [-1, 0.5, 1]),
        ("soft_shrink", {}, [-2, 0.25, 2], [-1.5, 0, 1.5]),
        ("hard_shrink", {}, [-2, 0.5, 2], [-2, 0, 2]),
        ("threshold", {"threshold": 1.0, "default_value": -7.0}, [1, 2], [-7, 2]),
        ("sparse_plus", {}, [-2, 0, 2], [0, 0.25, 2]),
        ("sparse_sigmoid", {}, [-2, 0, 0.5, 2], [0, 0.5, 0.75, 1]),
        ("squareplus", {"b": 4.0}, [0, 1.5, -1.5], [1, 2, 0.5]),
        ("softmax", {}, [[0, math.log(3)]], [[0.25, 0.75]]),
        ("log_softmax", {}, [[0, math.log(3)]], [[-2 * LN2, math.log(0.75)]]),
        ("sparsemax", {}, [[1.7, 1.7, 0], [3, 1, 0]], [[0.5, 0.5, 0], [1, 0, 0]]),
        ("glu", {}, [[2, 3, 0, math.log(3)]], [[1, 2.25]]),
        ("linear", {}, [-1, 2], [-1, 2]),
    ],
)
def test_values(name: str, parameters: dict[str, Any], x: list[Any], y: list[Any]) -> None:
    result = apply(name, x, **parameters)
    assert result.mid == pytest.approx(np.array(y), rel=1e-6, abs=1e-7)
    assert holds(result, result.mid)


def test_every_function_has_a_value_worked_by_hand() -> None:
    marks = test_values.pytestmark[0].args[1]
    assert {case[0] for case in marks} >= {*FUNCTIONS, *AXIS, "linear"}


class TestReader:
    def test_accepts(self) -> None:
        assert activation(None) == activation("linear") == LINEAR
        assert activation("swish") == activation("silu") == Activation("silu")
        assert activation({"name": "elu", "parameters": {"alpha": 1.0}}) == activation("elu")
        assert activation({"name": "elu", "parameters": {"alpha": 2.0}}).parameters == (("alpha", 2.0),)
        assert hash(activation({"name": "relu", "parameters": {"max_value": 6}})) is not None

    @pytest.mark.parametrize(
        "value",
        ["unheard_of", 3, {"class_name": "MyFunction"}, {"name": "relu", "parameters": {"slope": 1}}, "threshold"],
    )
    def test_refuses(self, value: Any) -> None:
        with pytest.raises(Unknown):
            activation(value)
        assert issubclass(Unknown, UnreadableModel)

    def test_only_axis_functions_mix_elements(self) -> None:
        assert activation("gelu").elementwise and LINEAR.elementwise
        assert not activation("softmax").elementwise


EXACT = ["relu", "relu6", "hard_tanh", "hard_shrink"]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_only_selection_is_exact(name: str) -> None:
    parameters = {"threshold": 1.0, "default_value": 0.5} if name == "threshold" else {}
    assert apply(name, [-0.3, 0.7, 2.0], **parameters).exact == (name in (*EXACT, "threshold"))


@given(
    name=st.sampled_from(sorted(set(FUNCTIONS) - {"threshold"})),
    mid=st.floats(-12, 12),
    radius=st.floats(0, 4),
    at=st.floats(-1, 1),
)
def test_range_holds_every_value(name: str, mid: float, radius: float, at: float) -> None:
    """f(x) for any x within the incoming radius lies within the outgoing one: turning points are not missed."""
    incoming = Enclosure(np.array([mid]), sigma=radius / 10, worst=radius)
    function = FUNCTIONS[name]
    inside = function.f(np.array([mid + at * radius]), function.parameters)
    result = apply(name, incoming)
    assert abs(inside - result.mid) <= result.probable * (1 + 1e-12)
    assert np.all(result.probable <= result.limit)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_monotone_between_turns(name: str) -> None:
    function = FUNCTIONS[name]
    parameters = {"threshold": 1.0, "default_value": 0.5} if name == "threshold" else function.parameters
    turns = function.turns(parameters)
    ends = [-30.0, *turns, 30.0]
    for low, high in zip(ends, ends[1:], strict=False):
        inner = np.linspace(np.nextafter(low, 40), np.nextafter(high, -40), 20001)
        steps = np.diff(function.f(inner, parameters)) if high > low else np.zeros(1)
        assert np.all(steps >= -1e-14) or np.all(steps <= 1e-14)


def test_incoming_infinite_radius_is_the_whole_range() -> None:
    wide = Enclosure(np.array([0.0]), 0.1, np.inf)
    assert apply("sigmoid", wide).limit == pytest.approx(0.5, rel=1e-5)
    assert np.isinf(apply("silu", wide).limit).all()


def test_overflow_of_the_function_is_allowed_there_only() -> None:
    result = apply("exponential", [80.0, 100.0])
    assert holds(result, [math.exp(80.0), np.inf])
    assert not holds(result, [np.inf, np.inf])


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (("hard_sigmoid", {}), ("hard_sigmoid_keras2", {})),
        (("gelu", {}), ("gelu", {"approximate": True})),
        (("elu", {"alpha": 1.0}), ("elu", {"alpha": 1.00001})),
        (("leaky_relu", {"negative_slope": 0.2}), ("leaky_relu", {"negative_slope": 0.200001})),
        (("relu", {"max_value": 6.0}), ("relu", {})),
        (("silu", {}), ("mish", {})),
        (("softplus", {}), ("squareplus", {})),
        (("softmax", {}), ("sparsemax", {})),
    ],
)
def test_a_wrong_function_is_outside(right: tuple[str, dict[str, Any]], wrong: tuple[str, dict[str, Any]]) -> None:
    x = np.linspace(-8, 8, 101).reshape(1, -1)
    enclosure, other = (apply(name, x, **parameters) for name, parameters in (right, wrong))
    assert holds(enclosure, enclosure.mid)
    assert not holds(enclosure, other.mid)


def grid() -> np.ndarray:
    """float32 of all magnitudes and signs, the values where kernels clamp, ±0, ±Inf and NaN."""
    rng = np.random.default_rng(0)
    clamps = [3, 2.5, 6, 0.5, 1, 5.7, 9, 13.94, 17, 87.3, 88.3, 88.72, 89, 104, 1e20, 1e30, 3e38, 1.2e-38, 1e-40, 1e-45]
    wide = 2.0 ** rng.uniform(-140, 100, 400)
    near = [rng.uniform(-a, a, 400) for a in (1, 4, 20, 100)]
    special = [0.0, -0.0, np.inf, -np.inf, np.nan]
    return np.concatenate([wide, -wide, *near, clamps, np.negative(clamps), special]).astype(np.float32)


def functions(name: str) -> dict[str, Callable[..., Any]]:
    """The Kerases that have it."""
    in_keras2 = {"hard_sigmoid_keras2": "hard_sigmoid", "hard_sigmoid": None}.get(name, name)
    candidates = {"keras": getattr(keras.activations, name, None)}
    candidates["tf_keras"] = getattr(tf_keras.activations, in_keras2, None) if in_keras2 else None
    return {who: f for who, f in candidates.items() if f is not None}


MODES: dict[str, Callable[..., Any]] = {
    "eager": lambda f: f,
    "graph": tf.function,
    "xla": lambda f: tf.function(f, jit_compile=True),
}
GIVEN = {
    "threshold": [{"threshold": 0.3, "default_value": 0.7}],
    "gelu": [{}, {"approximate": True}],
    "elu": [{}, {"alpha": 0.3}],
    "celu": [{}, {"alpha": 2.5}],
    "leaky_relu": [{"negative_slope": 0.3}],
    "soft_shrink": [{"threshold": 0.1}],
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_frameworks_lie_inside(name: str, mode: str) -> None:
    """Sizes 1 and 3 take other code than a vector does."""
    x = grid()
    for parameters in GIVEN.get(name, [{}]):
        for who, f in functions(name).items():
            old = {"negative_slope": "alpha"} if who == "tf_keras" else {}
            run = MODES[mode](lambda x, f=f, old=old, p=parameters: f(x, **{old.get(k, k): v for k, v in p.items()}))
            for part in (x, x[-3:], x[7:8]):
                assert holds(apply(name, part, **parameters), run(tf.constant(part)).numpy()), who


RELU = [
    {"max_value": 6.0},
    {"threshold": 1.1},
    {"negative_slope": 0.1, "max_value": 2.3},
    {"negative_slope": 0.1, "threshold": 0.7, "max_value": 3.3},
]


@pytest.mark.parametrize("parameters", RELU)
def test_relu_of_both_kerases(parameters: dict[str, float]) -> None:
    x = grid()
    old = {"alpha" if k == "negative_slope" else k: v for k, v in parameters.items()}
    assert holds(apply("relu", x, **parameters), keras.activations.relu(tf.constant(x), **parameters))
    assert holds(apply("relu", x, **parameters), tf_keras.activations.relu(tf.constant(x), **old))


def rows() -> list[np.ndarray]:
    """Rows of several lengths and spreads; equal elements; a large common offset; infinities and NaN."""
    rng = np.random.default_rng(1)
    drawn = [rng.normal(size=(50, n)) * s for n in (2, 10, 1000) for s in (1e-3, 1, 80)]
    shifted = [x + 1e4 for x in drawn[:3]]
    special = [[np.nan, np.nan], [np.inf, 1], [-np.inf, 1], [-np.inf, -np.inf], [1e-40, 0], [3e38, -3e38]]
    return [np.asarray(x, np.float32) for x in (*drawn, *shifted, np.full((2, 500), 1.7), special)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "glu"])
def test_axis_functions_lie_inside(name: str, mode: str) -> None:
    run = MODES[mode](getattr(keras.activations, name))
    for x in rows():
        assert holds(apply(name, x), run(tf.constant(x)).numpy())


def test_a_softmax_that_loses_nan_is_seen() -> None:
    """oneDNN's kernel gives 0 beside a NaN in rows of two; without oneDNN TensorFlow gives NaN, which is right."""
    x = np.array([[1, np.nan], [np.nan, 1]], np.float32)
    got = tf.nn.softmax(x).numpy()
    assert holds(apply("softmax", x), np.full((2, 2), np.nan))
    assert not holds(apply("softmax", x), np.where(np.isnan(x), x, 0))
    assert holds(apply("softmax", x), got) == bool(np.isnan(got).all())


def test_beside_an_infinity_softmax_is_0_or_nan() -> None:
    x = np.array([[np.inf, 1.0]], np.float32)
    for beside in (0.0, np.nan):
        assert holds(apply("softmax", x), [[np.nan, beside]])
    assert not holds(apply("softmax", x), [[np.nan, 0.5]])
    assert not holds(apply("softmax", x), [[1.0, 0.0]])


@given(st.integers(0, 2**16), st.sampled_from(["softmax", "log_softmax", "sparsemax", "glu"]), st.floats(0, 3))
def test_axis_range_holds_every_value(seed: int, name: str, radius: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, 6)) * 3
    moved = point(x + rng.uniform(-radius, radius, x.shape))
    result = apply(name, Enclosure(x, sigma=radius / 10, worst=radius))
    with np.errstate(all="ignore"):
        inside = AXIS[name](moved, ARITHMETIC, {"axis": -1}).mid
    assert np.all(np.abs(inside - result.mid) <= result.probable * (1 + 1e-9))
    assert np.all(result.probable <= result.limit)


def test_axis_functions_refuse_a_small_fault() -> None:
    x = np.random.default_rng(0).normal(size=(4, 100))
    for name in ("softmax", "log_softmax", "glu"):
        result = apply(name, x)
        assert not holds(result, result.mid * (1 + 1e-5))


def test_sparsemax_is_the_papers() -> None:
    """Keras 3.15 takes the sum of all running sums of the support for the last one: right only if the support is one.

    refconv keeps to the definition (Martins and Astudillo 2016), so such a layer is a mismatch.
    """
    one, two = np.array([[-0.5, 0, 1, 3]], np.float32), np.array([[1.7, 1.7, 0, 0]], np.float32)
    assert holds(apply("sparsemax", one), keras.activations.sparsemax(tf.constant(one)).numpy())
    assert apply("sparsemax", two).mid == pytest.approx(np.array([[0.5, 0.5, 0, 0]]))
    assert not holds(apply("sparsemax", two), np.zeros((1, 4)))


def test_linear_is_the_enclosure_itself() -> None:
    e = Enclosure(np.array([1.0]), 0.1, 1.0)
    assert activate(LINEAR, e, ARITHMETIC) is e


def test_equal_terms_of_a_softmax_count_by_their_square():
    # 3 equal ones and 2 others: 9 + 1 + 1; a term of a quarter of u of the sum errs by a quarter: 1 + 1 + (1 + 2/16)
    shares = np.array([[0.2, 0.2, 0.2, 0.1, 0.3], [0.2, 0.3, 0.5, 0.0, 0.0]])
    assert repeats(shares, (-1,), 2.0**-24)[:, 0].tolist() == [11.0, 5.0]
    tiny = np.full((1, 2), 2.0**-26)
    assert repeats(tiny, (1,), 2.0**-24).tolist() == [[2 + 2 / 16]]
    swapped = shares.T.reshape(5, 2, 1)
    assert repeats(swapped, (0, 2), 2.0**-24).tolist() == [[[11.0], [5.0]]]


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_a_softmax_of_many_equal_logits_beside_a_large_one_stays_inside(name, monkeypatch):
    """Found with XLA at n = 100,000, 1.3 times the bound for terms that all differ, and 5.3 times at 1,000,000."""
    function = tf.function(getattr(tf.nn, name), jit_compile=True)
    x = np.full((1, 1_000_000), -2.0, np.float32)
    x[0, 0] = 0
    outside = []
    for below in np.random.default_rng(0).uniform(1, 12, 6).astype(np.float32):
        x[0, 1:] = -below
        got = np.asarray(function(x))
        assert holds(run("Activation", {"activation": name}, x), got)
        with monkeypatch.context() as patch:
            patch.setattr("refconv.ops.functions.axis.repeats", lambda y, over, u: y.shape[-1])
            outside.append(not holds(run("Activation", {"activation": name}, x), got))
    assert any(outside)


@given(
    st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(0, 1e4) | st.just(np.inf)), min_size=1, max_size=9),
    st.sampled_from([{}, {"max_value": 6.0}, {"negative_slope": 0.5}, {"threshold": 1.0}]),
)
def test_a_reach_in_closed_form_is_the_searched_one(
    points: list[tuple[float, float]], changed: dict[str, float]
) -> None:
    """relu's formula holds for relu alone: with a slope, a threshold or a clip it gives way to the search."""
    relu = FUNCTIONS["relu"]
    x, r = np.array(points).T
    enclosure = Enclosure(x, r / Z, r)
    both = (relu, replace(relu, reach=unknown))
    closed, searched = (elementwise.apply(f, enclosure, Arithmetic(), {**relu.parameters, **changed}) for f in both)
    assert np.array_equal(closed.mid, searched.mid)
    for a, b in ((closed.sigma, searched.sigma), (closed.worst, searched.worst)):
        assert np.allclose(a, b, rtol=1e-12, atol=1e-10)
    assert np.array_equal(closed.overflow, searched.overflow)
