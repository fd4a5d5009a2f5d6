"""Inputs at which quantizers decide: every step and half step of a grid, the floats beside them, and the extremes."""

import itertools

import numpy as np

INF = np.float32(np.inf)
EXTREMES = np.array(
    [0.0, -0.0, 1e-45, -1e-45, 1e-39, -1e-39, 1.2e-38, 1e-30, -1e-30, 1e-8, -1e-8, 1e-7, 1.0000001e-7, -1e-7,
     1e6 + 0.25, -1e6 - 0.25, 2e7, -2e7, 1e30, -1e30, 3e38, -3e38, np.inf, -np.inf, np.nan],
    np.float32,
)  # fmt: skip


def with_neighbours(points):
    points = np.asarray(points, np.float32)
    return np.concatenate([points, np.nextafter(points, INF), np.nextafter(points, -INF)])


def steps(step, count):
    """Multiples of step/2 up to count·step on both sides, their neighbours, and the extremes."""
    halves = np.arange(-2 * count, 2 * count + 1) * (step / 2)
    return np.concatenate([np.unique(with_neighbours(halves)), EXTREMES])


def powers(low=-26, high=20):
    """±2^k, the ties √2·2^k and 1.5·2^k between them, their neighbours, a line across 0, and the extremes."""
    points = np.concatenate([factor * 2.0 ** np.arange(low, high) for factor in (1, np.sqrt(2), 1.5)])
    points = with_neighbours(points)
    return np.concatenate([points, -points, np.linspace(-9, 9, 4001), EXTREMES]).astype(np.float32)


def every(**choices):
    """All combinations of parameters as dictionaries."""
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


def same(a, b):
    """Equal bits, but that +0 equals −0 and one NaN another."""
    return (a == b) | (np.isnan(a) & np.isnan(b))


SHAPES = [(7,), (5, 3), (3, 3, 4, 6), (3, 3, 1, 2), (64, 10), (2, 3, 4, 3), (40, 1), (200, 7)]


def tensors(seed, count):
    """Tensors of many shapes and sizes: normal, uniform, on a coarse grid, with a dead channel, of one sign."""
    rng = np.random.default_rng(seed)
    for kind in range(count):
        shape = SHAPES[rng.integers(len(SHAPES))]
        x = rng.normal(size=shape) * 10.0 ** rng.uniform(-4, 2)
        if kind % 5 == 0:
            x = np.round(x * 8) / 8
        if kind % 5 == 1:
            x[..., 0] = 0
        if kind % 5 == 2:
            x = rng.uniform(-1, 1, shape)
        if kind % 5 == 3:
            x = np.abs(x)
        yield x.astype(np.float32)
