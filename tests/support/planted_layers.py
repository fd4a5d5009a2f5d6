"""Convolutions and poolings by explicit loops, right, and wrong in one respect each."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from refconv.testing.strategies import ConvolutionCase, PoolCase


def axis(length: int, size: int, stride: int, dilation: int, padding: str) -> tuple[int, int]:
    """(zeros before, positions), by TensorFlow's notes on padding."""
    extent = (size - 1) * dilation + 1
    if padding == "valid":
        return 0, (length - extent) // stride + 1
    out = -(-length // stride)
    return max((out - 1) * stride + extent - length, 0) // 2, out


def convolve(case: ConvolutionCase, fault: str = "") -> np.ndarray:
    """The sums of a case without activation, channels last, term by term in float64."""
    x, kernel, groups = case.x.astype(np.float64), case.kernel.astype(np.float64), case.groups
    strides = case.strides
    dilation = (1,) * case.rank if fault == "dilation ignored" else case.dilation
    if fault == "kernel flipped":
        kernel = np.flip(kernel, tuple(range(case.rank)))
    found = [axis(*at, case.padding) for at in zip(case.spatial, case.kernel_size, strides, dilation, strict=True)]
    before, out = zip(*found, strict=True)
    if fault == "other side":
        totals = [
            max((o - 1) * s + (k - 1) * d + 1 - n, 0)
            for n, k, s, d, o in zip(case.spatial, case.kernel_size, strides, dilation, out, strict=True)
        ]
        before = tuple(-(-t // 2) for t in totals) if case.padding == "same" else before
    if fault == "strides start later":
        before = tuple(b - (s > 1) for b, s in zip(before, strides, strict=True))
    y = np.zeros((len(x), *out, case.filters))
    depth, width = kernel.shape[-2], case.filters // groups
    for p in product(*map(range, out)):
        for k in product(*map(range, case.kernel_size)):
            at = [i * s - b + j * d for i, s, b, j, d in zip(p, strides, before, k, dilation, strict=True)]
            if any(a < 0 or a >= n for a, n in zip(at, case.spatial, strict=True)):
                continue
            row = x[(slice(None), *at)]
            for f in range(case.filters):
                group = f // width
                taken = slice(group * depth, (group + 1) * depth)
                if fault == "groups in another order":
                    taken = slice(group, None, groups)
                y[(slice(None), *p, f)] += row[:, taken] @ kernel[(*k, slice(None), f)]
    return y if case.bias is None else y + case.bias


def pool(case: PoolCase, fault: str = "") -> np.ndarray:
    """The average of each window; the fault divides by the padding too."""
    x, spatial = case.x.astype(np.float64), case.x.shape[1:-1]
    ones = (1,) * case.rank
    before, out = zip(
        *(axis(*at, case.padding) for at in zip(spatial, case.pool_size, case.strides, ones, strict=True)), strict=True
    )
    y = np.zeros((len(x), *out, x.shape[-1]))
    for p in product(*map(range, out)):
        box = tuple(
            slice(max(i * s - b, 0), min(i * s - b + k, n))
            for i, s, b, k, n in zip(p, case.strides, before, case.pool_size, spatial, strict=True)
        )
        part = x[(slice(None), *box)]
        axes = tuple(range(1, x.ndim - 1))
        many = np.prod(case.pool_size) if fault else np.prod(part.shape[1:-1])
        y[(slice(None), *p)] = part.max(axes) if case.reduction == "max" else part.sum(axes) / many
    return y


def smallest(strategy: Any, check: Any, examples: int = 1000) -> Any:
    """The case that a failing property test of `strategy` ends with.

    Raises:
        AssertionError: no example failed.
    """
    from hypothesis import HealthCheck, Phase, given, settings

    from refconv.testing.strategies import Mismatch, ModelMismatch

    @settings(
        max_examples=examples,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def attempt(case: Any) -> None:
        check(case)

    try:
        attempt()
    except (Mismatch, ModelMismatch) as found:
        return found
    raise AssertionError("no example failed")
