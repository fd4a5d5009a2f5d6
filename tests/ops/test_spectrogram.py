"""STFTSpectrogram by hand: frames, layouts, what is made of both parts; and what other steps or parts would give."""

from __future__ import annotations

from math import log
from typing import Any

import keras
import numpy as np
import pytest
from support.laws import CONTEXT
from support.one import holds, run

from refconv.compare.stage2 import enclose
from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import Unknown, build
from refconv.ops.table import TABLE

TWO = {"frame_length": 2, "frame_step": 1}  # of two samples, two frequencies
SIGNAL = np.float32([[[1], [2], [4]]])
RE, IM = np.float32([[[1, 1]], [[1, -1]]]), np.float32([[[0, 2]], [[0, 0]]])  # (2, 1, 2)


def short(mode: str, x: np.ndarray = SIGNAL, **config: Any) -> Enclosure:
    """re = (a + b, a − b), im = (0, 2a) of neighbours a and b."""
    row = TABLE["STFTSpectrogram"]
    names = row.weights(build(row.attributes, {"mode": mode, **TWO, **config}, "x"))
    held = {name: w for name, w in (("real_kernel", RE), ("imag_kernel", IM)) if name in names}
    return run("STFTSpectrogram", {"mode": mode, **TWO, **config}, x, **held)


def test_by_hand() -> None:
    assert short("real").mid.tolist() == [[[3, -1], [6, -2]]]
    assert short("imag").mid.tolist() == [[[0, 2], [0, 4]]]
    assert short("stft").mid.tolist() == [[[3, -1, 0, 2], [6, -2, 0, 4]]]
    assert short("psd").mid.tolist() == [[[9, 5], [36, 20]]]
    assert short("magnitude").mid[0, 0] == pytest.approx([3, 5**0.5])
    assert short("log").mid[0, 0] == pytest.approx([log(3), log(5) / 2])
    assert short("log", np.zeros_like(SIGNAL)).mid[0, 0] == pytest.approx([log(1e-7**0.5)] * 2, rel=1e-6)


def test_only_inner_frequencies_are_counted_twice() -> None:
    kernel = np.ones((2, 1, 3), dtype=np.float32)
    found = run("STFTSpectrogram", {"mode": "psd", **TWO, "fft_length": 4}, SIGNAL[:, :2], real_kernel=kernel,
                imag_kernel=0 * kernel)  # fmt: skip
    assert found.mid.tolist() == [[[9, 18, 9]]]


def test_layouts() -> None:
    """Frequencies stand side by side within a channel."""
    x = np.concatenate([SIGNAL, 10 * SIGNAL], axis=2)
    assert short("real", x).mid[0].tolist() == [[3, -1, 30, -10], [6, -2, 60, -20]]
    wide = short("real", x, expand_dims=True).mid
    assert wide.shape == (1, 2, 2, 2) and wide[0, 0].tolist() == [[3, 30], [-1, -10]]
    first = {"data_format": "channels_first"}
    assert short("real", x.transpose(0, 2, 1), **first).mid[0].tolist() == [[3, 6], [-1, -2], [30, 60], [-10, -20]]
    assert short("real", x.transpose(0, 2, 1), expand_dims=True, **first).mid[0, 1].tolist() == [[30, -10], [60, -20]]


def test_what_it_refuses() -> None:
    attributes = TABLE["STFTSpectrogram"].attributes
    with pytest.raises(Unknown, match="mode"):
        build(attributes, {"mode": "angle"}, "x")
    with pytest.raises(UnreadableModel, match="3 dimensions"):
        short("real", SIGNAL[0])
    assert build(attributes, {"frame_length": 5}, "x").frequencies == 5
    assert build(attributes, {"frame_length": 4, "fft_length": 12}, "x").frequencies == 7


T = np.arange(600) / 600
WAVES = np.stack([np.sin(2 * np.pi * 40 * T), np.sin(2 * np.pi * 7 * T) + np.cos(2 * np.pi * 90 * T**2)], axis=-1)


def layer(mode: str, **config: Any) -> Any:
    found = keras.layers.STFTSpectrogram(mode=mode, frame_length=128, frame_step=40, **config)
    found.build((1, len(T), 2))
    return found


@pytest.mark.parametrize("mode", ["log", "magnitude", "psd", "real", "imag", "stft"])
@pytest.mark.parametrize("scaling", ["density", None])
def test_waves_in_keras(mode: str, scaling: str | None) -> None:
    """Whatever leaves the probable bound in data with an order is explained by stage 2, and a fault is not."""
    x = WAVES[None].astype(np.float32)
    own = layer(mode, scaling=scaling)
    weights = {w.name: np.asarray(w) for w in own.weights}
    config = {"mode": mode, "frame_length": 128, "frame_step": 40}
    found, got = run("STFTSpectrogram", config, x, **weights), own(x).numpy()
    row = TABLE["STFTSpectrogram"]
    attrs = build(row.attributes, config, "x")
    assert row.terms is not None
    radius = np.broadcast_to(found.probable, got.shape)
    for index in zip(*np.nonzero(np.abs(got - found.mid) > radius), strict=True):
        again = enclose(row.terms(attrs, weights, (x,), tuple(map(int, index)), CONTEXT), CONTEXT.arithmetic)
        assert holds(again, got[index])
    changed = {name: w * np.float32(1.0001) for name, w in weights.items()}
    assert not holds(run("STFTSpectrogram", config, x, **changed), got)
    assert not holds(run("STFTSpectrogram", config, np.roll(x, 1, axis=1), **weights), got)
