"""Functions built on exp, log, tanh and erf, each with its error derived from the formula that frameworks compute.

In the derivations e_f is the accuracy of the elementary function f in units of u (see `base`); errors of an argument
are carried through the derivative; terms in u² are left out, which the tabulated accuracies more than cover.
"""

from __future__ import annotations

import math

import numpy as np

from refconv.numerics.formats import FLOAT32, Format
from refconv.ops.functions.base import (
    DIVISION,
    ERF,
    EXP,
    EXPM1,
    FLUSHED,
    LOG1P,
    SQRT,
    TANH,
    Function,
    Parameters,
    relative,
)
from refconv.ops.functions.piecewise import constant, product

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
_erfc = np.frompyfunc(math.erfc, 1, 1)
GELU_ENDS = -5.7


def erfc(x: np.ndarray) -> np.ndarray:
    return np.asarray(_erfc(x), dtype=np.float64)


def logistic(x: np.ndarray) -> np.ndarray:
    """1/(1 + e^−x) without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1.0) / (1 + e)


def softsign(x: np.ndarray, p: Parameters) -> np.ndarray:
    """x/(|x| + 1), which tends to ±1 at ±Inf."""
    return np.where(np.isinf(x), np.sign(x), x / (np.abs(x) + 1))


def sigmoid_error(x: np.ndarray, y: np.ndarray, fmt: Format) -> np.ndarray:
    """1/(1 + exp(−x)): e_exp·(1 − y) through the sum, whose rounding adds 1, and the quotient; all relative to y.

    The result is subnormal or flushed below x = −86, so FLUSHED·tiny belong to it when it is used further. Where
    exp(−x) passes the format's maximum (x = −11.1 in float16) the result is 0.
    """
    return np.where(x < -math.log(fmt.max), y, fmt.u * y * (EXP + 1 + DIVISION)) + FLUSHED * fmt.tiny


def softplus(x: np.ndarray, p: Parameters | None = None) -> np.ndarray:
    """log(1 + e^x)."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softplus_error(x: np.ndarray, y: np.ndarray, fmt: Format) -> np.ndarray:
    """log1p(exp(x)): e_exp through the derivative of y by x, then e_log1p.

    Written as max(x, 0) + log1p(exp(−|x|)) the sum rounds once more. TensorFlow leaves out log1p where it changes
    little: the term left out is e^2x/2 on the left and e^−x on the right.
    """
    shortcut = math.log(2 * fmt.u) + 2  # TensorFlow's softplus: exp(x) below this, x above its negative
    left_out = np.where(x < shortcut, y * y / 2, np.where(x > -shortcut, np.exp(-np.abs(x)), 0.0))
    return fmt.u * (EXP * logistic(x) + (LOG1P + 1) * y) + left_out


def swish(x: np.ndarray, p: Parameters | None = None) -> np.ndarray:
    """x·sigmoid(x), which tends to 0 at −Inf."""
    return np.where(x == -np.inf, -0.0, x * logistic(x))


def swish_error(x: np.ndarray, y: np.ndarray, p: Parameters, fmt: Format) -> np.ndarray:
    """|x| times the error of the sigmoid, and the product."""
    return np.abs(x) * sigmoid_error(x, logistic(x), fmt) + fmt.u * np.abs(y)


def expm1_error(x: np.ndarray, scale: float, fmt: Format) -> np.ndarray:
    """scale·(e^x − 1) for x < 0, as expm1(x) or as exp(x) − 1; the latter cancels near 0."""
    return fmt.u * scale * (EXP * np.exp(x) + EXPM1 * np.abs(np.expm1(x)))


def elu(x: np.ndarray, p: Parameters) -> np.ndarray:
    """x above 0, alpha·(e^x − 1) below."""
    return np.where(x > 0, x, constant(p["alpha"]) * np.expm1(np.minimum(x, 0)))


