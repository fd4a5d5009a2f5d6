"""STFTSpectrogram: frames of a signal correlated with the waves that its weights hold, and what both parts make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, Z, join
from refconv.ops.attributes import attribute, flag, integer, optional
from refconv.ops.base import Context, Row, Shape, Terms, Weights
from refconv.ops.functions.base import LOG, SQRT
from refconv.ops.functions.elementwise import radii
from refconv.ops.pairwise import product, total
from refconv.ops.spatial import CHANNELS_FIRST, data_format, only, padding
from refconv.ops.statistics import sum_mean
from refconv.primitives.geometry import Window, inside, window
from refconv.primitives.sums import correlate_moments

REAL, IMAGINARY = "real_kernel", "imag_kernel"
LEAST = float(np.float32(1e-7))  # keras.backend.epsilon(): a setting of the process that no file records
ONE_PART = {"real": (REAL,), "imag": (IMAGINARY,)}
COMBINED = ("log", "magnitude", "psd")


@dataclass(frozen=True)
class Spectrogram:
    """Window and scaling are in the weights.

    Mode `angle` has no reference: it jumps by 2π where the imaginary part is no larger than its error.
    """

    mode: str = attribute(only("mode", *COMBINED, *ONE_PART, "stft"), default="log")
    frame_length: int = attribute(integer(1), default=256)
    frame_step: int | None = attribute(optional(integer(1)), default=None)
    fft_length: int | None = attribute(optional(integer(1)), default=None)
    padding: str = padding()
    expand_dims: bool = attribute(flag, default=False)
    data_format: str = data_format()

    @property
    def kernels(self) -> tuple[str, ...]:
        return ONE_PART.get(self.mode, (REAL, IMAGINARY))

    @property
    def frequencies(self) -> int:
        length = self.fft_length or 1 << (self.frame_length - 1).bit_length()
        return length // 2 + 1


def shapes(attrs: Spectrogram) -> dict[str, Shape]:
    return dict.fromkeys(attrs.kernels, (attrs.frame_length, 1, attrs.frequencies))


def spectrogram(attrs: Spectrogram, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """(N, time, C) → (N, frames, C·F), or (N, frames, F, C) with `expand_dims`; channels first by analogy.

    Each channel is a signal of its own: re and im are its correlations with the kernels, every `frame_step`. p = re² +
    im²; `psd` is p, twice it but for the first and the last frequency; `magnitude` √max(p, 1e-7); `log` its logarithm.
    """
    lines = _lines(attrs, inputs[0].mid)
    batch, channels = inputs[0].mid.shape[0], lines.shape[0] // max(inputs[0].mid.shape[0], 1)
    where = _window(attrs, lines.shape[1])
    parts = []
    for name in attrs.kernels:
        moments = correlate_moments(context.engine, lines, weights[name], where, need=context.need)
        parts.append(context.arithmetic.close(moments))
    with np.errstate(all="ignore"):
        found = _combined(attrs, parts, context.arithmetic)
    return found.move(lambda v: _laid(attrs, v.reshape(batch, channels, *v.shape[1:])))


def terms(
    attrs: Spectrogram, weights: Weights, inputs: Sequence[np.ndarray], index: tuple[int, ...], context: Context
) -> Terms:
    """The real part's products, or those of the only part; the imaginary part's sum is closed in what follows them."""
    lines = _lines(attrs, inputs[0])
    line, frame, frequency = _located(attrs, index, lines.shape[0] // inputs[0].shape[0])
    name = attrs.kernels[0]
    if attrs.mode == "stft":
        name, frequency = attrs.kernels[frequency // attrs.frequencies], frequency % attrs.frequencies
    sources, taps = inside(_window(attrs, lines.shape[1]), lines.shape[1:-1], (frame,))

    def products(kernel: str) -> np.ndarray:
        patch = lines[line][np.ix_(*sources)][:, 0].astype(np.float64)
        return patch * weights[kernel][:, 0, frequency][np.ix_(*taps)].astype(np.float64)

    def finish(e: Enclosure) -> Enclosure:
        other = _summed(products(IMAGINARY), context.arithmetic)
        return _of_power(attrs, [e, other], context.arithmetic, _doubled(attrs, frequency))

    return Terms(products(name), None, finish if attrs.mode in COMBINED else lambda e: e)


def _lines(attrs: Spectrogram, x: np.ndarray) -> np.ndarray:
    """Every channel as a signal of its own: (N·C, time, 1).

    Raises:
        UnreadableModel: the input has not three dimensions.
    """
    if x.ndim != 3:
        raise UnreadableModel(f"an input of 3 dimensions is wanted, this one has {x.ndim}: {x.shape}")
    first = x if attrs.data_format == CHANNELS_FIRST else x.transpose(0, 2, 1)
    return first.reshape(-1, first.shape[2], 1)


def _window(attrs: Spectrogram, time: int) -> Window:
    step = attrs.frame_step or attrs.frame_length // 2
    return window((time,), (attrs.frame_length,), (step,), (1,), attrs.padding)


def _combined(attrs: Spectrogram, parts: list[Enclosure], arithmetic: Arithmetic) -> Enclosure:
    """(N·C, frames, F) of one part, of both one after the other, or of their power."""
    if attrs.mode in ONE_PART:
        return parts[0]
    if attrs.mode == "stft":
        return join(lambda values: np.concatenate(values, axis=-1), tuple(parts))
    return _of_power(attrs, parts, arithmetic, _doubled(attrs, np.arange(attrs.frequencies)))


def _doubled(attrs: Spectrogram, frequency: np.ndarray | int) -> np.ndarray:
    """2 where `psd` counts a frequency twice."""
    return np.where((np.asarray(frequency) > 0) & (np.asarray(frequency) < attrs.frequencies - 1), 2.0, 1.0)


def _of_power(attrs: Spectrogram, parts: list[Enclosure], arithmetic: Arithmetic, doubled: np.ndarray) -> Enclosure:
    real, imaginary = (product(part, part, arithmetic) for part in parts)
    power = total(real, imaginary, arithmetic)
    if attrs.mode == "psd":
        mid, sigma, worst, floor = (np.asarray(v) * doubled for v in power.full()[:4])
        return Enclosure(mid, sigma, worst, floor, power.overflow)
    least = float(arithmetic.format.round(LEAST))
    magnitude = _above(power, least, np.sqrt, SQRT, arithmetic)
    return magnitude if attrs.mode == "magnitude" else _above(magnitude, least, np.log, LOG, arithmetic)


def _above(e: Enclosure, least: float, f: np.ufunc, units: float, arithmetic: Arithmetic) -> Enclosure:
    """f(max(x, least)) of a rising f over [x ± r], and `units` of u|y| more."""
    y = f(np.maximum(e.mid, least))
    reach = []
    for r in radii(e):
        ends = [f(np.maximum(e.mid + side * r, least)) for side in (-1, 1)]
        size = np.maximum(np.abs(y), np.maximum(*(np.abs(end) for end in ends)))
        moved = np.maximum(ends[1] - y, y - ends[0]) + units * arithmetic.u * size
        reach.append(np.where(np.isfinite(y), np.nan_to_num(moved, nan=np.inf, posinf=np.inf), 0.0))
    return Enclosure(y, reach[0] / Z, reach[1], 0.0, e.overflow)


def _summed(products: np.ndarray, arithmetic: Arithmetic) -> Enclosure:
    """The sum of one element's terms, whose order counts (`statistics.sum_mean`)."""
    n = products.size
    found = sum_mean(products.reshape(1, -1), (1,), replace(arithmetic, fused=False)).move(lambda v: v[0, 0])
    mid, *rest, overflow = found.full()
    sigma, worst, floor = (np.asarray(r).reshape(-1)[0] * n for r in rest)
    return Enclosure(mid * n, sigma, worst, floor, bool(np.any(overflow)))


