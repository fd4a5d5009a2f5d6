"""Sums in float16, term after term, computed exactly as such a loop computes them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.ops.convolution import Convolution
from refconv.ops.dense import Dense
from refconv.ops.spatial import CHANNELS_FIRST, channels_last
from refconv.primitives.geometry import window

STEPS = 1 << 25  # additions that are simulated at most
ACTIVATIONS = ("linear", "relu")  # which are exact in float16

TAPS_FIRST, CHANNELS_OUTSIDE = "taps outside, channels inside", "channels outside, taps inside"


def applies(case: Case) -> bool:
    """A plain convolution or product whose loop is short enough."""
    attrs = case.attrs
    if not isinstance(attrs, (Convolution, Dense)) or getattr(attrs, "groups", 1) > 1 or len(case.inputs) != 1:
        return False
    return attrs.activation.name in ACTIVATIONS and attrs.activation.quantizer is None and _steps(case) <= STEPS


def _steps(case: Case) -> int:
    """Additions: at most one for each weight and position."""
    x, kernel = case.inputs[0], case.weights["kernel"]
    positions = x.size // max(kernel.shape[-2], 1)
    return positions * kernel.size


def simulated(case: Case, order: str, *, fused: bool) -> np.ndarray:
    """The layer's output, float64: operands, products and every partial sum rounded to float16.

    Args:
        order: which loop is outside.
        fused: products are not rounded before they are added (fused multiply-add).
    """
    x, kernel = _half(case.inputs[0]), _half(case.weights["kernel"])
    attrs = case.attrs
    with np.errstate(over="ignore", invalid="ignore"):
        total = _summed(attrs, x, kernel, order, fused=fused)
        if attrs.use_bias:
            total = _half(total + _half(case.weights["bias"]))
        total = np.maximum(total, 0) if attrs.activation.name == "relu" else total
    return np.moveaxis(total, -1, 1) if getattr(attrs, "data_format", "") == CHANNELS_FIRST else total


def _summed(attrs: Any, x: np.ndarray, kernel: np.ndarray, order: str, *, fused: bool) -> np.ndarray:
    total: np.ndarray | None = None
    for values, weights in _terms(attrs, x, kernel, order):
        term = values[..., None] * weights  # exact: 11 bits times 11
        term = term if fused else _half(term)
        total = _half(term) if total is None else _half(total + term)
    assert total is not None
    return total


def _terms(attrs: Any, x: np.ndarray, kernel: np.ndarray, order: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What is multiplied by which weights, in the loop's order: values (N, *out), weights (filters,)."""
    if isinstance(attrs, Dense):
        for channel in range(kernel.shape[0]):
            yield x[..., channel], kernel[channel]
        return
    x = channels_last(x, attrs.data_format, len(attrs.kernel_size))
    where = window(x.shape[1:-1], attrs.kernel_size, attrs.strides, attrs.dilation_rate, attrs.padding)
    after = [
        max((out - 1) * stride + (size - 1) * step + 1 - length - before, 0)
        for out, stride, size, step, length, (before, _) in zip(
            where.out, where.strides, where.size, where.dilation, x.shape[1:-1], where.pads, strict=True
        )
    ]
    margins = [(before, end) for (before, _), end in zip(where.pads, after, strict=True)]
    padded = np.pad(x, [(0, 0), *margins, (0, 0)])
    taps, channels = list(np.ndindex(*where.size)), range(x.shape[-1])
    pairs = product(taps, channels) if order == TAPS_FIRST else ((tap, c) for c in channels for tap in taps)
    for tap, channel in pairs:
        starts = [i * step for i, step in zip(tap, where.dilation, strict=True)]
        cut = [
            slice(start, start + (out - 1) * stride + 1, stride)
            for start, out, stride in zip(starts, where.out, where.strides, strict=True)
        ]
        seen: tuple[Any, ...] = (slice(None), *cut, channel)
        yield padded[seen], kernel[(*tap, channel)]


def _half(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float16).astype(np.float64)
