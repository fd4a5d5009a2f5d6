"""Faults planted into the weights of a live model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def set_weight(layer: str, index: int, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Any], None]:
    """Plants a change of weight number `index` of a layer."""

    def plant(model: Any) -> None:
        weights = model.get_layer(layer).get_weights()
        weights[index] = change(weights[index])
        model.get_layer(layer).set_weights(weights)

    return plant


def one_percent(w: np.ndarray) -> np.ndarray:
    """The largest weight off by 1%."""
    changed = w.copy()
    changed.flat[int(np.argmax(np.abs(w)))] *= 1.01
    return changed