def _laid(attrs: Spectrogram, v: np.ndarray) -> np.ndarray:
    """(N, C, frames, F) → the layer's own layout."""
    n, c, frames, f = v.shape
    if attrs.expand_dims:
        return v if attrs.data_format == CHANNELS_FIRST else v.transpose(0, 2, 3, 1)
    joined = v.transpose(0, 1, 3, 2).reshape(n, c * f, frames)
    return joined if attrs.data_format == CHANNELS_FIRST else joined.transpose(0, 2, 1)


def _located(attrs: Spectrogram, index: tuple[int, ...], channels: int) -> tuple[int, int, int]:
    """(line, frame, frequency) of an element in the layer's own layout."""
    width = attrs.frequencies * (2 if attrs.mode == "stft" else 1)
    first = attrs.data_format == CHANNELS_FIRST
    if attrs.expand_dims:
        n, channel, frame, frequency = index if first else (index[0], index[3], index[1], index[2])
    else:
        n, joined, frame = index if first else (index[0], index[2], index[1])
        channel, frequency = divmod(joined, width)
    return n * channels + channel, frame, frequency


ROWS = (
    Row(
        "STFTSpectrogram",
        Spectrogram,
        spectrogram,
        shapes,
        terms,
        operands=(REAL, IMAGINARY),
        source="keras.layers.STFTSpectrogram",
    ),
)
