"""What initialisers draw, told from what was trained."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from inventory.test_change import live

from refconv.inventory.initial import Drawn, fresh, initialiser

SHAPE = (3, 3, 16, 24)
RNG = np.random.default_rng(0)
OTHER = RNG.normal(0, 0.1, SHAPE).astype(np.float32)
NAMES = ["GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal", "RandomUniform",
         "RandomNormal", "TruncatedNormal", "VarianceScaling"]  # fmt: skip


def drawn(class_name: str, **config: Any) -> tuple[np.ndarray, Drawn]:
    maker = getattr(keras.initializers, class_name)(**config)
    found = initialiser({"kernel_initializer": keras.initializers.serialize(maker)}, "kernel", SHAPE)
    assert found is not None
    return np.asarray(maker(SHAPE, "float32")), found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_keras_draws_is_known_again(name: str, seed: int) -> None:
    values, known = drawn(name, seed=seed)
    found = fresh(live(values), live(OTHER), known)
    assert found is not None and found.deviation == pytest.approx(known.deviation, rel=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_trained_is_not(name: str) -> None:
    """Drawn elsewhere, and moved by a tenth of its size since; and what has another spread."""
    values, known = drawn(name, seed=1)
    moved = values + RNG.normal(0, 0.1 * values.std(), SHAPE).astype(np.float32)
    assert fresh(live(moved), live(values), known) is None
    assert fresh(live(values * np.float32(1.2)), live(OTHER), known) is None
    assert fresh(live(values + np.float32(0.3 * values.std())), live(OTHER), known) is None


def test_the_same_draw_is_no_new_one() -> None:
    values, known = drawn("HeNormal", seed=1)
    assert fresh(live(values), live(values), known) is None


def test_few_values_say_nothing() -> None:
    values, known = drawn("GlorotUniform", seed=1)
    assert fresh(live(values[0, 0, 0]), live(OTHER[0, 0, 0]), known) is None


@pytest.mark.parametrize(("name", "value"), [("Zeros", 0.0), ("Ones", 1.0)])
def test_constants(name: str, value: float) -> None:
    known = initialiser({"bias_initializer": {"class_name": name, "config": {}}}, "bias", (4,))
    assert known is not None
    as_made, other = np.full(4, value, np.float32), np.float32([1, 2, 3, 4])
    assert fresh(live(as_made), live(other), known) is not None
    as_made[2] += 1
    assert fresh(live(as_made), live(other), known) is None


@pytest.mark.parametrize(
    ("config", "name", "wanted"),
    [
        ({"init": "glorot_uniform"}, "kernel", "glorotuniform"),  # Keras 1
        ({"depthwise_initializer": {"class_name": "HeNormal", "config": {}}}, "depthwise_kernel", "henormal"),
        ({"moving_variance_initializer": {"class_name": "Ones"}}, "moving_variance", "ones"),
        ({"kernel_initializer": "he_normal"}, "cell/kernel", "henormal"),
        ({"kernel_initializer": {"class_name": "Custom>HeNormal", "config": {}}}, "kernel", "henormal"),
    ],
)
def test_spellings(config: dict[str, Any], name: str, wanted: str) -> None:
    found = initialiser(config, name, (3, 4))
    assert found is not None and found.name == wanted


@pytest.mark.parametrize(
    "raw", [None, 7, {"class_name": "Mine"}, {"class_name": "RandomNormal", "config": {"stddev": "x"}}, "orthogonal",
            {"class_name": "VarianceScaling", "config": {"mode": "sideways"}}, {"class_name": None, "config": []}]
)  # fmt: skip
def test_what_is_not_known(raw: Any) -> None:
    assert initialiser({"kernel_initializer": raw}, "kernel", (3, 4)) is None
