"""Every number of float16 and bfloat16 through every activation of both Keras versions, eagerly and in XLA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from refconv.compare.declared import mixed
from refconv.compare.stage1 import deviate
from refconv.numerics.enclosure import point
from refconv.numerics.formats import BFLOAT16, FLOAT16, FLOAT32, Format, float64
from refconv.ops.activations import activate, activation

BOTH = ("relu", "elu", "selu", "gelu", "softplus", "softsign", "sigmoid", "hard_sigmoid", "tanh", "exponential", "mish")
KERAS3 = ("relu6", "silu", "celu", "hard_shrink", "hard_silu", "hard_tanh", "log_sigmoid", "soft_shrink",
          "sparse_plus", "sparse_sigmoid", "squareplus", "tanh_shrink", "threshold", "leaky_relu")  # fmt: skip
GIVEN = {"threshold": {"threshold": 0.3, "default_value": 0.1}, "leaky_relu": {"negative_slope": 0.2}}
CASES = [(keras, name) for name in (*BOTH, *KERAS3)] + [(tf_keras, name) for name in BOTH]


def numbers(fmt: Format) -> np.ndarray:
    """All finite ones; of bfloat16's, not those whose products with each other are subnormal."""
    dtype = np.float16 if fmt is FLOAT16 else ml_dtypes.bfloat16
    x = np.arange(2**16, dtype=np.uint16).view(dtype)
    size = np.abs(float64(x))
    return x[np.isfinite(size) & ((size > 1e-36) | (fmt is FLOAT16))]


def reference(package: Any, name: str, parameters: dict[str, float]) -> Any:
    canonical = "hard_sigmoid_keras2" if package is tf_keras and name == "hard_sigmoid" else name
    return activation({"name": canonical, "parameters": parameters})


@pytest.mark.parametrize("fmt", [FLOAT16, BFLOAT16], ids=["float16", "bfloat16"])
@pytest.mark.parametrize("case", CASES, ids=[f"{package.__name__}-{name}" for package, name in CASES])
def test_every_number_lies_inside(case: tuple[Any, str], fmt: Format) -> None:
    package, name = case
    x, parameters = numbers(fmt), GIVEN.get(name, {})
    enclosure = activate(reference(package, name, parameters), point(x), mixed(fmt)[0])

    def run(values: Any) -> Any:
        return getattr(package.activations, name)(values, **parameters)

    modes: tuple[Callable[..., Any], ...] = (run, tf.function(run, jit_compile=True))
    for mode in modes:
        got = np.asarray(mode(tf.constant(x)))
        assert got.dtype == x.dtype
        assert not deviate(enclosure, got, fmt).outside.any()


@pytest.mark.parametrize("fmt", [FLOAT16, BFLOAT16], ids=["float16", "bfloat16"])
def test_another_function_lies_outside(fmt: Format) -> None:
    x = numbers(fmt)
    exact = activate(activation("sigmoid"), point(x), mixed(fmt)[0])
    other = fmt.round(np.clip(x.astype(np.float64) / 6 + 0.5, 0, 1))
    assert deviate(exact, other, fmt).impossible.any()


def test_a_constant_is_rounded_to_the_format() -> None:
    """0.2 is 0.2001953125 in bfloat16: times −1 that is the result, and float32's 0.2 is not."""
    leaky = activation({"name": "leaky_relu", "parameters": {"negative_slope": 0.2}})
    assert activate(leaky, point(np.float32([-1])), mixed(BFLOAT16)[0]).mid[0] == -0.2001953125
    assert activate(leaky, point(np.float32([-1])), mixed(BFLOAT16)[0].wide).mid[0] == -FLOAT32.round(0.2)
