"""Functions made of straight pieces: exact, or a rounding or two.

Constants are those of the framework: a Python float becomes float32 before it is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from refconv.numerics.formats import FLOAT32, Format
from refconv.ops.functions.base import DIVISION, POW, Function, Parameters, relative


def constant(value: Any) -> Any:
    """`value`, a number or an array, as a float32 kernel sees it."""
    return np.float64(np.float32(value))


def both_sides(point: float) -> tuple[float, float]:
    """A jump at `point`: there, and just above."""
    return point, float(np.nextafter(point, np.inf))


def relu(x: np.ndarray, p: Parameters) -> np.ndarray:
    """x above the threshold, but at most max_value; negative_slope·(x − threshold) from the threshold down."""
    slope, threshold = constant(p["negative_slope"]), constant(p["threshold"])
    if _plain(p):
        return np.maximum(x, 0.0)
    above = x if p["max_value"] is None else np.minimum(x, constant(p["max_value"]))
    below = slope * (x - threshold) if slope else np.where(np.isnan(x) & (threshold == 0), x, 0.0)
    return np.where(x > threshold, above, below)


def _plain(p: Parameters) -> bool:
    """max(x, 0) and nothing else; NaN stays."""
    return not p["negative_slope"] and not p["threshold"] and p["max_value"] is None


def relu_error(x: np.ndarray, y: np.ndarray, p: Parameters, fmt: Format) -> np.ndarray | None:
    """slope·(x − threshold): the product rounds, and the difference if there is one; x itself does not."""
    if not p["negative_slope"]:
        return None
    roundings = 2 if p["threshold"] else 1
    return np.where(x > constant(p["threshold"]), 0.0, roundings * fmt.u * np.abs(y))


def relu_disputed(x: np.ndarray, p: Parameters) -> np.ndarray | bool:
    """With a threshold Keras 2 multiplies by a 0/1 mask (NaN and −Inf give NaN), Keras 3 selects (both give 0)."""
    return np.isnan(x) | (x == -np.inf) if p["threshold"] else False


def relu_reach(x: np.ndarray, r: np.ndarray, p: Parameters) -> np.ndarray | None:
    """max(x, 0), not clipped above: r upwards, less what lies below zero; downwards it moves no further."""
    if not _plain(p):
        return None
    if np.min(r, initial=np.inf) == np.inf:
        return np.broadcast_to(np.inf, x.shape)
    reach = np.asarray(x + r)
    return np.clip(reach, 0.0, r, out=reach)


def leaky(x: np.ndarray, p: Parameters) -> np.ndarray:
    return np.where(x > 0, x, constant(p["negative_slope"]) * x)


def leaky_error(x: np.ndarray, y: np.ndarray, p: Parameters, fmt: Format) -> np.ndarray:
    """One product below zero."""
    return np.where(x > 0, 0.0, fmt.u * np.abs(y))


def relu6(x: np.ndarray, p: Parameters) -> np.ndarray:
    return np.clip(x, 0.0, 6.0)


def hard_sigmoid(x: np.ndarray, p: Parameters) -> np.ndarray:
    """relu6(x + 3)/6."""
    return np.clip(x + 3, 0.0, 6.0) / 6


def hard_sigmoid_keras2(x: np.ndarray, p: Parameters) -> np.ndarray:
    """clip(0.2x + 0.5, 0, 1), 0.2 in float32."""
    return np.clip(constant(0.2) * x + 0.5, 0.0, 1.0)


def hard_sigmoid_keras2_error(x: np.ndarray, y: np.ndarray, p: Parameters, fmt: Format) -> np.ndarray:
    """The product rounds (at most 0.5 or the clip decides), in a narrower format 0.2 first; then the sum."""
    roundings = 1 if fmt.u <= FLOAT32.u else 2
    return fmt.u * (roundings * np.minimum(0.2 * np.abs(x), 0.5) + np.abs(y))


def hard_silu(x: np.ndarray, p: Parameters) -> np.ndarray:
    """x·relu6(x + 3)/6."""
    return np.where(x == -np.inf, 0.0, x * hard_sigmoid(x, p))


def product(x: np.ndarray, p: Parameters) -> np.ndarray:
    """−Inf·0, or −Inf times a value that a clamp kept from 0."""
    return x == -np.inf


def soft_shrink(x: np.ndarray, p: Parameters) -> np.ndarray:
    """x pulled towards zero by the threshold; NaN, being on neither side, gives 0."""
    t = constant(p["threshold"])
    return np.where(x > t, x - t, np.where(x < -t, x + t, 0.0))


def hard_shrink(x: np.ndarray, p: Parameters) -> np.ndarray:
    """x where |x| passes the threshold, else 0; NaN passes none."""
    return np.where(np.abs(x) > constant(p["threshold"]), x, 0.0)


def threshold(x: np.ndarray, p: Parameters) -> np.ndarray:
    return np.where(x > constant(p["threshold"]), x, constant(p["default_value"]))


def hard_shrink_turns(p: Parameters) -> tuple[float, ...]:
    t = constant(p["threshold"])
    return (float(np.nextafter(-t, -np.inf)), -t, *both_sides(t))


def threshold_turns(p: Parameters) -> tuple[float, ...]:
    return both_sides(constant(p["threshold"]))


def sparse_plus(x: np.ndarray, p: Parameters) -> np.ndarray:
    """0 up to −1, (x + 1)²/4 between, x from 1 on."""
    return np.where(x <= -1, 0.0, np.where(x < 1, 0.25 * (x + 1) ** 2, x))


def sparse_plus_error(x: np.ndarray, y: np.ndarray, p: Parameters, fmt: Format) -> np.ndarray:
    """Between −1 and 1 the sum rounds and is squared by a power function."""
    return np.where(np.abs(x) < 1, (2 + POW) * fmt.u * y, 0.0)


def sparse_sigmoid(x: np.ndarray, p: Parameters) -> np.ndarray:
    """0 up to −1, (x + 1)/2 between, 1 from 1 on."""
    return np.clip(0.5 * (x + 1), 0.0, 1.0)


RELU = {"negative_slope": 0.0, "max_value": None, "threshold": 0.0}

FUNCTIONS = (
    Function("relu", relu, relu_error, threshold_turns, RELU, relu_disputed, relu_reach),
    Function("relu6", relu6),
    Function("leaky_relu", leaky, leaky_error, lambda p: (0.0,), {"negative_slope": 0.2}),
    # x + 3 and the quotient round; both are relative to the result, since x is given exactly.
    Function("hard_sigmoid", hard_sigmoid, relative(1 + DIVISION)),
    Function("hard_sigmoid_keras2", hard_sigmoid_keras2, hard_sigmoid_keras2_error),
    Function("hard_silu", hard_silu, relative(2 + DIVISION), lambda p: (-3.0, -1.5), disputed=product),
    Function("hard_tanh", lambda x, p: np.clip(x, -1.0, 1.0)),
    Function("soft_shrink", soft_shrink, relative(1), parameters={"threshold": 0.5}),
    Function("hard_shrink", hard_shrink, turns=hard_shrink_turns, parameters={"threshold": 0.5}),
    Function("threshold", threshold, turns=threshold_turns, parameters={"threshold": ..., "default_value": ...}),
    Function("sparse_plus", sparse_plus, sparse_plus_error),
    Function("sparse_sigmoid", sparse_sigmoid, relative(1)),
)
