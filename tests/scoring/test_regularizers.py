"""What regularizers add, by hand, and those that are not computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refconv.graph import Graph, Node, Origin, Weight
from refconv.scoring.predictions import Unsettled
from refconv.scoring.regularizers import penalty

W = np.array([[1.0, -2.0], [0.5, 0.0]], np.float32)


def graph(config: dict[str, Any], *, trainable: bool = True, twice: bool = False) -> Graph:
    weight = Weight("kernel", "d/kernel", W.shape, "float32", lambda: W, trainable)
    node = Node(0, "d", "Dense", None, (), Origin("Dense", "keras3", config), weights={"kernel": weight})
    nodes = (node, node) if twice else (node,)
    return Graph(nodes, (), (), (), "m.keras", "keras", "3", "tensorflow", "keras3")


def l1_l2(l1: float, l2: float) -> dict[str, Any]:
    return {"class_name": "L1L2", "config": {"l1": l1, "l2": l2}}


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({}, 0.0),
        ({"kernel_regularizer": None, "bias_regularizer": None}, 0.0),
        ({"kernel_regularizer": "l2"}, 0.0525),
        ({"kernel_regularizer": "l1"}, 0.035),
        ({"kernel_regularizer": l1_l2(0.1, 1.0)}, 0.35 + 5.25),
        ({"kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.5}}}, 2.625),
        ({"layer": {"class_name": "QDense", "config": {"kernel_regularizer": l1_l2(0.0, 1.0)}}}, 5.25),
    ],
)
def test_by_hand(config: dict[str, Any], wanted: float) -> None:
    for twice in (False, True):  # a shared layer's weights count once
        found = penalty(graph(config, twice=twice), 3)
        assert found.mid == pytest.approx(wanted, rel=1e-6)
        assert found.low <= found.mid <= found.high <= wanted * 1.0001


def test_frozen_weights_count_in_keras_2_alone() -> None:
    frozen = graph({"kernel_regularizer": "l2"}, trainable=False)
    assert (penalty(frozen, 3).mid, penalty(frozen, 2).mid > 0) == (0, True)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"activity_regularizer": "l2"}, "activity_regularizer has no reference"),
        ({"kernel_regularizer": {"class_name": "OrthogonalRegularizer", "config": {}}}, "OrthogonalRegularizer"),
        ({"layer": {"config": {"recurrent_regularizer": "l1"}}}, "recurrent_regularizer has no reference"),
    ],
)
def test_what_is_not_computed_says_why(config: dict[str, Any], said: str) -> None:
    with pytest.raises(Unsettled, match=said):
        penalty(graph(config), 3)
