"""Bounds of Winograd and FFT convolution hold for simulations of them in float32, and no direct bound does."""

import numpy as np
import pytest

from refconv.compare import slope
from refconv.compare.direction import CONSTANTS, Direction
from refconv.compare.stage1 import deviate
from refconv.numerics.arithmetic import FFT, WINOGRAD2, WINOGRAD4, Arithmetic
from refconv.ops.attributes import build
from refconv.ops.convolution import of_rank
from refconv.ops.fast_convolution import F2, F4, algorithms, widen
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
    e = Arithmetic().close(correlate_moments(ENGINE, x, kernel, where(x)))

    def widened(algorithm, size=(3, 3), strides=(1, 1), dilation=(1, 1)):
        there = window((9, 9), size, strides, dilation)
        return widen(algorithm, ENGINE, x, np.ones((*size, 2, 1)), there, 1)(e) is not e

    for algorithm in RUNS:
        assert widened(algorithm)
        assert not widened(algorithm, dilation=(2, 2))
        assert not widened(algorithm, size=(1, 1))
        assert not widened(algorithm, strides=(3, 3))
        assert widened(algorithm, size=(5, 5)) is (algorithm == FFT)
        assert widened(algorithm, strides=(2, 2)) is (algorithm == FFT)
    assert widened(FFT, size=(1, 7)) and not widened(FFT, size=(1, 7), strides=(2, 2))
    assert widen("direct", ENGINE, x, kernel, where(x), 1)(e) is e


def attributes(rank=2, **config):
    return build(of_rank(rank), {"filters": 4, "kernel_size": 3, "strides": 1, "dilation_rate": 1, **config}, "Conv2D")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, set(RUNS)),
        ({"groups": 2}, set(RUNS)),
        ({"padding": "same"}, set(RUNS)),
        ({"kernel_size": 5}, {FFT}),
        ({"kernel_size": 32}, {FFT}),
        ({"kernel_size": 33}, set()),
        ({"kernel_size": (1, 33)}, {FFT}),
        ({"kernel_size": 1}, set()),
        ({"strides": 2}, {FFT}),
        ({"strides": 3}, set()),
        ({"kernel_size": (3, 1), "strides": 2}, set()),
        ({"dilation_rate": 2}, set()),
        ({"rank": 1}, {FFT}),  # an image one high
        ({"rank": 1, "kernel_size": 257}, set()),
        ({"rank": 1, "strides": 2}, set()),
        ({"rank": 3}, {FFT}),
        ({"rank": 3, "kernel_size": 17}, set()),
        ({"rank": 3, "strides": 2}, set()),
    ],
)
def test_which_may_be_chosen_for_a_layer(config, expected):
    assert set(algorithms(attributes(**config))) == expected


@pytest.mark.parametrize("algorithm", RUNS)
def test_groups_are_convolutions_of_their_own(algorithm):
    rng = np.random.default_rng(3)
    x, kernel = rng.normal(size=(1, 14, 18, 8)).astype(np.float32), rng.normal(size=(3, 3, 4, 6)).astype(np.float32)
    x[..., 4:] *= 1e3  # what is large in one group widens nothing in the other
    moments = correlate_moments(ENGINE, x, kernel, where(x), 2)
    e = Arithmetic(algorithm=algorithm).close(moments, widen(algorithm, ENGINE, x, kernel, where(x), 2))
    halves = [(x[..., 4 * g : 4 * g + 4], kernel[..., 3 * g : 3 * g + 3]) for g in range(2)]
    got = np.concatenate([RUNS[algorithm](*half) for half in halves], axis=-1)
    assert not deviate(e, got).outside.any()
    alone = enclosure(*halves[0], algorithm)
    np.testing.assert_allclose(e.sigma[..., :3], np.broadcast_to(alone.sigma, alone.mid.shape))
    got[..., 0] *= np.float32(1 + 1e-3)
    assert deviate(e, got).outside.any()


def test_an_fft_with_strides_of_two_stays_inside():
    """As the whole convolution of which every other output is kept, and as four convolutions of every other element."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x, kernel = (rng.normal(size=s).astype(np.float32) for s in ((2, 18, 22, 16), (3, 3, 16, 5)))
        there = window(x.shape[1:-1], (3, 3), (2, 2))
        moments = correlate_moments(ENGINE, x, kernel, there)
        e = Arithmetic(algorithm=FFT).close(moments, widen(FFT, ENGINE, x, kernel, there, 1))
        whole, parts = fft(x, kernel)[:, ::2, ::2], np.zeros(e.mid.shape, np.float32)
        for i, j in np.ndindex(2, 2):
            small = np.zeros((3, 3, 16, 5), np.float32)
            taps = kernel[i::2, j::2]
            small[: taps.shape[0], : taps.shape[1]] = taps
            padded = np.pad(x[:, i::2, j::2], [(0, 0), (0, 2), (0, 2), (0, 0)])
            parts += fft(padded, small)[:, : e.mid.shape[1], : e.mid.shape[2]]
        for got in (whole, parts):
            assert not deviate(e, got).outside.any()
        assert deviate(e, parts[::-1]).outside.any()


@pytest.mark.parametrize("data", ["normal", "uniform"])
@pytest.mark.parametrize("algorithm", RUNS)
def test_their_outputs_have_no_slope_but_what_constants_give(algorithm, data):
    for channels, size in ((1, 34), (24, 18)):
        rng = np.random.default_rng(channels)
        x = DATA[data](rng, (1, size, size, channels)).astype(np.float32)
        kernel = rng.normal(size=(3, 3, channels, 16)).astype(np.float32)
        e = enclosure(x, kernel, algorithm)
        assert slope.measure(e, RUNS[algorithm](x, kernel), Direction(e.mid, constants=CONSTANTS)).reason == ""
        scaled = RUNS[algorithm](x, (kernel * np.float32(1 + 4e-6)).astype(np.float32))
        assert "scaled by" in slope.measure(e, scaled, Direction(e.mid, constants=CONSTANTS)).reason


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


@pytest.mark.parametrize("rank", [1, 3])
def test_an_fft_over_one_axis_or_three_stays_inside(rank):
    shape, size, axes = (18, 9, 11)[:rank], (3,) * rank, tuple(range(1, rank + 1))
    there = window(shape, size, (1,) * rank)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x, kernel = (rng.normal(size=s).astype(np.float32) for s in ((2, *shape, 16), (*size, 16, 5)))
        lengths = [1 << int(np.ceil(np.log2(n + 2))) for n in shape]
        taps = tuple(axis - 1 for axis in axes)
        spectra = np.fft.rfftn(x, lengths, axes), np.fft.rfftn(np.flip(kernel, taps), lengths, taps)
        product = np.einsum("n...c,...cf->n...f", *spectra)
        assert product.dtype == np.complex64
        inner = (slice(None), *(slice(2, n) for n in shape))
        got = np.fft.irfftn(product, lengths, axes)[inner]
        direct_bound = Arithmetic().close(correlate_moments(ENGINE, x, kernel, there))
        e = Arithmetic(algorithm=FFT).close(
            correlate_moments(ENGINE, x, kernel, there), widen(FFT, ENGINE, x, kernel, there, 1)
        )
        assert not deviate(e, got).outside.any()
        assert deviate(e, got[..., ::-1]).impossible.any()
        x[(slice(None), *[5] * rank)] *= 1e6  # reaches everything, by way of the spectrum
        wide = widen(FFT, ENGINE, x, kernel, there, 1)(direct_bound)
        assert np.all(np.asarray(wide.worst) > np.asarray(e.worst))
