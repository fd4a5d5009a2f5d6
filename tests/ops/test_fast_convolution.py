"""Bounds of Winograd and FFT convolution hold for simulations of them in float32, and no direct bound does."""

import numpy as np
import pytest

from refconv.compare.stage1 import deviate
from refconv.numerics.arithmetic import FFT, WINOGRAD2, WINOGRAD4, Arithmetic
from refconv.ops.fast_convolution import F2, F4, widen
from refconv.primitives.geometry import window
from refconv.primitives.numpy_engine import ENGINE
from refconv.primitives.sums import correlate_moments

TRANSFORMS = {WINOGRAD2: F2, WINOGRAD4: F4}


def winograd(t, x, kernel):
    """VALID 3×3 convolution, every step in float32; channels are summed one after the other."""
    m, f32 = t.outputs, np.float32
    bt, g, at = (a.astype(f32) for a in (t.bt, t.g, t.at))
    weight = np.einsum("iacf,ja->ijcf", np.einsum("ia,abcf->ibcf", g, kernel).astype(f32), g)
    n, height, width, _ = x.shape
    rows, columns = -(-(height - 2) // m), -(-(width - 2) // m)
    padded = np.zeros((n, rows * m + 2, columns * m + 2, x.shape[3]), f32)
    padded[:, :height, :width] = x
    out = np.zeros((n, rows * m, columns * m, kernel.shape[3]), f32)
    for r, c in np.ndindex(rows, columns):
        tile = padded[:, r * m : r * m + m + 2, c * m : c * m + m + 2]
        data = np.einsum("jb,nibc->nijc", bt, np.einsum("ia,nabc->nibc", bt, tile, dtype=f32), dtype=f32)
        total = np.zeros((n, m + 2, m + 2, kernel.shape[3]), f32)
        for channel in range(x.shape[3]):
            total += data[..., channel, None] * weight[:, :, channel]
        half = np.einsum("pi,nijf->npjf", at, total, dtype=f32)
        out[:, r * m : r * m + m, c * m : c * m + m] = np.einsum("qj,npjf->npqf", at, half, dtype=f32)
    return out[:, : height - 2, : width - 2]


def fft(x, kernel):
    """VALID convolution over the whole image, the transforms in complex64 (NumPy 2 keeps single precision)."""
    shape = tuple(1 << int(np.ceil(np.log2(n + 2))) for n in x.shape[1:3])
    spectrum = np.fft.rfft2(x, shape, axes=(1, 2))
    weights = np.fft.rfft2(kernel[::-1, ::-1], shape, axes=(0, 1))
    assert spectrum.dtype == weights.dtype == np.complex64
    product = np.zeros((*spectrum.shape[:3], kernel.shape[3]), np.complex64)
    for channel in range(x.shape[3]):
        product += spectrum[..., channel, None] * weights[:, :, channel]
    whole = np.fft.irfft2(product, shape, axes=(1, 2))
    assert whole.dtype == np.float32
    return whole[:, 2 : x.shape[1], 2 : x.shape[2]]


def direct(x, kernel):
    return ENGINE.correlate(x.astype(np.float64), kernel.astype(np.float64), where(x), 1).astype(np.float32)


def where(x):
    return window(x.shape[1:-1], (3, 3), (1, 1))


RUNS = {WINOGRAD2: lambda x, w: winograd(F2, x, w), WINOGRAD4: lambda x, w: winograd(F4, x, w), FFT: fft}


def enclosure(x, kernel, algorithm):
    moments = correlate_moments(ENGINE, x, kernel, where(x))
    return Arithmetic(algorithm=algorithm).close(moments, widen(algorithm, ENGINE, x, kernel, where(x), 1))


def spiked(rng, shape):
    """One huge value: it reaches every output of its tile, whatever those outputs' own terms are."""
    x = rng.normal(size=shape)
    x[:, 5, 5] *= 1e6
    return x


DATA = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "rectified": lambda rng, shape: np.maximum(rng.normal(size=shape), 0),
    "uniform": lambda rng, shape: rng.uniform(size=shape),
    "spiked": spiked,
    "constant": lambda rng, shape: np.full(shape, 0.1),
    "waves": lambda rng, shape: np.broadcast_to(np.sin(np.arange(shape[1]) / 3)[:, None, None], shape).copy(),
}


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("algorithm", RUNS)
@pytest.mark.parametrize("channels", [1, 8, 96])
def test_a_simulated_run_stays_inside(algorithm, data, channels):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x = DATA[data](rng, (2, 14, 18, channels)).astype(np.float32)
        kernel = rng.normal(size=(3, 3, channels, 5)).astype(np.float32)
        d = deviate(enclosure(x, kernel, algorithm), RUNS[algorithm](x, kernel))
        assert not d.outside.any(), d.used.max()


@pytest.mark.parametrize("algorithm", RUNS)
def test_the_direct_bound_does_not_hold_for_them(algorithm):
    rng = np.random.default_rng(0)
    x, kernel = spiked(rng, (1, 14, 18, 4)).astype(np.float32), rng.normal(size=(3, 3, 4, 5)).astype(np.float32)
    kernel[1:], kernel[:, 1:] = 0, 0  # an output beside the spike does not use it, but its tile does
    assert deviate(enclosure(x, kernel, "direct"), RUNS[algorithm](x, kernel)).impossible.any()


@pytest.mark.parametrize("algorithm", RUNS)
def test_a_flipped_kernel_is_still_outside(algorithm):
    rng = np.random.default_rng(1)
    x, kernel = (rng.normal(size=s).astype(np.float32) for s in ((1, 14, 18, 8), (3, 3, 8, 5)))
    assert deviate(enclosure(x, kernel, algorithm), direct(x, kernel[::-1])).impossible.any()
    one = kernel.copy()
    one[1, 1, 3, 2] *= 1.01
    assert deviate(enclosure(x, kernel, algorithm), direct(x, one)).outside.any()


def test_where_they_cannot_be_used_the_direct_bound_stays():
    x, kernel = np.ones((1, 9, 9, 2)), np.ones((3, 3, 2, 1))
    moments = correlate_moments(ENGINE, x, kernel, where(x))
    strided = window((9, 9), (3, 3), (2, 2))
    e = Arithmetic().close(moments)
    for algorithm in RUNS:
        assert widen(algorithm, ENGINE, x, kernel, strided, 1)(e) is e
        assert widen(algorithm, ENGINE, x, kernel, where(x), 2)(e) is e
    five = window((9, 9), (5, 5), (1, 1))
    assert widen(WINOGRAD2, ENGINE, x, np.ones((5, 5, 2, 1)), five, 1)(e) is e
    assert widen(FFT, ENGINE, x, np.ones((5, 5, 2, 1)), five, 1)(e) is not e


def test_they_are_never_certified():
    x, kernel = np.ones((1, 9, 9, 2)), np.ones((3, 3, 2, 1))
    assert enclosure(x, kernel, "direct").exact
    assert not any(enclosure(x, kernel, algorithm).exact for algorithm in RUNS)


def test_the_transforms_give_the_convolution():
    rng = np.random.default_rng(2)
    d, g = rng.normal(size=(6, 6)), rng.normal(size=(3, 3))
    for t in TRANSFORMS.values():
        m = t.outputs
        wanted = [[(d[i : i + 3, j : j + 3] * g).sum() for j in range(m)] for i in range(m)]
        data = t.bt @ d[: m + 2, : m + 2] @ t.bt.T
        np.testing.assert_allclose(t.at @ ((t.g @ g @ t.g.T) * data) @ t.at.T, wanted, rtol=1e-12, atol=1e-12)
