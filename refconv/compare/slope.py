"""The tensor as a whole: an error of scale or an offset far too small to be seen in any one element.

Where all weights of a layer are off by one part in a million, each output is off by less than its own rounding may
be. But rounding errors have no direction, and thousands of outputs together show one. Derived and measured in
NUMERICS, "The tensor as a whole".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd, sqrt

import numpy as np

from refconv.graph import Node
from refconv.numerics.arithmetic import DIRECT
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.formats import FLOAT32
from refconv.ops.activations import LINEAR
from refconv.ops.base import Context
from refconv.ops.table import TABLE
from refconv.result import Comparison, Verdict

LEAST = 50  # distinct outputs
ENOUGH = 1 << 17  # outputs that are looked at: ten times as many would narrow nothing that matters
SLOPE = 1.5  # in units of u: what rounding may look like, by measurement never above 1.25
# A transform's constants (1/6, cos φ) are rounded too, by at most u each, and a convolution of two axes multiplies by
# two of them: an error that all outputs may share. Simulated Winograd and FFT runs stay below 1.3u of many outputs.
CONSTANTS = 2.0
MEAN = 0.1
DEVIATIONS = 4.0  # of a mean of random errors

# The largest that the root mean square of one addition's rounding error can be, in units of u|S|: the error is uniform
# over ±½ulp, which is u|S| where the mantissa is 1.
_RMS = 1 / sqrt(3)


@dataclass(frozen=True)
class Trend:
    """What the errors e of a tensor's distinct outputs have in common.

    Attributes:
        slope: Σ(e·y/σ²)/Σ(y²/σ²), the relative error of scale that explains most of them, in units of u.
        spread: 1/√Σ(y²/σ²), in units of u: the slope's standard deviation if each e were random and of size σ.
        mean: of e/σ.
        count: how many outputs that is.
        constants: what the algorithm's own constants may add to a slope, in units of u.
    """

    slope: float
    spread: float
    mean: float
    count: int
    constants: float = 0.0

    @property
    def limit(self) -> float:
        """Largest |slope| of a healthy layer: 1.5u and what constants add, or what random errors may give by chance.

        Long sums lose most of their relative accuracy, σ ≈ u·√(n/2)·|y|, so that a few outputs do not fix a slope to
        1.5u: then it is four standard deviations, with the errors as large as rounding can make them on average.
        """
        return max(SLOPE + self.constants, DEVIATIONS * _RMS * self.spread)

    @property
    def reason(self) -> str:
        """What is wrong with the tensor; "" where nothing is."""
        if self.count < LEAST:
            return ""
        if not abs(self.slope) <= self.limit:
            scale = f"{1 + self.slope * FLOAT32.u:.9g}"
            return f"all outputs lie as if scaled by {scale}: {self.slope:+.2g}u, rounding gives ±{self.limit:.2g}u"
        if not abs(self.mean) <= (allowed := MEAN + DEVIATIONS / sqrt(self.count)):
            return f"all outputs lie to one side: by {self.mean:+.2g}σ on average, rounding gives ±{allowed:.2g}σ"
        return ""


def applies(node: Node, context: Context) -> bool:
    """True where a trend of the errors can only be a fault.

    - The model's input was drawn at random: the windows of a flat image are alike, and so are their errors.
    - Each output is a sum of its own products, whose roundings are its own. BatchNormalization multiplies a whole
      channel by one rounded factor and an average all sums by one rounded 1/n: their errors share a direction.
    - What follows the sum leaves the error as it is: nothing, or relu where it is open.
    - Sums and results that are rounded to nearest in float32: `SLOPE` is known for no other. Rounded operands are the
      reference's too.
    """
    row, a = TABLE[node.type], context.arithmetic
    summed = row.terms is not None and bool(row.weights(node.attrs))
    nearest = a.format is a.sums is FLOAT32 and not (a.fused or a.truncates)
    if not (context.seeded and summed and nearest):
        return False
    activation = getattr(node.attrs, "activation", LINEAR)
    return activation.name in ("linear", "relu") and not activation.parameters and activation.quantizer is None


def judge(
    compared: tuple[Comparison, ...],
    enclosures: Sequence[Enclosure],
    got: Sequence[np.ndarray],
    algorithm: str = DIRECT,
) -> tuple[tuple[Comparison, ...], str]:
    """The comparisons with their slopes; where one passed element by element and has a trend, it is suspect and why."""
    judged, reason = [], ""
    for comparison, enclosure, values in zip(compared, enclosures, got, strict=True):
        passed = comparison.verdict in (Verdict.WITHIN, Verdict.EXACT)
        trend = measure(enclosure, values, algorithm) if passed else None
        if trend is not None and trend.count >= LEAST:
            comparison = replace(comparison, slope=trend.slope)
            if trend.reason:
                comparison, reason = replace(comparison, verdict=Verdict.SUSPECT), reason or trend.reason
        judged.append(comparison)
    return tuple(judged), reason


def measure(enclosure: Enclosure, got: np.ndarray, algorithm: str = DIRECT) -> Trend | None:
    """The trend of a tensor's distinct outputs; None where fewer than two say anything.

    Left out are elements without a σ (exact, or not finite), those that a flushed subnormal may have moved (always
    towards zero), and those near zero, where relu cuts errors off on one side.
    """
    some = _sample(got.size)
    y, sigma, floor = (np.broadcast_to(v, got.shape).ravel()[some] for v in _fields(enclosure))
    g = got.ravel()[some].astype(np.float64)
    with np.errstate(all="ignore"):
        kept = (sigma > 0) & (floor < sigma / 100) & (np.abs(y) > sigma) & np.isfinite(sigma + y + g)
    _, first = np.unique(y[kept].astype(np.float32), return_index=True)  # equal sums repeat their errors
    y, g, sigma = (v[kept][first] for v in (y, g, sigma))
    if len(y) < 2:
        return None
    error, weight = (g - y) / sigma, y / sigma
    information = float(weight @ weight)
    slope, spread = float(error @ weight) / information / FLOAT32.u, information**-0.5 / FLOAT32.u
    return Trend(slope, spread, float(error.mean()), len(y), 0.0 if algorithm == DIRECT else CONSTANTS)


def _fields(enclosure: Enclosure) -> tuple[np.ndarray, ...]:
    return (enclosure.mid, np.asarray(enclosure.sigma), np.asarray(enclosure.floor))


def _sample(size: int) -> np.ndarray:
    """About ENOUGH indices at most, spaced by a step coprime to the size, so that no channel or row is passed over."""
    step = max(size // ENOUGH, 1)
    while gcd(step, size) > 1:
        step += 1
    return np.arange(0, size, step)