def elu_error(x: np.ndarray, y: np.ndarray, p: Parameters, fmt: Format) -> np.ndarray:
    """That of expm1, and the product with alpha."""
    below = expm1_error(np.minimum(x, 0), abs(p["alpha"]), fmt) + fmt.u * np.abs(y)
    return np.where(x > 0, 0.0, below)


def celu(x: np.ndarray, p: Parameters) -> np.ndarray:
    """max(x, 0) + alpha·(e^(min(x, 0)/alpha) − 1)."""
    alpha = constant(p["alpha"])
    return np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / alpha)


def celu_error(x: np.ndarray, y: np.ndarray, p: Parameters, fmt: Format) -> np.ndarray:
    """The quotient t = x/alpha moves e^t by e_division·|t|e^t; then expm1 and the product."""
    alpha = constant(p["alpha"])
    t = np.minimum(x, 0) / alpha
    moved = np.where(np.isinf(t), 0.0, np.abs(t) * np.exp(t))
    below = expm1_error(t, abs(alpha), fmt) + fmt.u * (DIVISION * abs(alpha) * moved + np.abs(y))
    return np.where(x > 0, 0.0, below)


def selu(x: np.ndarray, p: Parameters) -> np.ndarray:
    """scale·x above 0, scale·alpha·(e^x − 1) below."""
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))


def selu_error(x: np.ndarray, y: np.ndarray, p: Parameters, fmt: Format) -> np.ndarray:
    """Each constant is rounded to float32, then the product: 4u at most; below 0 also that of expm1."""
    below = expm1_error(np.minimum(x, 0), SELU_SCALE * SELU_ALPHA, fmt)
    return np.where(x > 0, 0.0, below) + 4 * fmt.u * np.abs(y)


def gelu(x: np.ndarray, p: Parameters) -> np.ndarray:
    """x·Φ(x) = x/2·erfc(−x/√2), or its approximation by tanh."""
    if p["approximate"]:
        return np.where(x == -np.inf, -0.0, x * logistic(2 * gelu_argument(x)))
    return np.where(x == -np.inf, -0.0, 0.5 * x * erfc(-x / math.sqrt(2)))


def gelu_argument(x: np.ndarray) -> np.ndarray:
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


def gelu_error(x: np.ndarray, y: np.ndarray, p: Parameters, fmt: Format) -> np.ndarray:
    """The larger of the formulas in use, both with a product before and after, and `tiny` times |x|.

    x/2·(1 + erf(t)) cancels for negative x, and x/2·(1 + tanh(a)) with it: |x|/2 times (e·|erf| + 2). It ends where
    both are 0 in float32, t below −4 and a below −9.1, x = GELU_ENDS at the latest: there at most y itself is lost.
    x/2·erfc(−t) has a relative error of e_erfc, and the two roundings of t carried by the derivative: |x|φ(x)·3|x|.
    """
    size, unit = np.abs(x), fmt.u
    e = TANH if p["approximate"] else ERF
    density = np.where(np.isinf(x), 0.0, size * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi))
    cancelling = np.where(x < GELU_ENDS, np.abs(y), unit * size / 2 * (e + 2))
    carried = 3 * size * density * (3 if p["approximate"] else 1)
    return np.maximum(cancelling, e * unit * np.abs(y)) + unit * (carried + 3 * np.abs(y)) + size * fmt.tiny


def tanh_shrink_error(x: np.ndarray, y: np.ndarray, p: Parameters, fmt: Format) -> np.ndarray:
    """x − tanh(x) cancels near 0: the error of tanh stays."""
    return fmt.u * (TANH * np.abs(np.tanh(x)) + np.abs(y))


def squareplus(x: np.ndarray, p: Parameters) -> np.ndarray:
    """(x + √(x² + b))/2, for negative x as b/2/(√(x² + b) − x)."""
    b = constant(p["b"])
    size = np.abs(x) + np.sqrt(x * x + b)
    return np.where(x < 0, b / size, size) / 2


