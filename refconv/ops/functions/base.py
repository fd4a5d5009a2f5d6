"""What an elementwise function is: its value, where it turns, and how far a float32 kernel may miss it.

The errors are those a conforming library may make, composed along the formulas that the frameworks write. The
elementary functions are taken at the accuracy that the OpenCL specification demands of the full profile
("Relative error as ULPs", single precision): division 2.5 ulp, sqrt 3, rsqrt 2, exp 3, expm1 3, log 3, log1p 2, tanh 5,
erf 16, erfc 16, pow 16. One ulp of y is at most 2u|y|, so k ulp is 2k in units of u|y|.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refconv.numerics.formats import Format

# oneDNN computes exp(x) as 2·(p·2ⁿ⁻¹), whose bracket is flushed: results below twice the smallest normal may be 0.
FLUSHED = 2
DIVISION, SQRT, RSQRT, EXP, EXPM1, LOG, LOG1P, TANH, ERF, POW = 5, 6, 4, 6, 6, 6, 4, 10, 32, 32  # units of u|y|

Parameters = Mapping[str, Any]
Value = Callable[[np.ndarray, Parameters], np.ndarray]
Error = Callable[[np.ndarray, np.ndarray, Parameters, Format], "np.ndarray | None"]


def exact(x: np.ndarray, y: np.ndarray, p: Parameters, fmt: Format) -> None:
    """The error of a function that rounds nothing."""


def relative(k: float) -> Error:
    """An error of k units of u|y|."""
    return lambda x, y, p, fmt: k * fmt.u * np.abs(y)


def no_turns(p: Parameters) -> tuple[float, ...]:
    return ()


def never(x: np.ndarray, p: Parameters) -> np.ndarray | bool:
    return False


def unknown(x: np.ndarray, r: np.ndarray, p: Parameters) -> None:
    """A reach that has no closed form."""


@dataclass(frozen=True)
class Function:
    """y = f(x), element by element.

    Attributes:
        name: canonical name, Keras 3's where both versions have the function.
        f: (x, parameters) → y in float64; also at ±Inf (the limit) and NaN.
        error: (x, y, parameters, format) → the largest error of a kernel given exactly x, before subnormals; None where
            nothing rounds with these parameters.
        turns: parameters → points at which f stops being monotone; both sides of a jump.
        parameters: names and defaults; a number wherever the framework takes one, stored in float32.
        disputed: (x, parameters) → where ±Inf and NaN are right as well as y, because an intermediate value overflows
            or the frameworks' formula meets Inf − Inf or 0·Inf where f has a limit.
        reach: (x, r, parameters) → the largest |f(x') − f(x)| over |x' − x| ≤ r in closed form, for finite x, of a
            function that rounds nothing; None where it is to be found from the ends and the turns.
    """

    name: str
    f: Value
    error: Error = exact
    turns: Callable[[Parameters], tuple[float, ...]] = no_turns
    parameters: Parameters = field(default_factory=dict)
    disputed: Callable[[np.ndarray, Parameters], Any] = never
    reach: Callable[[np.ndarray, np.ndarray, Parameters], np.ndarray | None] = unknown
