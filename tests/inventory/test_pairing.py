"""Layers of two models, matched by name, else by structure."""

from __future__ import annotations

import numpy as np
from inventory.test_change import live

from refconv.inventory.pairing import INNER, NAME, STRUCTURE, pair_layers, pair_weights
from refconv.inventory.sides import Layer


def layers(*described: tuple[str, str, tuple[int, ...]]) -> dict[str, Layer]:
    return {path: Layer(path, kind, {"kernel": live(np.zeros(shape))}) for path, kind, shape in described}


def paired(a: dict[str, Layer], b: dict[str, Layer]) -> list[tuple[str, str, str]]:
    return [(p.a.path if p.a else "", p.b.path if p.b else "", p.by) for p in pair_layers(a, b)]


def test_by_name_whatever_the_order_and_the_shape() -> None:
    a = layers(("x", "Dense", (2, 3)), ("y", "Dense", (3, 3)))
    b = layers(("y", "Dense", (3, 4)), ("x", "Dense", (2, 3)))
    assert paired(a, b) == [("y", "y", NAME), ("x", "x", NAME)]


def test_by_name_within_another_model() -> None:
    a = layers(("conv1", "Conv2D", (3, 3, 1, 2)), ("conv2", "Conv2D", (3, 3, 2, 2)))
    b = layers(
        ("base/conv2", "Conv2D", (3, 3, 2, 2)), ("base/conv1", "Conv2D", (3, 3, 9, 2)), ("head", "Dense", (2, 2))
    )
    assert paired(a, b) == [("conv1", "", ""), ("conv2", "base/conv2", INNER), ("", "base/conv1", ""), ("", "head", "")]


def test_by_structure_in_order() -> None:
    a = layers(("dense_3", "Dense", (2, 3)), ("norm", "BatchNormalization", (3,)), ("dense_4", "Dense", (3, 3)))
    b = layers(("dense", "Dense", (2, 3)), ("dense_1", "Dense", (3, 3)))
    assert paired(a, b) == [("dense_3", "dense", STRUCTURE), ("norm", "", ""), ("dense_4", "dense_1", STRUCTURE)]


def test_another_class_is_no_match() -> None:
    assert paired(layers(("x", "Dense", (2, 3))), layers(("y", "Embedding", (2, 3)))) == [("", "y", ""), ("x", "", "")]


def test_weights() -> None:
    one, two = live(np.zeros(1)), live(np.zeros(2))
    assert pair_weights({"kernel": two, "bias": one}, {"bias": one, "kernel": two}) == [
        ("bias", one, one),
        ("kernel", two, two),
    ]
    assert pair_weights({"kernel": two, "bias": one}, {"var0": two, "var1": one}) == [
        ("var0", two, two),
        ("var1", one, one),
    ]
    assert pair_weights({"kernel": two}, {"kernel": two, "bias": one}) == [("kernel", two, two), ("bias", None, one)]
