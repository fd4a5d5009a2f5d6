"""Where a scale error of a layer's weights would push each of its outputs: the direction that the slope test looks in.

Scaling all weights by 1 + s scales the sum z that the activation f is given, and moves f(z) by s·z·f′(z).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from refconv.compare.operands import Arrays, enclose
from refconv.graph import Node
from refconv.numerics.arithmetic import DIRECT
from refconv.numerics.enclosure import point
from refconv.numerics.moments import Need
from refconv.ops.activations import LINEAR, Activation, activate
from refconv.ops.base import Context, Weights
from refconv.ops.functions.base import EXP

STEP = 2.0**-24  # relative, of the derivative: float64 leaves it nine digits

# In units of u: outputs whose function's own error may look like a larger scale error are left out. A scale error of
# 1e-6 is 16.8u, and has to show beside that error and the 1.5u of rounding.
HIDES = 12.0

# In units of u: a transform's constants (1/6, cos φ) are rounded too, by at most u each, and a convolution of two axes
# multiplies by two of them: an error that all outputs may share. Simulated Winograd and FFT runs stay below 1.3u.
CONSTANTS = 2.0

# The largest that the root mean square of one operation's rounding error can be, in units of u times its result S: the
# error is uniform over ±½ulp, which is u|S| where the mantissa is 1.
RMS = 1 / sqrt(3)


@dataclass(frozen=True)
class Direction:
    """How every output moves, and what may be mistaken for it.

    Attributes:
        along: dy/ds for weights scaled by 1 + s, of the output's shape; y itself where nothing follows the sum.
        own: how far the activation itself may err: a function of its argument, so that it may well have a trend.
        constants: in units of u, what the algorithm's own constants may add to a slope.
        joint: the outputs along the last axis share a factor of their own (softmax's sum), which is no trend.
        sigma: the deviation of what an output does not share; None where that is all of it. Where one class outweighs
            the others, the error of its sum is nearly all of their error, and none of its own.
    """

    along: np.ndarray
    own: np.ndarray | float = 0.0
    constants: float = 0.0
    joint: bool = False
    sigma: np.ndarray | None = None


def readable(a: Activation) -> bool:
    """True where a scale error can be told from what the activation does."""
    return a.quantizer is None and (a.elementwise or a == Activation("softmax"))


def direction(node: Node, weights: Weights, inputs: Arrays, context: Context, y: np.ndarray) -> Direction:
    """The direction of a layer whose activation is `readable`; y is its exact output."""
    constants = 0.0 if context.arithmetic.algorithm == DIRECT else CONSTANTS
    function = getattr(node.attrs, "activation", LINEAR)
    if function.name in ("linear", "relu") and not function.parameters:
        return Direction(y, constants=constants)
    bare = replace(node, attrs=replace(node.attrs, activation=LINEAR))
    need = Need.VALUES if function.elementwise else Need.PROBABLE
    (sums,), _ = enclose(bare, weights, inputs, replace(context, need=need))
    lower, upper = (activate(function, point(sums.mid * s), context.arithmetic) for s in (1 - STEP, 1 + STEP))
    with np.errstate(all="ignore"):
        along = (upper.mid - lower.mid) / (2 * STEP)
    if not function.elementwise:  # what is not exp's is shared or random: differences, their sum, the quotient
        apart = np.hypot(sums.sigma, context.arithmetic.u * (sums.mid.max(axis=-1, keepdims=True) - sums.mid) * RMS)
        return Direction(along, EXP * context.arithmetic.u * np.abs(y), constants, joint=True, sigma=apart * np.abs(y))
    own = np.broadcast_to(activate(function, point(sums.mid), context.arithmetic).worst, y.shape)
    return Direction(np.where(own <= HIDES * context.arithmetic.u * np.abs(along), along, 0.0), own, constants)
