"""One row per loss and metric: Keras's names for it, its parameters, what computes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refconv.scoring import accuracy, confusion, crossentropy, regression
from refconv.scoring.confusion import Share
from refconv.scoring.predictions import Predictions
from refconv.scoring.spread import Samples

Parameters = Mapping[str, Any]
BySample = Callable[[np.ndarray, Predictions, Parameters, int], Samples]
OfAll = Callable[[np.ndarray, Predictions, Parameters, "np.ndarray | None"], Share]


@dataclass(frozen=True)
class Row:
    """One loss or metric.

    Attributes:
        name: what Keras calls the function, with underscores.
        said: in words.
        classes: Keras's classes for it.
        aliases: Keras's other names for it.
        parameters: with Keras's defaults.
        by_sample: (target, predictions, parameters, Keras's major version) → a value for each sample, of which the
            mean is taken; None where it is not such a mean.
        of_all: (target, predictions, parameters, weights) → a share of all samples.
        rooted: the root of the mean is taken.
        loss: it may be a loss too.
    """

    name: str
    said: str
    classes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    parameters: Parameters = field(default_factory=dict)
    by_sample: BySample | None = None
    of_all: OfAll | None = None
    rooted: bool = False
    loss: bool = False


SMOOTHED = {"from_logits": False, "label_smoothing": 0.0, "axis": -1}
SPARSE = {"from_logits": False, "ignore_class": None, "axis": -1}
CONFUSION = {"thresholds": None, "top_k": None, "class_id": None}

ROWS: tuple[Row, ...] = (
    Row(
        "binary_crossentropy", "binary crossentropy", ("BinaryCrossentropy",), ("bce", "BCE"), SMOOTHED,
        crossentropy.binary, loss=True,
    ),
    Row(
        "categorical_crossentropy", "categorical crossentropy", ("CategoricalCrossentropy",), (), SMOOTHED,
        crossentropy.categorical, loss=True,
    ),
    Row(
        "sparse_categorical_crossentropy", "sparse categorical crossentropy", ("SparseCategoricalCrossentropy",), (),
        SPARSE, crossentropy.sparse, loss=True,
    ),
    Row(
        "kl_divergence", "Kullback-Leibler divergence", ("KLDivergence",),
        ("kld", "KLD", "kullback_leibler_divergence"), {}, crossentropy.divergence, loss=True,
    ),
    Row(
        "mean_squared_error", "mean squared error", ("MeanSquaredError",), ("mse", "MSE"), {}, regression.squared,
        loss=True,
    ),
    Row(
        "mean_absolute_error", "mean absolute error", ("MeanAbsoluteError",), ("mae", "MAE"), {},
        regression.absolute, loss=True,
    ),
    Row(
        "root_mean_squared_error", "root mean squared error", ("RootMeanSquaredError",), (), {}, regression.squared,
        rooted=True,
    ),
    Row("huber", "Huber loss", ("Huber",), ("huber_loss",), {"delta": 1.0}, regression.huber, loss=True),
    Row("hinge", "hinge", ("Hinge",), (), {}, regression.hinge, loss=True),
    Row("squared_hinge", "squared hinge", ("SquaredHinge",), (), {}, regression.squared_hinge, loss=True),
    Row(
        "categorical_hinge", "categorical hinge", ("CategoricalHinge",), (), {}, regression.categorical_hinge,
        loss=True,
    ),
    Row(
        "binary_accuracy", "binary accuracy", ("BinaryAccuracy",), ("binary_matches",), {"threshold": 0.5},
        accuracy.binary,
    ),
    Row("categorical_accuracy", "categorical accuracy", ("CategoricalAccuracy",), (), {}, accuracy.categorical),
    Row(
        "sparse_categorical_accuracy", "sparse categorical accuracy", ("SparseCategoricalAccuracy",), (), {},
        accuracy.sparse_categorical,
    ),
    Row(
        "top_k_categorical_accuracy", "top-k categorical accuracy", ("TopKCategoricalAccuracy",), (), {"k": 5},
        accuracy.top_k,
    ),
    Row(
        "sparse_top_k_categorical_accuracy", "sparse top-k categorical accuracy", ("SparseTopKCategoricalAccuracy",),
        (), {"k": 5, "from_sorted_ids": False}, accuracy.sparse_top_k,
    ),
    Row("precision", "precision", ("Precision",), (), CONFUSION, of_all=confusion.precision),
    Row("recall", "recall", ("Recall",), (), CONFUSION, of_all=confusion.recall),
)  # fmt: skip

NAMES: dict[str, Row] = {name: row for row in ROWS for name in (row.name, *row.aliases, *row.classes)}