def squareplus_error(x: np.ndarray, y: np.ndarray, p: Parameters, fmt: Format) -> np.ndarray:
    """Square and sum round (2, halved by the root), the root itself, then a sum that cancels for negative x.

    In a 16-bit format the square overflows where y does not; `squareplus_disputed` knows float32's range alone.
    """
    root = np.sqrt(x * x + constant(p["b"]))
    error = fmt.u * (root * (1 + SQRT) / 2 + np.abs(y))
    return np.where((x * x > fmt.max / 2) & (fmt.u > FLOAT32.u), np.inf, error)


def squareplus_disputed(x: np.ndarray, p: Parameters) -> np.ndarray:
    """x² passes the range long before y does; −Inf + Inf."""
    return (x * x > 2.0**127) & np.isfinite(x) | (x == -np.inf)


def infinite(x: np.ndarray, p: Parameters) -> np.ndarray:
    """Inf/Inf."""
    return np.isinf(x)


def mish(x: np.ndarray, p: Parameters) -> np.ndarray:
    """x·tanh(softplus(x))."""
    return np.where(x == -np.inf, -0.0, x * np.tanh(softplus(x)))


def mish_error(x: np.ndarray, y: np.ndarray, p: Parameters, fmt: Format) -> np.ndarray:
    """The error of softplus through tanh' = 1 − tanh², then tanh (flushed), all times |x|, and the product.

    TensorFlow's graphs may fuse the formula into oneDNN's kernel, whichever of the two errs more counts.
    """
    t = np.tanh(softplus(x))
    inner = (1 - t * t) * softplus_error(x, softplus(x), fmt) + TANH * fmt.u * t + FLUSHED * fmt.tiny
    inner = np.maximum(inner, _fused_mish_error(x, t, fmt))
    return np.where(np.isinf(x), 0.0, np.abs(x) * inner) + fmt.u * np.abs(y)


def _fused_mish_error(x: np.ndarray, t: np.ndarray, fmt: Format) -> np.ndarray:
    """tanh(softplus(x)) = (w − 1)/(w + 1), w = (1 + e^x)²: below x = −10 the difference w − 1 is rounding alone.

    In units of u: w carries k = 3 + 2·e_exp·e^x/(1 + e^x), which reaches numerator and denominator with the share
    w/(w + 1); both round, and the quotient.
    """
    carried = (3 + 2 * EXP * logistic(x)) / (1 + 1 / (1 + np.exp(np.minimum(x, 40.0))) ** 2)
    return fmt.u * (carried + t * (2 + carried + DIVISION))


FUNCTIONS = (
    Function("exponential", lambda x, p: np.exp(x), relative(EXP)),
    Function("tanh", lambda x, p: np.tanh(x), relative(TANH)),
    Function("softsign", softsign, relative(1 + DIVISION), disputed=infinite),
    Function("sigmoid", lambda x, p: logistic(x), lambda x, y, p, fmt: sigmoid_error(x, y, fmt)),
    Function("softplus", softplus, lambda x, y, p, fmt: softplus_error(x, y, fmt)),
    Function("log_sigmoid", lambda x, p: -softplus(-x), lambda x, y, p, fmt: softplus_error(-x, -y, fmt)),
    Function("silu", swish, swish_error, lambda p: (-1.278464542761074,), disputed=product),
    Function("elu", elu, elu_error, lambda p: (0.0,), {"alpha": 1.0}),
    Function("celu", celu, celu_error, lambda p: (0.0,), {"alpha": 1.0}),
    Function("selu", selu, selu_error),
    Function(
        "gelu",
        gelu,
        gelu_error,
        lambda p: (-0.7524614220710162,) if p["approximate"] else (-0.7517915924,),
        {"approximate": False},
        product,
    ),
    Function("tanh_shrink", lambda x, p: x - np.tanh(x), tanh_shrink_error),
    Function("squareplus", squareplus, squareplus_error, parameters={"b": 4.0}, disputed=squareplus_disputed),
    Function("mish", mish, mish_error, lambda p: (-1.1924312145,), disputed=product),
)
