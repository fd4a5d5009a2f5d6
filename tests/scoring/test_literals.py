"""Values worked by hand, and decisions that a radius leaves open."""

from __future__ import annotations

from math import log, sqrt
from typing import Any

import numpy as np
import pytest

from refconv.scoring.confusion import precision, recall
from refconv.scoring.means import loss_mean, metric_mean, root
from refconv.scoring.predictions import Predictions, Unsettled
from refconv.scoring.spread import Spread
from refconv.scoring.table import NAMES

Y = [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]
ONE_HOT, LABELS = [[1, 0, 0], [0, 1, 0]], [0, 1]


def mean(name: str, t: Any, y: Any, radius: float = 0.0, keras: int = 3, batch: int = 32, **given: Any) -> Spread:
    row = NAMES[name]
    assert row.by_sample is not None
    p = Predictions(np.asarray(y, np.float64), radius)
    found = metric_mean(row.by_sample(np.asarray(t), p, {**row.parameters, **given}, keras), None, batch)
    return root(found) if row.rooted else found


@pytest.mark.parametrize(
    ("name", "t", "y", "wanted"),
    [
        ("mse", [[1.0, 0.0]], [[0.5, 1.0]], (0.25 + 1) / 2),
        ("mae", [[1.0, 0.0]], [[0.5, 1.0]], 0.75),
        ("RootMeanSquaredError", [[3.0], [0.0]], [[0.0], [4.0]], sqrt(12.5)),
        ("huber", [[0.0, 0.0]], [[0.5, 3.0]], (0.125 + 2.5) / 2),
        ("hinge", [[1, 0]], [[0.5, 0.5]], (0.5 + 1.5) / 2),
        ("squared_hinge", [[1, 0]], [[0.5, 0.5]], (0.25 + 2.25) / 2),
        ("categorical_hinge", ONE_HOT, Y, (0.2 - 0.7 + 1 + 0.6 - 0.3 + 1) / 2),
        ("categorical_crossentropy", ONE_HOT, Y, -(log(0.7) + log(0.3)) / 2),
        ("sparse_categorical_crossentropy", LABELS, Y, -(log(0.7) + log(0.3)) / 2),
        ("binary_crossentropy", [[1], [0]], [[0.8], [0.4]], -(log(0.8) + log(0.6)) / 2),
        ("kld", [[0.5, 0.5]], [[0.25, 0.75]], 0.5 * log(2) + 0.5 * log(2 / 3)),
        ("categorical_accuracy", ONE_HOT, Y, 0.5),
        ("sparse_categorical_accuracy", LABELS, Y, 0.5),
        ("binary_accuracy", ONE_HOT, Y, 4 / 6),
        ("top_k_categorical_accuracy", ONE_HOT, [[0.1, 0.3, 0.6], [0.1, 0.3, 0.6]], 0.5),
    ],
)
def test_by_hand(name: str, t: Any, y: Any, wanted: float) -> None:
    given = {"k": 2} if "top_k" in name else {}
    found = mean(name, t, y, **given)
    assert found.mid == pytest.approx(wanted, rel=1e-6)
    assert found.low <= wanted <= found.high


def test_a_constant_of_a_thousandth_over_1000_classes() -> None:
    t, y = np.eye(1000)[[0, 5, 7]], np.full((3, 1000), 0.001)
    assert mean("binary_accuracy", t, y).mid == pytest.approx(0.999)
    assert mean("categorical_accuracy", t, y).mid == pytest.approx(1 / 3)  # ties go to class 0


def test_an_open_decision_counts_both_ways() -> None:
    found = mean("categorical_accuracy", ONE_HOT, [[0.5, 0.4999, 0.0], [0.9, 0.1, 0.0]], radius=1e-3)
    assert [round(float(v), 4) for v in (found.low, found.mid, found.high)] == [0.0, 0.5, 0.5]
    near = mean("binary_accuracy", [[1], [1]], [[0.5001], [0.9]], radius=1e-3)
    assert [round(float(v), 4) for v in (near.low, near.mid, near.high)] == [0.5, 1.0, 1.0]


@pytest.mark.parametrize("keras", [2, 3])
def test_the_clipping_of_each_keras(keras: int) -> None:
    """A probability of 1 where 0 was right: log 2⁻²³, to which Keras 2 adds 1e-7."""
    wanted = -log(2**-23 + (float(np.float32(1e-7)) if keras == 2 else 0.0))
    assert mean("binary_crossentropy", [[0.0]], [[1.0]], keras=keras).mid == pytest.approx(wanted, rel=1e-9)


def test_a_smaller_last_batch_weighs_more_in_a_mean_of_batches() -> None:
    row = NAMES["mae"]
    assert row.by_sample is not None
    samples = row.by_sample(np.zeros((3, 1)), Predictions(np.array([[1.0], [2.0], [6.0]]), 0.0), {}, 3)
    assert loss_mean(samples, None, 2).mid == pytest.approx(3.0)
    assert loss_mean(samples, None, 2, of_batches=True).mid == pytest.approx((1.5 + 6) / 2)
    weights = np.array([1.0, 0.0, 3.0])
    assert loss_mean(samples, weights, 2).mid == pytest.approx(19 / 3)
    assert metric_mean(samples, weights, 2).mid == pytest.approx(19 / 4)


def test_precision_and_recall_with_an_undecided_prediction() -> None:
    t, p = np.array([[1], [1], [0], [0]]), Predictions(np.array([[0.9], [0.2], [0.5005], [0.8]]), 1e-3)
    given = NAMES["precision"].parameters
    share = precision(t, p, given, None)
    assert (share.part, share.whole) == (1, 3)
    assert [float(v) for v in (share.value.low, share.value.mid, share.value.high)] == [1 / 3, 1 / 3, 1 / 2]
    assert recall(t, p, given, None).value.mid == 0.5
    with pytest.raises(Unsettled, match="several thresholds"):
        precision(t, p, {**given, "thresholds": [0.1, 0.9]}, None)


@pytest.mark.parametrize(
    ("name", "t", "y", "said"),
    [
        ("mse", np.zeros((2, 3)), np.zeros((2, 4)), "do not fit"),
        ("sparse_categorical_accuracy", np.zeros((2, 3)), np.zeros((2, 3)), "no class numbers"),
        ("sparse_categorical_crossentropy", np.array([0, 9]), np.full((2, 3), 0.3), "from 0 to 2"),
        ("categorical_accuracy", np.zeros(2), np.zeros((2, 3)), "not one-hot"),
        ("categorical_crossentropy", np.eye(2), -np.eye(2), "no probabilities"),
    ],
)
def test_what_is_not_computed_says_why(name: str, t: np.ndarray, y: np.ndarray, said: str) -> None:
    with pytest.raises(Unsettled, match=said):
        mean(name, t, y)
