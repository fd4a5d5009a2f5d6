"""Every op that sums, in TensorFlow's own kernels on ordered data: no healthy output is suspect.

Orders that break stage 1 are explained by stage 2 for sums of many terms. BatchNormalization, softmax and bilinear
resizing have no stage 2, and need none: their bounds hold for ordered data too.
"""

from __future__ import annotations

import numpy as np
import pytest
from support.data import FINITE
from support.kernels import KERNELS, Measured, judge, measure

from refconv.ops.table import TABLE
from refconv.result import Verdict

PASSED = (Verdict.EXACT, Verdict.WITHIN)
CHANNELS = (1, 4, 32)
LONG = ("dense, one row", "convolution", "global average pooling of one channel")


@pytest.mark.parametrize("name", KERNELS)
def test_no_kind_of_data_makes_a_healthy_kernel_suspect(name: str):
    for kind in FINITE:
        for channels in (*CHANNELS, *((256,) if name in LONG else ())):
            found = measure(KERNELS[name], kind, channels, seed=channels)
            assert found.comparison.verdict in PASSED, (kind.name, channels, found)


@pytest.mark.parametrize("name", [name for name, kernel in KERNELS.items() if TABLE[kernel.row].terms is None])
def test_where_there_is_no_stage_two_no_data_comes_near_ten_sigma(name: str):
    """Largest seen: 2.2σ for batch normalization, 2.4σ for softmax, 5.0σ for its logarithm, 3.7σ for resizing."""
    largest = max(measure(KERNELS[name], kind, 32, seed).sigmas for kind in FINITE for seed in range(3))
    assert 0.5 < largest < 6


def test_ordered_data_does_break_stage_one_and_stage_two_explains_it():
    kind = next(kind for kind in FINITE if kind.name == "block signed")
    found = [measure(KERNELS[name], kind, 256, seed=1) for name in ("convolution", "dense, one row")]
    assert any(f.comparison.explained for f in found)
    assert max(f.sigmas for f in found) > 15
    assert max(f.second for f in found) < 1


def alternating(period: int, n: int, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).uniform(0.05, 1, period) * np.where(np.arange(period) % 2, -1, 1)
    return np.tile(values, n // period).astype(np.float32)


def test_alternating_values_are_explained_by_the_lanes_of_a_vector_register():
    """TensorFlow's reduce_mean: 22σ, and 2.9 times the radius that the orders of one accumulator give."""
    kernel = KERNELS["global average pooling of one channel"]
    found: list[Measured] = []
    for period in (2, 4, 8, 16):
        for seed in range(8):
            x = alternating(period, 16384, seed).reshape(1, 256, 64, 1)
            found.append(judge(kernel, 64, x, {}))
    assert all(f.comparison.verdict in PASSED for f in found)
    assert max(f.sigmas for f in found) > 10
    assert max(f.second for f in found) < 0.7


@pytest.mark.parametrize(
    "name",
    [
        "convolution",
        "convolution of a volume",
        "locally connected",
        "average pooling",
        "adaptive average pooling",
        "batch normalization",
        "softmax",
        "resizing",
    ],
)
def test_a_wrong_output_is_still_seen(name: str):
    """The same kernels, off by one part in a thousand at their largest output."""
    kernel = KERNELS[name]
    wrong = type(kernel)(kernel.row, kernel.config, kernel.shapes, lambda x, w: off(np.asarray(kernel.run(x, w))))
    for kind in (kind for kind in FINITE if kind.name in ("slow wave", "flat image", "nearly equal")):
        assert measure(wrong, kind, 32, seed=0).comparison.verdict not in PASSED


def off(y: np.ndarray) -> np.ndarray:
    y = y.copy()
    y.flat[np.argmax(np.abs(y))] *= np.float32(1.001)
    return y
