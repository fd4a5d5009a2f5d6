"""Normalisation by the statistics of the input itself: LayerNormalization and GroupNormalization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, Z
from refconv.numerics.formats import FLOAT32
from refconv.numerics.moments import Need
from refconv.ops.activation_layers import read_axes
from refconv.ops.attributes import attribute, flag, integer, number
from refconv.ops.axes import as_floats, position
from refconv.ops.base import Context, Row, Shape, Weights
from refconv.ops.functions.elementwise import radii
from refconv.ops.statistics import Axes, Statistics, inverse_root, over_axes

FUSED_EPSILON = 1.001e-5  # Keras 2 takes the fused kernel from here on; below, that kernel would raise it in silence


@dataclass(frozen=True)
class LayerNormalization:
    """`fused`: trailing axes may go through batch normalisation's kernel for training, as Keras 2 does it."""

    axis: tuple[int, ...] = attribute(read_axes, default=(-1,))
    epsilon: float = attribute(number, default=1e-3)
    center: bool = attribute(flag, default=True)
    scale: bool = attribute(flag, default=True)
    rms_scaling: bool = attribute(flag, default=False)
    fused: bool = attribute(flag, default=False)


@dataclass(frozen=True)
class GroupNormalization:
    """`groups` −1: as many as channels."""

    groups: int = attribute(integer(-1), default=32)
    axis: int = attribute(integer(), default=-1)
    epsilon: float = attribute(number, default=1e-3)
    center: bool = attribute(flag, default=True)
    scale: bool = attribute(flag, default=True)


def layer_shapes(attrs: LayerNormalization) -> dict[str, Shape]:
    """γ too with `rms_scaling`, and β never: as Keras 3 builds them."""
    kept = (None,) * len(attrs.axis)
    wanted = {"gamma": attrs.scale or attrs.rms_scaling, "beta": attrs.center and not attrs.rms_scaling}
    return {name: kept for name, present in wanted.items() if present}


def group_shapes(attrs: GroupNormalization) -> dict[str, Shape]:
    wanted = {"gamma": attrs.scale, "beta": attrs.center}
    return {name: (None,) for name, present in wanted.items() if present}


def layer_normalization(
    attrs: LayerNormalization, weights: Weights, inputs: Sequence[Enclosure], context: Context
) -> Enclosure:
    """y = (x − μ)·inv·γ + β, inv = 1/√(v + ε), μ and v over `axis`; with `rms_scaling` x·inv·γ, by v all the same.

    Under a mixed policy Keras computes it in float32 and rounds once, but for Keras 2's fused kernel, which hands on
    its result rounded, so that γ and β follow in the narrower format.

    Source: keras.layers.LayerNormalization; `_layer_normalization` of keras/src/ops/nn.py.
    """
    x = as_floats(inputs[0], context.arithmetic)
    axes = tuple(sorted(position(a, x.mid.ndim) for a in attrs.axis))
    given = {name: over_axis(name, weights[name], attrs.axis, x.mid.shape) for name in layer_shapes(attrs)}
    gamma, beta = given.get("gamma", np.ones(())), given.get("beta", np.zeros(()))
    fused = attrs.fused and attrs.epsilon >= FUSED_EPSILON and axes == tuple(range(axes[0], x.mid.ndim))
    narrow = fused and context.arithmetic.u > FLOAT32.u
    inner = (np.ones(()), np.zeros(())) if narrow else (gamma, beta)
    found = over_axes(x, axes, context.arithmetic.wide, raw=fused)
    result = _normalized(x, found, attrs.epsilon, inner[0], inner[1], context, not attrs.rms_scaling)
    result = context.arithmetic.store(result, FLOAT32)
    return _scaled(result, gamma, beta, context.arithmetic) if narrow else result


