"""A maximum of subnormals: any of them may come out where a processor takes them for zeros, and nothing else may."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from support.one import run

from refconv.compare.stage1 import deviate

SMALL = np.array([-7.8e-39, 4e-39, 2e-39], np.float32).reshape(1, 3, 1)


def allowed(values: Any, got: float, **config: Any) -> bool:
    found = run("MaxPooling1D", {"pool_size": 3, **config}, np.asarray(values).reshape(1, 3, 1))
    return not deviate(found, np.array(got, np.float32).reshape(1, 1, 1)).outside.any()


@pytest.mark.parametrize("got", [*SMALL.ravel().tolist(), 0.0])
def test_any_of_them_may_come_out(got: float) -> None:
    assert allowed(SMALL, got)


def test_nothing_larger_may() -> None:
    """The radius reaches from the largest to the farthest, to both sides."""
    assert not allowed(SMALL, 1.7e-38)
    assert not allowed(SMALL, -8e-39)


def test_where_the_largest_is_zero_a_subnormal_below_it_may() -> None:
    assert allowed([-4e-39, 0, -1], -4e-39)
    assert not allowed([-4e-39, 0, -1], -1e-37)


def test_elsewhere_bits_are_demanded() -> None:
    assert not allowed([4e-39, 1, 0.5], np.nextafter(np.float32(1), np.float32(2)))
    assert run("MaxPooling1D", {"pool_size": 3}, np.array([4e-39, 1, 0.5]).reshape(1, 3, 1)).exact
    assert run("MaxPooling1D", {"pool_size": 3}, np.array([-1, 0, -3.0]).reshape(1, 3, 1)).exact


@pytest.mark.parametrize("name", ["MaxPooling2D", "AdaptiveMaxPooling2D"])
def test_tensorflow_stays_inside(name: str) -> None:
    x = (np.random.default_rng(0).standard_normal((2, 6, 6, 4)) * 1e-39).astype(np.float32)
    config = {"pool_size": (6, 6)} if name == "MaxPooling2D" else {"output_size": (2, 2)}
    import keras

    got = np.asarray(getattr(keras.layers, name)(**config)(tf.constant(x)))
    assert not deviate(run(name, config, x), got).outside.any()
