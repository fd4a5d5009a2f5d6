"""The tensor as a whole: an error of scale or an offset far too small to be seen in any one element.

Where all weights of a layer are off by one part in a million, each output is off by less than its own rounding may
be. But rounding errors have no direction, and thousands of outputs together show one. Derived and measured in
NUMERICS, "The tensor as a whole".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import gcd, sqrt

import numpy as np

from refconv.compare.direction import RMS, Direction, readable
from refconv.graph import Node
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.formats import FLOAT32
from refconv.ops.activations import LINEAR
from refconv.ops.base import Context
from refconv.ops.table import TABLE
from refconv.result import Comparison, Verdict

LEAST = 4  # distinct outputs: fewer leave their own scatter unknown
ENOUGH = 1 << 17  # outputs that are looked at: ten times as many would narrow nothing that matters
SLOPE = 1.5  # in units of u: what rounding may look like, by measurement never above 1.25
MEAN = 0.1
DEVIATIONS = 4.0  # of a mean of random errors


@dataclass(frozen=True)
class Trend:
    """What the errors e of a tensor's distinct outputs have in common; d is where a scale error would move them.

    Attributes:
        slope: Σ(e·d/σ²)/Σ(d²/σ²), the relative error of scale that explains most of them, in units of u.
        spread: 1/√Σ(d²/σ²), in units of u: the slope's standard deviation if each e were random and of size σ.
        mean: of e/σ; 0 where an activation of its own errors follows the sum.
        count: how many outputs that is, less one for each factor that some of them share.
        scatter: root mean square of what the slope leaves of e/σ.
        hidden: in units of u, the slope that the activation's own errors may have, Σ(|own·d|/σ²)/Σ(d²/σ²), and what the
            algorithm's constants add.
    """

    slope: float
    spread: float
    mean: float
    count: int
    scatter: float = 0.0
    hidden: float = 0.0

    @property
    def limit(self) -> float:
        """Largest |slope| of a healthy layer: 1.5u, or what random errors alone may give where outputs are few.

        Long sums lose most of their relative accuracy, σ ≈ u·√(n/2)·|y|, so that a few outputs do not fix a slope to
        1.5u: then it is four standard deviations, with the errors as large as rounding can make them on average, or
        as they are seen to be: σ is a mean over orders, and outputs that share an unlucky one err by more.
        """
        return max(SLOPE, DEVIATIONS * max(RMS, self.scatter) * self.spread) + self.hidden

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
    - What follows the sum is nothing, or leaves a scale error to be told from its own (`direction`).
    - Sums and results that are rounded to nearest in float32: `SLOPE` is known for no other. Rounded operands are the
      reference's too.
    """
    row, a = TABLE[node.type], context.arithmetic
    summed = row.terms is not None and row.inside is None and bool(row.weights(node.attrs))
    nearest = a.format is a.sums is FLOAT32 and not (a.fused or a.truncates)
    if not (context.seeded and summed and nearest):
        return False
    return readable(getattr(node.attrs, "activation", LINEAR))


def judge(
    compared: tuple[Comparison, ...],
    enclosures: Sequence[Enclosure],
    got: Sequence[np.ndarray],
    along: Callable[[np.ndarray], Direction] = Direction,
) -> tuple[tuple[Comparison, ...], str]:
    """The comparisons with their slopes; where one passed element by element and has a trend, it is suspect and why.

    `along` gives the direction of an output, from its exact values: those themselves unless an activation follows.
    """
    judged, reason = [], ""
    for comparison, enclosure, values in zip(compared, enclosures, got, strict=True):
        passed = comparison.verdict in (Verdict.WITHIN, Verdict.EXACT)
        trend = measure(enclosure, values, along(enclosure.mid)) if passed else None
        if trend is not None and trend.count >= LEAST:
            comparison = replace(comparison, slope=trend.slope)
            if trend.reason:
                comparison, reason = replace(comparison, verdict=Verdict.SUSPECT), reason or trend.reason
        judged.append(comparison)
    return tuple(judged), reason


def measure(enclosure: Enclosure, got: np.ndarray, along: Direction | None = None) -> Trend | None:
    """The trend of a tensor's distinct outputs; None where fewer than two say anything.

    Left out are elements without a σ (exact, or not finite), those that a flushed subnormal may have moved (always
    towards zero), and those near zero, where relu cuts errors off on one side.
    """
    along = along or Direction(enclosure.mid)
    some = _sample(got.size)
    apart = enclosure.sigma if along.sigma is None else along.sigma
    fields = (enclosure.mid, apart, enclosure.floor, along.along, along.own, got)
    y, sigma, floor, d, own, g = (np.broadcast_to(v, got.shape).ravel()[some].astype(np.float64) for v in fields)
    with np.errstate(all="ignore"):
        kept = (sigma > 0) & (floor < sigma / 100) & (np.abs(y) > sigma) & (d != 0) & np.isfinite(sigma + y + g + d)
    y, sigma, d, own, e = (v[kept] for v in (y, sigma, d, own, g - y))
    rows = np.unique(some[kept] // got.shape[-1], return_inverse=True)[1] if along.joint else np.array([], int)
    if along.joint and len(y):
        d, e = (_without(y, v, sigma, rows) for v in (d, e))
    _, first = np.unique(y.astype(np.float32), return_index=True)  # equal sums repeat their errors
    error, weight, own = (v[first] for v in (e / sigma, d / sigma, own / sigma))
    return _trend(error, weight, own, len(first) - len(np.unique(rows)), along.constants)


def _without(y: np.ndarray, v: np.ndarray, sigma: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """v less its part along y in each row, so that a factor shared by a row has no slope, and no scatter."""
    part = np.bincount(rows, v * y / sigma**2) / np.bincount(rows, (y / sigma) ** 2)
    return v - part[rows] * y


def _trend(error: np.ndarray, weight: np.ndarray, own: np.ndarray, count: int, constants: float) -> Trend | None:
    """The weighted fit of e/σ by d/σ; None where it is not determined."""
    information, u = float(weight @ weight), FLOAT32.u
    if count < 2 or not information:
        return None
    slope = float(error @ weight) / information
    left = error - slope * weight
    return Trend(
        slope / u,
        information**-0.5 / u,
        0.0 if own.any() else float(error.mean()),
        count,
        sqrt(float(left @ left) / (count - 1)),
        float(own @ np.abs(weight)) / information / u + constants,
    )


def _sample(size: int) -> np.ndarray:
    """About ENOUGH indices at most, spaced by a step coprime to the size, so that no channel or row is passed over."""
    step = max(size // ENOUGH, 1)
    while gcd(step, size) > 1:
        step += 1
    return np.arange(0, size, step)
