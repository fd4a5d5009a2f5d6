"""BatchNormalization as it runs at inference, on its moving statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.formats import FLOAT32
from refconv.numerics.moments import Need
from refconv.ops.attributes import Unknown, attribute, flag, integer, number
from refconv.ops.axes import along, as_floats
from refconv.ops.base import Context, Row, Shape, Weights
from refconv.ops.carry import carry
from refconv.ops.functions.base import DIVISION, SQRT


def read_axis(value: Any) -> int:
    """One axis, which Keras 2 writes as a list of one; statistics over several have no reference."""
    values = value if isinstance(value, (list, tuple)) else [value]
    if len(values) != 1:
        raise Unknown(f"axis {value!r}: BatchNormalization over several axes has no reference")
    return integer()(values[0])


@dataclass(frozen=True)
class BatchNormalization:
    """`renorm` is refused: it keeps statistics of its own. Momentum and the rest only matter in training."""

    axis: int = attribute(read_axis, default=-1)
    epsilon: float = attribute(number, default=1e-3)
    center: bool = attribute(flag, default=True)
    scale: bool = attribute(flag, default=True)


def shapes(attrs: BatchNormalization) -> dict[str, Shape]:
    wanted = {"gamma": attrs.scale, "beta": attrs.center, "moving_mean": True, "moving_variance": True}
    return {name: (None,) for name, present in wanted.items() if present}


def batch_normalization(
    attrs: BatchNormalization, weights: Weights, inputs: Sequence[Enclosure], context: Context
) -> Enclosure:
    """y = (x − μ)·inv + β, inv = γ/√(v + ε); ε is float32, as every kernel adds it to float32 variances.

    Under a mixed policy too both Keras versions compute it in float32, on the stored statistics, and round once.

    Source: keras.layers.BatchNormalization; tf.nn.batch_normalization and FusedBatchNormV3 with is_training=False.
    """
    x = as_floats(inputs[0], context.arithmetic)
    with np.errstate(all="ignore"):
        statistics = along(_statistics(attrs, weights), attrs.axis, x.mid.shape)
        if context.need is Need.VALUES:
            inverse, mean, beta = statistics
            return Enclosure((x.mid - mean) * inverse + beta)
        result = _enclose(x.mid, *statistics, arithmetic=context.arithmetic.wide)
        carried = carry(result, x, lambda radius: np.abs(statistics[0]) * radius)
        return context.arithmetic.store(carried, FLOAT32)


def _statistics(attrs: BatchNormalization, weights: Weights) -> dict[str, np.ndarray]:
    """inv, μ and β, each of shape (channels,)."""
    mean, variance = (weights[name].astype(np.float64) for name in ("moving_mean", "moving_variance"))
    gamma = weights["gamma"].astype(np.float64) if attrs.scale else np.ones_like(mean)
    beta = weights["beta"].astype(np.float64) if attrs.center else np.zeros_like(mean)
    inverse = gamma / np.sqrt(variance + np.float64(np.float32(attrs.epsilon)))
    return {"inverse": inverse, "moving_mean": mean, "beta": beta}


def _enclose(
    x: np.ndarray, inverse: np.ndarray, mean: np.ndarray, beta: np.ndarray, *, arithmetic: Arithmetic
) -> Enclosure:
    """Kernels fold, y = x·inv + (β − μ·inv), or centre, y = (x − μ)·inv + β: the bound holds for both.

    σ² = u²(4(inv·x)² + 4(inv·μ)² + (β − μ·inv)² + y²) (NUMERICS). Worst, in units of u: inv carries v + ε (½), a root
    and a quotient (more than an rsqrt) and the product with γ, k in all; x·inv and μ·inv add a product each, or x − μ
    and a product; then β − μ·inv and y. Subnormal x, μ and x − μ count times |inv|, a flushed inv times |x| + |μ|.
    """
    u, tiny = arithmetic.u, arithmetic.format.tiny
    y, shift = (x - mean) * inverse + beta, beta - mean * inverse
    scaled, moved = np.abs(x * inverse), np.abs(mean * inverse)
    sigma = u * np.sqrt(4 * scaled**2 + 4 * moved**2 + shift**2 + y**2)
    k = 0.5 + SQRT + DIVISION + 1
    worst = u * ((k + 2) * (scaled + moved) + np.abs(shift) + np.abs(y))
    floor = tiny * (5 + 3 * np.abs(inverse) + np.abs(x) + np.abs(mean))
    overflow = scaled + moved + np.abs(beta) > arithmetic.format.max
    sigma, worst = (np.where(np.isfinite(y), radius, 0.0) for radius in (sigma, worst))
    return Enclosure(y, sigma, worst, floor, overflow if overflow.any() else False)


ROWS = (
    Row(
        "BatchNormalization",
        BatchNormalization,
        batch_normalization,
        shapes,
        wide=True,
        source="keras.layers.BatchNormalization",
    ),
)
