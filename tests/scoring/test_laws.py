"""Every row of the table beside both Kerases: the framework's value lies in the range, and a wrong one does not."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from support.live import PACKAGES

from refconv.scoring.means import loss_mean, metric_mean, root
from refconv.scoring.names import Term
from refconv.scoring.predictions import Predictions
from refconv.scoring.spread import Spread
from refconv.scoring.table import NAMES, ROWS, Row

N, BATCH = 11, 4  # a last batch that is smaller
BY_SAMPLE = [row for row in ROWS if row.by_sample is not None]

PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "binary_crossentropy": [{}, {"label_smoothing": 0.1}, {"from_logits": True}],
    "categorical_crossentropy": [{}, {"label_smoothing": 0.2}, {"from_logits": True}],
    "sparse_categorical_crossentropy": [{}, {"from_logits": True}],
    "huber": [{}, {"delta": 0.3}],
    "binary_accuracy": [{}, {"threshold": 0.2}],
    "top_k_categorical_accuracy": [{}, {"k": 2}],
    "sparse_top_k_categorical_accuracy": [{"k": 3}],
    "precision": [{}, {"thresholds": 0.2}],
    "recall": [{}, {"thresholds": 0.2}],
}
CASES = [(row, given) for row in ROWS for given in PARAMETERS.get(row.name, [{}])]
NAMED = [f"{row.name}-{'-'.join(map(str, given.values()))}" for row, given in CASES]


def keras_of(major: int) -> Any:
    return import_module(PACKAGES[major])


def data(row: Row, given: dict[str, Any], seed: int, classes: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Targets, and predictions (N, classes) in float32."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(N, classes)).astype(np.float32) * 3
    if not given.get("from_logits"):
        y = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
    labels = rng.integers(0, classes, N)
    return (labels if "sparse" in row.name else np.eye(classes, dtype=np.float32)[labels]), y


def spread(row: Row, given: dict[str, Any], t: np.ndarray, p: Predictions, w: Any, keras: int, loss: bool) -> Spread:
    term = Term(row, row.name, {**row.parameters, **given})
    if row.of_all is not None:
        return row.of_all(t, p, term.parameters, w).value.widen(1e-7)
    assert row.by_sample is not None
    samples = row.by_sample(t, p, term.parameters, keras)
    mean = (loss_mean if loss else metric_mean)(samples, w, BATCH)
    return root(mean) if row.rooted else mean


def metric_value(keras: Any, row: Row, given: dict[str, Any], t: np.ndarray, y: Any, w: Any) -> float:
    if row.name == "huber":  # a metric that is a loss's function
        metric = keras.metrics.MeanMetricWrapper(keras.losses.huber, **given)
    else:
        metric = getattr(keras.metrics, row.classes[0])(**given)
    for at in range(0, N, BATCH):
        part = slice(at, at + BATCH)
        metric.update_state(t[part], y[part], None if w is None else w[part])
    return float(np.asarray(metric.result()))


@pytest.mark.parametrize("keras", [2, 3])
@pytest.mark.parametrize(("row", "given"), CASES, ids=NAMED)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_metric_is_what_keras_reports(row: Row, given: dict[str, Any], keras: int, weighted: bool) -> None:
    for seed in range(3):
        t, y = data(row, given, seed)
        w = np.random.default_rng(seed).uniform(0, 2, N).astype(np.float32) if weighted else None
        got = metric_value(keras_of(keras), row, given, t, y, w)
        found = spread(row, given, t, Predictions(y.astype(np.float64), 0.0), w, keras, loss=False)
        assert found.low <= got <= found.high
        assert found.high - found.low < 2e-4 * max(1.0, float(found.mid))
        assert not found.low <= got * (1 + 1e-3) + 1e-3 <= found.high  # and it would not be anything


LOSSES = [(row, given) for row, given in CASES if row.loss]


@pytest.mark.parametrize("keras", [2, 3])
@pytest.mark.parametrize(("row", "given"), LOSSES, ids=[n for n, (r, _) in zip(NAMED, CASES, strict=True) if r.loss])
def test_a_loss_is_what_keras_computes(row: Row, given: dict[str, Any], keras: int) -> None:
    for seed in range(3):
        t, y = data(row, given, seed)
        w = np.random.default_rng(seed).uniform(0, 2, N).astype(np.float32)
        got = float(getattr(keras_of(keras).losses, row.classes[0])(**given)(t, y, sample_weight=w))
        found = spread(row, given, t, Predictions(y.astype(np.float64), 0.0), w, keras, loss=True)
        assert found.low <= got <= found.high
        assert not found.low <= got * (1 + 1e-3) + 1e-3 <= found.high


@pytest.mark.parametrize("keras", [2, 3])
@pytest.mark.parametrize("squash", ["softmax", "sigmoid"])
@pytest.mark.parametrize("name", ["binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_a_crossentropy_takes_back_the_logits_of_either_function(name: str, squash: str, keras: int) -> None:
    """Saturated, where clipped probabilities would give at most −log 1e-7 = 16.1 for an element."""
    import tensorflow as tf

    row, package = NAMES[name], keras_of(keras)
    rng = np.random.default_rng(0)
    z = (rng.normal(size=(N, 5)) * 60).astype(np.float32)
    t, _ = data(row, {}, 0, classes=5)
    y = getattr(package.activations, squash)(tf.constant(z))
    got = float(getattr(package.losses, row.classes[0])()(t, y))
    p = Predictions(np.asarray(y, np.float64), 0.0, squash, z.astype(np.float64), 0.0)
    found = spread(row, {}, t, p, None, keras, loss=True)
    assert found.low <= got <= found.high
    clipped = spread(row, {}, t, Predictions(p.mid, 0.0), None, keras, loss=True)
    assert not clipped.low <= got <= clipped.high


@pytest.mark.parametrize(("row", "given"), CASES, ids=NAMED)
@pytest.mark.parametrize("keras", [2, 3])
def test_the_range_holds_every_prediction_within_the_radius(row: Row, given: dict[str, Any], keras: int) -> None:
    for seed in range(4):
        t, y = data(row, given, seed)
        rng, mid = np.random.default_rng(seed), y.astype(np.float64)
        for radius in (1e-6, 1e-3):
            p = Predictions(mid, radius)
            wide = spread(row, given, t, p, None, keras, loss=False)
            for _ in range(5):
                moved = mid + radius * rng.choice([-1, 1, 0.3], mid.shape)
                moved = moved if given.get("from_logits") else np.maximum(moved, 0)  # probabilities
                one = spread(row, given, t, Predictions(moved, 0.0), None, keras, loss=False)
                assert wide.low <= one.mid <= wide.high
            # not much wider than predictions can make it: twice the farthest of what the ends of all elements give
            if row.loss and "crossentropy" not in row.name and row.name != "kl_divergence":
                assert wide.high - wide.low < 20 * radius * 3 + 1e-4


@pytest.mark.parametrize("name", ["binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_the_range_holds_every_logit_within_the_reach(name: str) -> None:
    row = NAMES[name]
    for seed in range(4):
        rng = np.random.default_rng(seed)
        z = rng.normal(size=(N, 6)) * 4
        t, _ = data(row, {}, seed, classes=6)
        for reach in (1e-5, 1e-2):
            wide = spread(row, {}, t, Predictions(z, 0.0, "softmax", z, reach), None, 3, loss=True)
            for _ in range(20):
                moved = z + reach * rng.choice([-1, 1], z.shape)
                one = spread(row, {}, t, Predictions(z, 0.0, "softmax", moved, 0.0), None, 3, loss=True)
                assert wide.low <= one.mid <= wide.high
            assert wide.high - wide.low < 8 * reach + 1e-4


@pytest.mark.parametrize("row", BY_SAMPLE, ids=lambda row: row.name)
def test_a_row_is_found_under_all_its_names(row: Row) -> None:
    for name in (row.name, *row.aliases, *row.classes):
        assert NAMES[name] is row


def test_no_two_rows_share_a_name() -> None:
    names = [name for row in ROWS for name in (row.name, *row.aliases, *row.classes)]
    assert len(names) == len(set(names))
