"""Faults in a layer's weights: assigned to the live variables, so that the framework itself computes with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import ml_dtypes
import numpy as np

from detection.operators.base import (
    CONVOLUTIONS,
    DENSE,
    LINEAR,
    NORMALIZATION,
    SEPARABLE,
    TRANSPOSED,
    Make,
    Mutant,
    Operator,
    Scope,
    sized,
    structural,
)
from detection.subject import Subject

Change = Callable[[np.ndarray], "np.ndarray | None"]
KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")
SPATIAL = (*CONVOLUTIONS, *SEPARABLE, *TRANSPOSED)
BIASED = (*LINEAR, *NORMALIZATION)


def planted(s: Subject, values: Mapping[str, np.ndarray]) -> Mutant | None:
    """The layer run with other values in its variables; None without any."""
    if not values:
        return None
    with s.assigned(values):
        return Mutant(s.run(), s.effective())


def kernel_of(s: Subject) -> str:
    """The weight that comes first in the layer: its kernel, or a normalisation's gamma (or beta, without one)."""
    return next(name for name in (*KERNELS, "gamma", "beta", "moving_mean") if name in s.node.weights)


def in_kernel(change: Change) -> Make:
    """An operator that changes the kernel as a whole."""

    def make(s: Subject, size: float, rng: np.random.Generator) -> Mutant | None:
        name = kernel_of(s)
        value = change(s.value(name))
        return None if value is None else planted(s, {name: value})

    make.__doc__ = change.__doc__
    return make


def in_bias(change: Change) -> Make:
    """An operator that changes the bias, or a normalisation's beta."""

    def make(s: Subject, size: float, rng: np.random.Generator) -> Mutant | None:
        name = bias_of(s)
        value = change(s.value(name)) if name else None
        return None if name is None or value is None else planted(s, {name: value})

    make.__doc__ = change.__doc__
    return make


def bias_of(s: Subject) -> str | None:
    return next((name for name in ("bias", "beta") if name in s.node.weights), None)


def everywhere(change: Change) -> Make:
    """An operator that changes every kernel and bias of the layer alike."""

    def make(s: Subject, size: float, rng: np.random.Generator) -> Mutant | None:
        values = {name: change(s.value(name)) for name in trained(s)}
        return planted(s, {name: value for name, value in values.items() if value is not None})

    make.__doc__ = change.__doc__
    return make


def trained(s: Subject) -> list[str]:
    return [name for name in s.node.weights if name in (*KERNELS, "bias", "gamma", "beta")]


def flipped(w: np.ndarray) -> np.ndarray | None:
    """The kernel turned by 180 degrees: convolution for cross-correlation."""
    return w[::-1, ::-1] if max(w.shape[:2]) > 1 else None


def hw_swapped(w: np.ndarray) -> np.ndarray | None:
    """Height and width of the kernel swapped."""
    return w.swapaxes(0, 1) if w.shape[0] == w.shape[1] > 1 else None


def axes_transposed(w: np.ndarray) -> np.ndarray:
    """The kernel's bytes read in another layout: its last axis taken for the first."""
    return np.moveaxis(w, -1, 0).reshape(w.shape)


def channels_swapped(w: np.ndarray) -> np.ndarray | None:
    """The first two input channels swapped, as RGB for BGR."""
    return _swapped(w, -2)


def filters_swapped(w: np.ndarray) -> np.ndarray | None:
    """The first two output channels of the kernel swapped, those of the bias not."""
    return _swapped(w, -1)


def _swapped(w: np.ndarray, axis: int) -> np.ndarray | None:
    if w.shape[axis] < 2:
        return None
    order = np.arange(w.shape[axis])
    order[:2] = 1, 0
    return np.take(w, order, axis)


