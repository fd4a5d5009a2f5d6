"""The float32 steps that QKeras's formulas are made of, as TensorFlow's CPU kernels take them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from refconv.numerics.formats import FLOAT32

Nudge = int | np.ndarray  # −1 and +1: the least and the greatest that a conforming kernel may return; 0: the nearest

EPSILON = np.float32(1e-7)  # K.epsilon()
LN2 = np.float32(np.log(2.0))
# Errors of float32 kernels in units of u|y|: OpenCL's tanh 5 ulp, log 3, sqrt 3, division 2.5; the sigmoid's is that
# of exp (3 ulp), a sum and a quotient.
TANH, SIGMOID, LOG, SQRT, DIVISION = 10, 14, 6, 6, 5


def f32(value: ArrayLike) -> np.ndarray:
    return np.asarray(value, dtype=np.float32)


def flush(x: ArrayLike) -> np.ndarray:
    """float32 with subnormals taken as 0 of their sign (TRAPS 33)."""
    x = f32(x)
    return np.where(np.abs(x) < FLOAT32.tiny, np.copysign(np.float32(0), x), x)


def sign(x: np.ndarray) -> np.ndarray:
    """−1 or +1; 0 counts as +1."""
    s = np.sign(x)
    return s + (np.float32(1) - np.abs(s))


def through(x: np.ndarray) -> np.ndarray:
    """Round half to even by the straight-through step x + (−x + round(x)), which makes NaN of ±Inf."""
    return x + (-x + np.rint(x))


def rectify(x: np.ndarray, slope: float) -> np.ndarray:
    """x above 0, slope·x below."""
    return np.where(x > 0, x, x * f32(slope)) if slope else np.maximum(x, np.float32(0))


def clip(x: np.ndarray, low: ArrayLike, high: ArrayLike) -> np.ndarray:
    return np.maximum(np.minimum(x, f32(high)), f32(low))


def power(exponent: np.ndarray) -> np.ndarray:
    """2^exponent for whole exponents."""
    whole = np.clip(np.nan_to_num(exponent), -1000, 1000).astype(np.int32)
    return np.where(np.isnan(exponent), f32(exponent), flush(np.ldexp(np.float32(1), whole)))


def integers(codes: np.ndarray) -> np.ndarray:
    """int64, 0 where not finite."""
    return np.where(np.isfinite(codes), np.rint(codes), 0).astype(np.int64)


def transcendental(f: Callable[[np.ndarray], np.ndarray], x: np.ndarray, error: int, nudge: Nudge) -> np.ndarray:
    """f(x) correctly rounded to float32; with `nudge` ±1 the furthest that a kernel wrong by error·u|y| may return."""
    y = f(x.astype(np.float64))
    return f32(y + nudge * (error * FLOAT32.u * np.abs(y) + FLOAT32.tiny))


def log2(x: np.ndarray, nudge: Nudge) -> np.ndarray:
    """log(x)/log(2) in float32 as QKeras divides them; with `nudge` ±1 the furthest that conforming kernels may return.

    Nominally by NumPy's float32 logarithm: it comes closer to TensorFlow's than the correctly rounded one.
    """
    if not np.any(nudge):
        return np.log(x) / LN2
    exact = np.log2(x.astype(np.float64))
    return f32(exact + nudge * ((LOG + DIVISION) * FLOAT32.u * np.abs(exact) + FLOAT32.tiny))


def hard_sigmoid(x: np.ndarray) -> np.ndarray:
    """clip(0.5x + 0.5, 0, 1): QKeras's, neither Keras 2's nor Keras 3's (TRAPS 5)."""
    return clip(np.float32(0.5) * x + np.float32(0.5), 0, 1)


def smooth_sigmoid(x: np.ndarray) -> np.ndarray:
    """clip(0.1875x + 0.5, 0, 1)."""
    return clip(np.float32(0.1875) * x + np.float32(0.5), 0, 1)


def real_sigmoid(x: np.ndarray, nudge: Nudge) -> np.ndarray:
    """1/(1 + e^−x), from 0 to 1 whatever the nudge."""
    return clip(transcendental(_logistic, x, SIGMOID, nudge), 0, 1)


def real_tanh(x: np.ndarray, nudge: Nudge) -> np.ndarray:
    return clip(transcendental(np.tanh, x, TANH, nudge), -1, 1)


def internal_sigmoid(mode: str, x: np.ndarray, nudge: Nudge) -> np.ndarray:
    """What QKeras calls its sigmoid: "hard" unless the process has called `set_internal_sigmoid`."""
    if mode == "real":
        return real_sigmoid(x, nudge)
    return (smooth_sigmoid if mode == "smooth" else hard_sigmoid)(x)


def _logistic(x: np.ndarray) -> np.ndarray:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))
