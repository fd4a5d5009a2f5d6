"""Ties, batch statistics and a softmax over the batch: caught where they show, and not claimed where they cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compare.test_power import CONTEXT, case, draw, measured, missed

from refconv.compare import sampling
from refconv.compare.counterfactuals.base import Case
from refconv.compare.counterfactuals.table import ROWS, applicable
from refconv.compare.counterfactuals.ties import away, rounds_to_even
from refconv.compare.layer import judge
from refconv.ops.table import TABLE
from refconv.quantizers.read import read
from refconv.reference.forward import NodeWeights
from refconv.result import FAILING

WEIGHTS, ALONE = "ties of weights rounded away from zero", "ties rounded away from zero"
OTHER, BATCH, OVER = "the other of two equally near", "statistics of the batch", "softmax over the batch"
FIXED = "quantized_bits(4,0,1,alpha=1.0)"  # multiples of 1/8, and 1/16 lies between two of them


def names(one: Case) -> set[str]:
    return {row.name for row in applicable(one)}


def fails(one: Case, name: str) -> bool:
    """What the reference's altered layer gives, judged as the framework's."""
    (row,) = (row for row in ROWS if row.name == name and row.concerns(one))
    got = tuple(e.mid.astype(np.float32) for e in row.alter(one).enclose(CONTEXT))
    return judge(one.node, NodeWeights(one.weights, {}), {}, one.inputs, got, CONTEXT).verdict in FAILING


def test_ties_move_away_from_zero_and_nothing_else_does() -> None:
    quantizer: Any = read(FIXED)
    x = np.float32([1 / 16, 3 / 16, -1 / 16, -3 / 16, 0.0, 0.07, 0.5, np.nan, np.inf, 5.0])
    rounded = [quantizer.quantize(v).values for v in (x, away(quantizer, x))]
    np.testing.assert_array_equal(rounded[0][:7], np.float32([0, 0.25, 0, -0.25, 0, 0.125, 0.5]))
    np.testing.assert_array_equal(rounded[1][:7], np.float32([0.125, 0.25, -0.125, -0.25, 0, 0.125, 0.5]))
    np.testing.assert_array_equal(away(quantizer, x)[4:], x[4:])


def test_every_tie_between_codes_is_found() -> None:
    """All odd multiples of half a code: half of them go to the even code towards zero."""
    quantizer: Any = read("quantized_bits(6,1,1,alpha=1)")
    x = (np.arange(-31, 31) + 0.5).astype(np.float32) / 16
    before, after = (quantizer.quantize(v).codes for v in (x, away(quantizer, x)))
    np.testing.assert_array_equal(after, np.trunc(x * 16 + np.copysign(0.5, x)).astype(int))
    assert 0.4 < np.mean(before != after) < 0.6


@pytest.mark.parametrize(
    ("quantizer", "even"),
    [
        (FIXED, True),
        ("quantized_relu(4)", True),
        ("quantized_bits(4,0,1,alpha='auto')", False),  # half away from zero as it is
        ("quantized_bits(4,0,1,alpha='auto_po2')", False),
        ("quantized_po2(4)", False),
        ("bernoulli(alpha=1)", False),
    ],
)
def test_which_quantizers_round_to_even(quantizer: str, even: bool) -> None:
    assert rounds_to_even(read(quantizer)) is even
    assert not rounds_to_even(None)


def dense(kernel: Any, quantizer: str = FIXED) -> Case:
    return case("QDense", [[0.7, 0.9]], {"kernel": kernel}, units=1, use_bias=False, kernel_quantizer=quantizer)


def test_a_weight_in_the_middle_of_two_codes_shows_the_rule() -> None:
    between = dense([[1 / 16], [0.5]])
    assert WEIGHTS in measured(between).caught and fails(between, WEIGHTS)
    assert WEIGHTS in measured(dense([[0.07], [0.5]])).equivalent
    assert WEIGHTS not in names(dense([[1 / 16], [0.5]], "quantized_bits(4,0,1,alpha='auto')"))
    silent = case(
        "QDense", [[0.0, 0.9]], {"kernel": [[1 / 16], [0.5]]}, units=1, use_bias=False, kernel_quantizer=FIXED
    )
    assert WEIGHTS in missed(measured(silent)) and not fails(silent, WEIGHTS)


def test_an_input_in_the_middle_of_two_codes_shows_the_rule() -> None:
    between = case("QActivation", [[1 / 16, 0.5]], activation=FIXED)
    assert ALONE in measured(between).caught and fails(between, ALONE)
    assert ALONE in measured(case("QActivation", [[0.07, 0.5]], activation=FIXED)).equivalent
    assert ALONE not in names(case("QActivation", [[0.07, 0.5]], activation="quantized_po2(4)"))


@pytest.mark.parametrize("name", [WEIGHTS, ALONE])
def test_a_tie_that_qkeras_rounds_to_even_is_what_the_row_leaves_alone(name: str) -> None:
    """QKeras on the tie is the reference's value; on the number beside it, the row's."""
    qkeras = pytest.importorskip("qkeras")
    quantizer, own = qkeras.quantized_bits(4, 0, 1, alpha=1.0), read(FIXED)
    x = np.float32([1 / 16, -1 / 16, 3 / 16])
    moved = away(own, x)  # type: ignore[arg-type]
    np.testing.assert_array_equal(np.asarray(quantizer(x)), np.float32([0, 0, 0.25]))
    np.testing.assert_array_equal(np.asarray(quantizer(moved)), np.float32([0.125, -0.125, 0.25]))


def resized(x: Any, height: int, width: int, how: str = "nearest") -> Case:
    return case("Resizing", x, height=height, width=width, interpolation=how)


def test_halving_lies_between_two_elements_and_a_third_does_not() -> None:
    x = np.arange(36.0).reshape(1, 6, 6, 1)
    both = resized(x, 3, 2)  # of six rows every other; of six columns one in three, which is the middle
    assert OTHER in measured(both).caught and fails(both, OTHER)
    (e,) = both.enclose(CONTEXT)
    (row,) = (row for row in ROWS if row.name == OTHER)
    (other,) = row.alter(both).enclose(CONTEXT)
    np.testing.assert_array_equal(e.mid[0, :, :, 0], [[7, 10], [19, 22], [31, 34]])
    np.testing.assert_array_equal(other.mid, e.mid - 6)
    assert OTHER in missed(measured(resized(np.repeat(x[:, ::2], 2, axis=1), 3, 2)))  # rows in equal pairs
    for none in (resized(x, 2, 2), resized(x, 4, 6), resized(x, 3, 2, "bilinear")):
        assert OTHER not in names(none)


def norm(x: Any, mean: Any, variance: Any) -> Case:
    count = np.size(mean)
    weights = {"gamma": np.ones(count), "beta": np.zeros(count), "moving_mean": mean, "moving_variance": variance}
    return case("BatchNormalization", x, weights)


def test_statistics_of_the_batch_show_where_they_are_others() -> None:
    other = norm([[1.0], [3.0]], [0.0], [1.0])
    assert BATCH in measured(other).caught and fails(other, BATCH)
    (row,) = (row for row in ROWS if row.name == BATCH)
    altered = row.alter(other)
    assert (altered.weights["moving_mean"], altered.weights["moving_variance"]) == (2.0, 1.0)
    same = norm([[1.0], [3.0]], [2.0], [1.0])
    assert BATCH in measured(same).equivalent and not fails(same, BATCH)


def test_a_sample_takes_the_statistics_of_all_that_was_fed() -> None:
    one = norm(draw(2, 40, 40, 12), draw(12), np.abs(draw(12)) + 0.1)
    part = sampling.sampled(one)
    assert part.words and part.case.fed[0] is one.inputs[0]
    (row,) = (row for row in ROWS if row.name == BATCH)
    for name in ("moving_mean", "moving_variance"):
        assert set(row.alter(part.case).weights[name]) < set(row.alter(one).weights[name])


def test_quantized_statistics_are_left_out() -> None:
    assert TABLE["QBatchNormalization"].slots is not None
    weights = {n: np.ones(2) for n in ("gamma", "beta", "moving_mean", "moving_variance")}
    assert BATCH not in names(case("QBatchNormalization", [[1.0, 2.0]], weights))


@pytest.mark.parametrize("keras", ["Softmax", "Dense"])
def test_a_softmax_over_the_batch_shows_unless_samples_are_classes(keras: str) -> None:
    def made(x: Any) -> Case:
        if keras == "Softmax":
            return case("Softmax", x)
        return case("Dense", x, {"kernel": np.eye(2)}, units=2, use_bias=False, activation="softmax")

    other = made([[1.0, 2.0], [3.0, 5.0]])
    assert OVER in measured(other).caught and fails(other, OVER)
    turned = made([[1.0, 2.0], [2.0, 1.0]])  # symmetric: over either axis the same
    assert OVER in missed(measured(turned)) and not fails(turned, OVER)
    assert OVER not in names(case("Dense", [[1.0]], {"kernel": [[1.0]]}, units=1, use_bias=False, activation="sigmoid"))


def test_a_large_batch_stays_whole_under_a_softmax() -> None:
    weights = {"kernel": draw(700, 5)}
    for activation, cut in (("softmax", False), ("tanh", True)):
        part = sampling.sampled(case("Dense", draw(64, 700), weights, units=5, use_bias=False, activation=activation))
        assert ("samples" in part.words) is cut