def group_order(s: Subject, size: float, rng: np.random.Generator) -> Mutant | None:
    """Filters given to the next group; depthwise, the multiplier's channels in the other order."""
    w = s.value(kernel_of(s))
    groups = getattr(s.layer, "groups", 1) or 1
    if s.node.type in ("DepthwiseConv2D", "QDepthwiseConv2D", *SEPARABLE):
        channels, multiplier = w.shape[-2:]
        if min(channels, multiplier) < 2:
            return None
        return planted(s, {kernel_of(s): w.swapaxes(-1, -2).reshape(w.shape)})
    return planted(s, {kernel_of(s): np.roll(w, w.shape[-1] // groups, axis=-1)}) if groups > 1 else None


def one_weight(s: Subject, size: float, rng: np.random.Generator) -> Mutant | None:
    """One weight, drawn at random, off by the relative size."""
    name = kernel_of(s)
    w = s.value(name)
    w.flat[rng.integers(w.size)] *= 1 + size
    return planted(s, {name: w})


def one_channel(s: Subject, size: float, rng: np.random.Generator) -> Mutant | None:
    """All weights of one output channel, drawn at random, off by the relative size."""
    name = kernel_of(s)
    w = s.value(name)
    channels = np.moveaxis(w, -2 if s.node.type in TRANSPOSED else -1, 0)
    if s.node.type in ("DepthwiseConv2D", "QDepthwiseConv2D") or name == "depthwise_kernel":
        channels = w.reshape(-1, w.shape[-2] * w.shape[-1]).T
    channels[rng.integers(len(channels))] *= np.float32(1 + size)
    return planted(s, {name: w})


def all_weights(s: Subject, size: float, rng: np.random.Generator) -> Mutant | None:
    """All weights and biases scaled by 1 + size."""
    return everywhere(lambda w: w * (1 + size))(s, size, rng)


def stale_weights(s: Subject, size: float, rng: np.random.Generator) -> Mutant | None:
    """The weights of another training step: noise of the relative size, in units of the kernel's root mean square."""
    name = kernel_of(s)
    w = s.value(name).astype(np.float64)
    return planted(s, {name: w + size * np.sqrt(np.mean(w**2)) * rng.normal(size=w.shape)})


def bias_scaled(s: Subject, size: float, rng: np.random.Generator) -> Mutant | None:
    """The bias scaled by 1 + size."""
    return in_bias(lambda b: b * (1 + size))(s, size, rng)


def bias_missing(b: np.ndarray) -> np.ndarray:
    """No bias is added."""
    return np.zeros_like(b)


def bias_doubled(b: np.ndarray) -> np.ndarray:
    """The bias is added twice."""
    return 2 * b


def bias_shifted(b: np.ndarray) -> np.ndarray | None:
    """Every channel gets the bias of the one before."""
    return np.roll(b, 1) if len(b) > 1 else None


def as_float16(w: np.ndarray) -> np.ndarray:
    """Weights stored in float16."""
    with np.errstate(over="ignore"):
        return w.astype(np.float16).astype(np.float32)


def as_bfloat16(w: np.ndarray) -> np.ndarray:
    """Weights stored in bfloat16."""
    return w.astype(ml_dtypes.bfloat16).astype(np.float32)


def to_tf32(x: np.ndarray) -> np.ndarray:
    """Rounded to 10 explicit mantissa bits, ties to even; NaN and infinity as they are."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    rounded = (bits + 0xFFF + ((bits >> 13) & 1)) & np.uint32(0xFFFFE000)
    return np.where(np.isfinite(x), rounded.astype(np.uint32).view(np.float32), x)


def tf32_operands(s: Subject, size: float, rng: np.random.Generator) -> Mutant | None:
    """Input and kernel rounded to TF32 before they are multiplied."""
    kernels = {name: to_tf32(s.value(name)) for name in s.node.weights if name in KERNELS}
    with s.assigned(kernels):
        return Mutant(s.run((to_tf32(s.x), *s.inputs[1:])))


FORMATS = (*LINEAR, *NORMALIZATION)
OPERATORS = (
    structural("kernel flipped", in_kernel(flipped), *SPATIAL),
    structural("kernel H/W swapped", in_kernel(hw_swapped), *SPATIAL),
    structural("kernel axes transposed", in_kernel(axes_transposed), *LINEAR),
    structural("input channels swapped", in_kernel(channels_swapped), *LINEAR),
    structural("filters swapped", in_kernel(filters_swapped), *LINEAR),
    structural("group order", group_order, *SPATIAL),
    structural("bias missing", in_bias(bias_missing), *BIASED),
    structural("bias doubled", in_bias(bias_doubled), *BIASED),
    structural("bias shifted", in_bias(bias_shifted), *BIASED),
    sized("one weight", one_weight, Scope.WEIGHT, *LINEAR),
    sized("one channel", one_channel, Scope.CHANNEL, *LINEAR, *NORMALIZATION),
    sized("all weights", all_weights, Scope.TENSOR, *LINEAR, *NORMALIZATION),
    sized("stale weights", stale_weights, Scope.TENSOR, *LINEAR, *NORMALIZATION),
    sized("bias scaled", bias_scaled, Scope.PARAMETER, *BIASED),
    Operator("weights in float16", everywhere(as_float16), FORMATS, Scope.FORMAT),
    Operator("weights in bfloat16", everywhere(as_bfloat16), FORMATS, Scope.FORMAT),
    Operator("TF32 operands", tf32_operands, (*CONVOLUTIONS, *SEPARABLE, *TRANSPOSED, *DENSE), Scope.FORMAT),
)
