"""Float formats: unit roundoff, range, and what their hardware does with subnormals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Format:
    """A binary float format.

    Attributes:
        u: unit roundoff, half the distance from 1 to the next value.
        tiny: smallest normal value; TensorFlow's CPU kernels flush smaller inputs and results to 0.
        max: largest finite value.
    """

    name: str
    u: float
    tiny: float
    max: float


FLOAT32 = Format("float32", u=2.0**-24, tiny=2.0**-126, max=(2 - 2.0**-23) * 2.0**127)
FLOAT64 = Format("float64", u=2.0**-53, tiny=2.0**-1022, max=(2 - 2.0**-52) * 2.0**1023)


def gamma(n: ArrayLike, u: float) -> np.ndarray:
    """γ(n, u) = nu/(1 − nu), Higham 2002, Lemma 3.1; infinite once nu ≥ 1. `n` is a number or an array."""
    nu = np.asarray(n, dtype=np.float64) * u
    return np.where(nu < 1, nu / np.maximum(1 - nu, 2.0**-60), np.inf)