def group_normalization(
    attrs: GroupNormalization, weights: Weights, inputs: Sequence[Enclosure], context: Context
) -> Enclosure:
    """y = (x − μ)·inv·γ + β, μ and v over a group of channels and all axes but the batch; γ and β per channel.

    Source: keras.layers.GroupNormalization.

    Raises:
        UnreadableModel: the channels cannot be split into the groups.
    """
    x = as_floats(inputs[0], context.arithmetic)
    shape, at = x.mid.shape, position(attrs.axis, x.mid.ndim)
    groups = shape[at] if attrs.groups == -1 else attrs.groups
    if not groups or shape[at] % groups:
        raise UnreadableModel(f"{shape[at]} channels cannot be split into {groups} groups")
    split = (*shape[:at], groups, shape[at] // groups, *shape[at + 1 :])
    grouped = Enclosure(*x.full()).move(lambda v: v.reshape(split))
    gamma, beta = (
        over_axis(name, weights[name], (at,), shape).reshape(
            [n if a in (at, at + 1) else 1 for a, n in enumerate(split)]
        )
        if name in group_shapes(attrs)
        else default
        for name, default in (("gamma", np.ones(())), ("beta", np.zeros(())))
    )
    axes = tuple(a for a in range(1, len(split)) if a != at)
    found = over_axes(grouped, axes, context.arithmetic.wide)
    result = _normalized(grouped, found, attrs.epsilon, gamma, beta, context)
    whole = Enclosure(*result.full()).move(lambda v: v.reshape(shape))
    return context.arithmetic.store(whole, FLOAT32)


def over_axis(name: str, weight: np.ndarray, axis: Axes, shape: tuple[int, ...]) -> np.ndarray:
    """A weight over the axes, which Keras only reshapes: axes that are not in order are not put in order.

    Raises:
        UnreadableModel: it has not as many elements as the axes.
    """
    kept = {position(a, len(shape)) for a in axis}
    wanted = [n if a in kept else 1 for a, n in enumerate(shape)]
    if weight.size != np.prod(wanted, dtype=int):
        raise UnreadableModel(f"{name} of shape {weight.shape} does not fit axis {axis} of an input {shape}")
    return weight.astype(np.float64).reshape(wanted)


def _normalized(
    x: Enclosure,
    found: Statistics,
    epsilon: float,
    gamma: np.ndarray,
    beta: np.ndarray,
    context: Context,
    centred: bool = True,
) -> Enclosure:
    """(x − μ)·s + β, s = inv·γ: folded, x·s + (β − μ·s), or centred; the bound holds for both.

    σ² = (s·σ_μ)² + (d·γ·σ_inv)² + u²(3(d·s)² + (x·s)² + (μ·s)² + (β − μ·s)² + y²), d = x − μ. Worst: |s|·r_μ,
    |d·γ|·r_inv and the product of the two, and in units of u: s carries γ's product (its root's error is in r_inv), the
    products x·s and μ·s and the difference, or x − μ and the product, then y.
    x's own radii move d, beside what they do to μ and v.
    """
    fmt = context.arithmetic.wide.format
    inverse = inverse_root(found.variance, float(np.float32(epsilon)), fmt)
    center = found.mean.mid if centred else np.zeros(())
    s, d = inverse.mid * gamma, x.mid - center
    y = d * s + beta
    if context.need is Need.VALUES:
        return Enclosure(y)
    moved = [r + delta if centred else r for r, delta in zip(radii(x), radii(found.mean), strict=True)]
    turned = [np.abs(gamma) * r for r in radii(inverse)]
    spread = [np.abs(s) * m + np.abs(d) * t + m * t for m, t in zip(moved, turned, strict=True)]
    scaled, shifted, shift = np.abs(x.mid * s), np.abs(center * s), np.abs(beta - center * s)
    sigma = fmt.u * np.sqrt(3 * (d * s) ** 2 + scaled**2 + shifted**2 + shift**2 + y**2)
    worst = fmt.u * (3 * (scaled + shifted) + shift + np.abs(y))
    floor = fmt.tiny * (5 + 3 * np.abs(s) + np.abs(x.mid) + np.abs(center))
    overflow = (scaled + shifted + np.abs(beta) > fmt.max) | found.mean.overflow | found.variance.overflow
    sigma, worst = (
        np.where(np.isfinite(y), np.nan_to_num(r, nan=np.inf, posinf=np.inf), 0.0)
        for r in (np.hypot(sigma, spread[0] / Z), worst + spread[1])
    )
    return Enclosure(y, sigma, worst, np.broadcast_to(floor, y.shape), np.broadcast_to(overflow, y.shape))


def _scaled(e: Enclosure, gamma: np.ndarray, beta: np.ndarray, arithmetic: Arithmetic) -> Enclosure:
    """γ·e + β with both rounded to the narrower format, and so the product and the sum."""
    gamma, beta = (arithmetic.format.round(v) for v in (gamma, beta))
    blur = arithmetic.u if arithmetic.fused else 0.0  # XLA may leave out any of these roundings
    loose = blur * (3 * np.abs(e.mid * gamma) + np.abs(beta))
    size = np.abs(gamma)
    product = Enclosure(
        e.mid * gamma, e.sigma * size + loose / Z, np.asarray(e.worst) * size + loose, e.floor * size, e.overflow
    )
    stored = arithmetic.store(product, FLOAT32)
    total = Enclosure(stored.mid + beta, stored.sigma, stored.worst, stored.floor, stored.overflow)
    return arithmetic.store(total, FLOAT32)


ROWS = (
    Row(
        "LayerNormalization",
        LayerNormalization,
        layer_normalization,
        layer_shapes,
        wide=True,
        source="keras.layers.LayerNormalization",
    ),
    Row(
        "GroupNormalization",
        GroupNormalization,
        group_normalization,
        group_shapes,
        wide=True,
        source="keras.layers.GroupNormalization",
    ),
)
